"""Stated devices, for the estimate of a run on machines that are not here: `--dry-run --as "8x H100"`."""

import re
from dataclasses import dataclass

from trionet_bench.errors import UsageError, nearest


@dataclass(frozen=True)
class StatedDevice:
    """A device by what it is known to reach.

    Args:
        macs_per_s: in training, forward and backward passes together.
        why: where the number is from.
    """

    name: str
    macs_per_s: float
    why: str


# Rates of large convolutional networks in bf16 with a well-fed input pipeline; small networks and attention reach less.
DEVICES = {
    device.name.lower(): device
    for device in (
        StatedDevice("A100", 21e12, "what ffcv's ResNet-50 recipe reaches"),
        StatedDevice("H100", 42e12, "twice an A100, an assumption"),
    )
}


@dataclass(frozen=True)
class StatedMachine:
    """So many of a device, each with a worker."""

    count: int
    device: StatedDevice

    @property
    def text(self) -> str:
        """As it is written."""
        return f"{self.count}x {self.device.name}"


def parse_machine(text: str) -> StatedMachine:
    """From ``8x H100`` or ``A100``; UsageError naming the known devices for any other."""
    match = re.fullmatch(r"\s*(?:([1-9][0-9]{0,5})\s*x\s*)?(\S+)\s*", text, re.IGNORECASE)
    name = match[2].lower() if match else ""
    if match is None or name not in DEVICES:
        hint = nearest(name.upper(), [device.name for device in DEVICES.values()])
        raise UsageError(f'--as {text}: write a number and a device, for example "8x H100"; {hint}')
    return StatedMachine(int(match[1] or 1), DEVICES[name])
