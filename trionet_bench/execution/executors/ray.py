"""Tasks on a Ray cluster, or on a Ray that is started here for the occasion.

Ray places and isolates tasks, no more: dependencies, claims and records are the runner's, so results are the same
as on one machine. The results folder must be at the same path on every machine of the cluster, and so must the data.
"""

import logging
import time
from typing import Any

from trionet_bench.errors import StoreError, UsageError
from trionet_bench.execution.executors.local import Ended, Event
from trionet_bench.execution.worker import Desk, Outcome, Task, carry_out


class RayExecutor:
    """One Ray task for each task, never retried by Ray.

    Args:
        jobs: tasks at a time; by default as many as the cluster has GPUs, or cores.
        device: ``auto`` takes GPUs where the cluster has any.
        devices: at most so many GPUs.
    """

    def __init__(self, jobs: int | None, device: str, devices: int | None = None) -> None:
        self._ray = _connected()
        desk, places = _desk(self._ray.nodes(), device)
        self.slots = jobs or min(places, devices or places)
        self._desk = desk
        on_gpu = desk.device != "cpu"
        self._remote = self._ray.remote(max_retries=0, num_cpus=desk.threads, num_gpus=int(on_gpu))(_carry_out)
        self._running: dict[Any, Task] = {}

    def start(self, task: Task) -> None:
        """Hand the task to Ray."""
        self._running[self._remote.remote(task, self._desk)] = task

    def events(self, timeout: float) -> list[Event]:
        """Ends since the last call; Ray tells nothing in between."""
        if not self._running:
            time.sleep(timeout)
            return []
        ended, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        if ended:  # with whatever else has ended by now
            ended, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [Ended(self._running.pop(reference), self._outcome(reference)) for reference in ended]

    def stop(self) -> None:
        """Cancel everything under way and leave the cluster."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        self._ray.shutdown()

    def _outcome(self, reference: Any) -> Outcome | str:
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return f"its Ray worker ended: {str(error).splitlines()[0].rstrip('.')}"
        if isinstance(outcome, StoreError):
            raise outcome
        assert isinstance(outcome, Outcome)
        return outcome


def _connected() -> Any:
    """Ray, connected to the cluster at RAY_ADDRESS or to a new one on this machine."""
    try:
        import ray
    except ImportError as error:
        raise UsageError('--executor ray needs Ray; install it with: pip install "trionet_bench[cluster]"') from error
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(f"no connection to the Ray cluster: {error} Check RAY_ADDRESS.") from error
    return ray


def _desk(nodes: list[dict[str, Any]], device: str) -> tuple[Desk, int]:
    """What each task gets, and how many such places the cluster has. A GPU brings its share of its machine's cores."""
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = sum(int(found.get("GPU", 0)) for found in resources)
    if device.startswith("cuda") and not gpus:
        raise UsageError(f'device "{device}" is not here: the Ray cluster has no GPU; use "cpu".')
    if gpus and device != "cpu":
        shares = [int(found.get("CPU", 1)) // int(found["GPU"]) for found in resources if found.get("GPU", 0) >= 1]
        return Desk("cuda:0", max(1, min(shares))), gpus  # Ray shows a task its own GPU only
    return Desk("cpu", 1), max(1, sum(int(found.get("CPU", 0)) for found in resources))


def _carry_out(task: Task, desk: Desk) -> Outcome | StoreError:
    try:
        return carry_out(task, desk, lambda *_: None)
    except StoreError as error:
        return error
