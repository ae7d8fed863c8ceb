"""Stand-ins for torch and for the module that asks it about devices, so that workers of these tests start at once."""

from types import ModuleType, SimpleNamespace
from typing import Any

from trionet_bench.records.record import Environment

_NAMES = ("python", "torch", "torchvision", "numpy", "platform", "cpu", "device", "device_name")


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    return module


MODULES = {
    "torch": _module("torch", set_num_threads=lambda threads: None, device=lambda name: SimpleNamespace(type=name)),
    "trionet_bench.training.device": _module(
        "trionet_bench.training.device",
        resolve_device=lambda name: SimpleNamespace(type=name),
        make_deterministic=lambda device: {"deterministic_algorithms": True},
        reset_peak_memory=lambda device: None,
        peak_memory=lambda device: 1024,
        environment=lambda device: Environment(**dict.fromkeys(_NAMES, "none"), cores=1),
    ),
}
