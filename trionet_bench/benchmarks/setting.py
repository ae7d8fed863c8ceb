"""The settings of a benchmark. Loads no torch, so that the command line can make one."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Setting:
    """How to measure.

    Args:
        device: as ``training.device.resolve_device`` reads it.
        threads: of torch on a CPU; None is torch's own choice.
        samples: of every case; None is the default of the benchmark.
        quick: only the cases that targets are stated for, few samples: a first look.
    """

    device: str = "auto"
    threads: int | None = None
    samples: int | None = None
    quick: bool = False

    def count(self, usual: int) -> int:
        """Samples of a case that usually gets so many."""
        return self.samples or (min(usual, 3) if self.quick else usual)
