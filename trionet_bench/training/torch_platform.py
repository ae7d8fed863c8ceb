"""Torch on a CPU or GPU, as workers use it."""

import torch

from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.record import Environment
from trionet_bench.training.device import (
    environment,
    make_deterministic,
    peak_memory,
    reset_peak_memory,
    resolve_device,
)
from trionet_bench.training.platform import Platform, Resources


class TorchPlatform(Platform):
    """UsageError for a device that this machine lacks."""

    def __init__(self, resources: Resources) -> None:
        super().__init__(resources)
        self.device = resolve_device(resources.device)

    def prepare(self) -> JsonObject:
        """Threads, device, determinism, and a new start for peak memory."""
        torch.set_num_threads(self.resources.threads)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        settings = make_deterministic(self.device)
        reset_peak_memory(self.device)
        return settings

    def environment(self) -> Environment:
        """Machine and libraries, without host or user name."""
        return environment(self.device)

    def peak_memory(self) -> int:
        """On CUDA most bytes in tensors since ``prepare``, elsewhere of this process since it began."""
        return peak_memory(self.device)

    @property
    def decoding_workers(self) -> int:
        """As many as threads beside a GPU; none on a CPU, where training needs every core."""
        return 0 if self.device.type == "cpu" else self.resources.threads
