"""Torch on a CPU or GPU with the kernels in C, as workers of the systems use it."""

import torch

from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.attention import kernels
from trionet_bench.networks.normalisation import kernel
from trionet_bench.training.torch_platform import TorchPlatform

_KERNELS = {"attention": kernels.missing_because, "batch normalisation": kernel.missing_because}


class NetworkPlatform(TorchPlatform):
    """As ``TorchPlatform``; its settings say what runs in C, which rounds sums in another order."""

    def prepare(self) -> JsonObject:
        """Threads, device, determinism and kernels, which are compiled now where they are not yet."""
        settings = super().prepare()
        if self.device.type != "cpu":
            return {**settings, "kernels": f"none: not on {self.device.type}"}
        reasons = {name: missing(torch.float32) for name, missing in _KERNELS.items()}
        found = [f"{name} in C" for name, reason in reasons.items() if reason is None]
        why = dict.fromkeys(reason for reason in reasons.values() if reason is not None)
        return {**settings, "kernels": ", ".join(found or [f"none: {'; '.join(why)}"])}
