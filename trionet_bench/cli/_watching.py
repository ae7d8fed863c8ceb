"""What a person sees of a run while it goes on."""

from collections.abc import Mapping

from trionet_bench.progress import Progress, duration
from trionet_bench.suite.runner import Watcher
from trionet_bench.suite.task import Outcome


class ProgressWatcher(Watcher):
    """A line on stderr for each cell that is over, and on a terminal a bar with the cells under way."""

    def __init__(self, progress: Progress, title: str, jobs: int) -> None:
        self.progress = progress
        self.overall = progress.task(title, jobs)
        self.under_way: dict[str, str] = {}
        self.told_to_wait = False

    def began(self, label: str) -> None:
        """Enters the job in the bar."""
        self.under_way[label] = label
        self.overall.advance(0, self._note())

    def advanced(self, label: str, done: int, total: int, message: str) -> None:
        """How far each job has come."""
        self.under_way[label] = f"{label} {message.partition(':')[0]} {done / max(total, 1):.0%}"
        self.overall.advance(0, self._note())

    def ended(self, label: str, outcome: Outcome, left: int, seconds_left: float | None) -> None:
        """One line for the job."""
        self.under_way.pop(label, None)
        rest = f"; {left} left" if left else ""
        if left and seconds_left is not None:
            rest += f", about {duration(seconds_left)}"
        took = duration(outcome.seconds)
        if outcome.failure is not None:
            self.progress.say(f"{label}: failed after {took}: {outcome.failure.message.rstrip('.')}{rest}")
        else:
            self.progress.say(f"{label}: done in {took}{_accuracy(outcome.metrics)}{rest}")
        self.overall(max(self.overall.total - left, self.overall.done), self.overall.total, self._note())

    def waits(self, labels: list[str]) -> None:
        """Says so once."""
        if not self.told_to_wait:
            self.progress.say(f"waiting for another run on these results to finish {', '.join(labels)}")
            self.told_to_wait = True

    def _note(self) -> str:
        return ", ".join(self.under_way.values())


def _accuracy(metrics: Mapping[str, float]) -> str:
    return f", test top-1 {100 * metrics['test_top1']:.2f} %" if "test_top1" in metrics else ""
