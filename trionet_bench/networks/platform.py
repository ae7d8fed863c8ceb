"""Torch on a CPU or GPU with the kernels that attention calls, as workers of the systems use it."""

import torch

from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.attention import kernels
from trionet_bench.training.torch_platform import TorchPlatform


class NetworkPlatform(TorchPlatform):
    """As ``TorchPlatform``; its settings say whether attention runs in C, which rounds sums in another order."""

    def prepare(self) -> JsonObject:
        """Threads, device, determinism and kernels, which are compiled now where they are not yet."""
        settings = super().prepare()
        reason = kernels.missing_because(torch.float32) if self.device.type == "cpu" else f"not on {self.device.type}"
        return {**settings, "kernels": "attention in C" if reason is None else f"none: {reason}"}
