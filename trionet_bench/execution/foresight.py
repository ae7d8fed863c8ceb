"""How long jobs should take by the model of a dry run, reckoned in a thread beside the first of them."""

import signal
import threading
from collections.abc import Iterable, Mapping

from trionet_bench.errors import BenchError
from trionet_bench.execution.jobs import Job
from trionet_bench.training.platform import Resources

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Foresight:
    """``seconds`` of jobs by their claim; empty until they are known, and where a system does not say what it computes.

    Args:
        resources: of one worker.
    """

    def __init__(self, jobs: Iterable[Job], resources: Resources) -> None:
        self.seconds: Mapping[str, float] = {}
        self._jobs, self._resources, self.begun = tuple(jobs), resources, False
        self._thread = threading.Thread(target=self._reckon, name="foresight", daemon=True)

    def begin(self) -> None:
        """Reckon in a thread, which takes no signal: those are for the main thread, when it is ready for them."""
        self.begun = True
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._thread.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)

    def end(self) -> None:
        """Wait for the thread, a second or a few: an interpreter that ends while one computes with torch is aborted."""
        if self.begun:
            self._thread.join()

    def _reckon(self) -> None:
        from trionet_bench.execution.estimate import seconds_of  # torch loads here, while workers are at it

        try:
            self.seconds = seconds_of(self._jobs, self._resources)
        except BenchError:
            self.seconds = {}  # the job itself will say what is wrong
