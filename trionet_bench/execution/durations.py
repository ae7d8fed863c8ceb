"""How long jobs took, and from these how long others may take."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from statistics import fmean

from trionet_bench.execution.foresight import Foresight
from trionet_bench.execution.jobs import Job
from trionet_bench.execution.plan import Plan


class Durations:
    """Seconds of finished jobs.

    Args:
        foresight: of the others, which is scaled by what the finished ones took.
    """

    def __init__(self, plan: Plan, foresight: Foresight | None = None) -> None:
        self._foresight = foresight
        self._learned: dict[str, float] = {}  # by claim, in this run
        self._seconds: dict[Hashable, list[float]] = defaultdict(list)
        for cell in plan.cells:
            if cell.job is not None and cell.state == "complete" and cell.seconds is not None:
                self.learn(cell.job, cell.seconds)

    def learn(self, job: Job, seconds: float) -> None:
        """``job`` took so long."""
        self._learned[job.claim] = seconds
        for group in job.similar:
            self._seconds[group].append(seconds)

    def expected(self, job: Job) -> float | None:
        """The mean over the closest group of similar jobs, else what is foreseen; None where neither is known."""
        for group in job.similar:
            if group in self._seconds:
                return fmean(self._seconds[group])
        foreseen = self._foreseen.get(job.claim)
        return None if foreseen is None else foreseen * self._scale

    def left(self, jobs: Iterable[Job], slots: int, spent: Mapping[str, float] | None = None) -> float | None:
        """How long the rest may take on so many slots; jobs of unknown duration count as the mean of all. None where
        nothing is known.

        Args:
            spent: seconds that jobs are under way already, by claim; a tenth of each is taken to be left at least.
        """
        waiting, spent = list(jobs), spent or {}
        known = {job.claim: seconds for job in waiting if (seconds := self.expected(job)) is not None}
        everything = [seconds for group in self._seconds.values() for seconds in group] or list(known.values())
        if not everything:
            return None
        each = [(known.get(job.claim, fmean(everything)), spent.get(job.claim, 0.0)) for job in waiting]
        return sum(max(seconds / 10, seconds - passed) for seconds, passed in each) / slots

    @property
    def _foreseen(self) -> Mapping[str, float]:
        return self._foresight.seconds if self._foresight else {}

    @property
    def _scale(self) -> float:
        """What the jobs of this run took over what was foreseen of them; 1 before the first."""
        pairs = [(took, self._foreseen[claim]) for claim, took in self._learned.items() if claim in self._foreseen]
        foreseen = sum(expected for _, expected in pairs)
        return sum(took for took, _ in pairs) / foreseen if foreseen else 1.0
