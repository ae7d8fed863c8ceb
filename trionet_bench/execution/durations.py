"""How long jobs took, and from these how long others may take."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from statistics import fmean

from trionet_bench.execution.jobs import Job
from trionet_bench.execution.plan import Plan


class Durations:
    """Seconds of finished jobs."""

    def __init__(self, plan: Plan) -> None:
        self._seconds: dict[Hashable, list[float]] = defaultdict(list)
        for cell in plan.cells:
            if cell.job is not None and cell.state == "complete" and cell.seconds is not None:
                self.learn(cell.job, cell.seconds)

    def learn(self, job: Job, seconds: float) -> None:
        """``job`` took so long."""
        for group in job.similar:
            self._seconds[group].append(seconds)

    def expected(self, job: Job) -> float | None:
        """The mean over the closest group of similar jobs; None where there is none."""
        for group in job.similar:
            if group in self._seconds:
                return fmean(self._seconds[group])
        return None

    def left(self, jobs: Iterable[Job], slots: int) -> float | None:
        """How long the rest may take on so many slots; other jobs count as the mean of all. None before the first."""
        if not self._seconds:
            return None
        mean = fmean(seconds for group in self._seconds.values() for seconds in group)
        known = [self.expected(job) for job in jobs]
        return sum(mean if seconds is None else seconds for seconds in known) / slots
