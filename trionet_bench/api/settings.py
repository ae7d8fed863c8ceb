"""The settings of a run, as the command line and Python have them in common; nothing here is slow to import."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from trionet_bench.api.loggers import Logger


class RunOptions(TypedDict, total=False):
    """The options of ``run`` and ``compare`` by name; ``RunSettings`` explains them and has their defaults."""

    results: str | Path
    reports: str | Path
    data_root: str | Path
    only: str | None
    jobs: int | None
    device: str
    devices: int | None
    executor: Literal["local", "ray"]
    retry_failed: bool
    retries: int
    force: bool
    minutes: float | None
    write_report: bool
    loggers: "Sequence[Logger]"


@dataclass(frozen=True)
class RunSettings:
    """Where results go, which cells are carried out, and on what.

    Args:
        results: folder in which each suite has its own.
        reports: likewise, for the pages.
        data_root: folder of the named data sets.
        only: some cells, as ``model=tri*,dataset=!cars``.
        jobs: cells at a time; None is one for each GPU, else one for each core.
        device: auto, cpu, cuda, cuda:1, mps.
        devices: at most so many GPUs.
        executor: processes on this machine, or the Ray cluster at ``RAY_ADDRESS``.
        retry_failed: also cells that failed before by what they compute.
        retries: how often a job is tried again that fails by its surroundings: a full disk, a killed worker.
        force: finished cells again.
        minutes: after which the run ends with what is there; the same run goes on from that.
        write_report: at the end.
        loggers: what hears of metrics as they come: csv, tensorboard, wandb, or a ``MetricLogger``.
    """

    results: str | Path = "results"
    reports: str | Path = "reports"
    data_root: str | Path = "data"
    only: str | None = None
    jobs: int | None = None
    device: str = "auto"
    devices: int | None = None
    executor: Literal["local", "ray"] = "local"
    retry_failed: bool = False
    retries: int = 2
    force: bool = False
    minutes: float | None = None
    write_report: bool = True
    loggers: "Sequence[Logger]" = ()
