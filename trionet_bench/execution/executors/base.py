"""Where jobs are carried out, as the scheduler sees it."""

from dataclasses import dataclass
from typing import Protocol

from trionet_bench.errors import StoreError
from trionet_bench.execution.jobs import Job
from trionet_bench.execution.worker import Outcome


@dataclass(frozen=True)
class Advanced:
    """How far a job has come."""

    job: Job
    done: int
    total: int
    message: str


@dataclass(frozen=True)
class Ended:
    """A job is over. ``outcome`` is a text where its process died without one, and an error where its results could not
    be written.
    """

    job: Job
    outcome: Outcome | str | StoreError


Event = Advanced | Ended


class Executor(Protocol):
    """Carries jobs out. ``slots`` is how many at a time."""

    slots: int

    def start(self, job: Job, fresh: bool = False) -> None:
        """Begin a job, ``fresh`` or where an interrupted attempt stopped; only while a slot is free."""

    def events(self, timeout: float) -> list[Event]:
        """What happened, after waiting at most so many seconds for something to happen."""

    def abandon(self, job: Job) -> None:
        """End one job at once; nothing more is heard of it."""

    def stop(self) -> None:
        """End everything under way at once."""
