"""Jobs on a Ray cluster, or on a Ray that is started here for the run.

Ray places and isolates jobs, no more: dependencies, claims and records are the runner's, so results are the same
as on one machine. The results folder must be at the same path on every machine of the cluster, and so must the data.
"""

import logging
import time
from typing import Any

from trionet_bench.errors import StoreError, UsageError
from trionet_bench.execution.executors.base import Ended, Event
from trionet_bench.execution.executors.local import asked_threads
from trionet_bench.execution.jobs import Job
from trionet_bench.execution.worker import Outcome, RunRequest, carry_out
from trionet_bench.extras import install_command
from trionet_bench.jsontypes import JsonObject
from trionet_bench.plugins import ENVIRONMENT_VARIABLE, plugin_modules
from trionet_bench.training.platform import Resources


class RayExecutor:
    """One Ray task for each job, never retried by Ray.

    Args:
        request: of the run.
        jobs: how many at a time; by default as many as the cluster has GPUs, or cores.
        device: ``auto`` takes GPUs where the cluster has any.
        devices: at most so many GPUs.
    """

    def __init__(self, request: RunRequest, jobs: int | None, device: str, devices: int | None = None) -> None:
        self._ray, self._ours = _connected()
        self._request = request
        self._resources, places = cluster_resources(self._ray.nodes(), device)
        self.slots = jobs or min(places, devices or places)
        self._remote = self._ray.remote(
            max_retries=0,
            max_calls=1,  # a process for each job, as elsewhere: its peak memory is that of the job
            num_cpus=self._resources.threads,
            num_gpus=int(self._resources.device != "cpu"),
            runtime_env={"env_vars": {ENVIRONMENT_VARIABLE: ",".join(plugin_modules())}},
        )(_carry_out)
        self._running: dict[Any, Job] = {}

    def start(self, job: Job, fresh: bool = False) -> None:
        """Hand the job to Ray."""
        self._running[self._remote.remote(job, self._request, self._resources, fresh)] = job

    def events(self, timeout: float) -> list[Event]:
        """Jobs that ended since the last call; Ray reports no progress."""
        if not self._running:
            time.sleep(timeout)
            return []
        ended, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        if ended:  # with whatever else has ended by now
            ended, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [Ended(self._running.pop(reference), self._outcome(reference)) for reference in ended]

    def abandon(self, job: Job) -> None:
        """Cancel one job."""
        for reference in [reference for reference, other in self._running.items() if other.folder == job.folder]:
            self._ray.cancel(reference, force=True)
            del self._running[reference]

    def stop(self) -> None:
        """Cancel everything under way, and leave the cluster where it was entered here."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running.clear()
        if self._ours:
            self._ray.shutdown()

    def _outcome(self, reference: Any) -> Outcome | str | StoreError:
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return f"its Ray worker ended: {str(error).splitlines()[0].rstrip('.')}"
        assert isinstance(outcome, Outcome | StoreError)
        return outcome


def _connected() -> tuple[Any, bool]:
    """Ray, connected to the cluster at RAY_ADDRESS or to a new one on this machine, and whether that was done here."""
    try:
        import ray
    except ImportError as error:
        raise UsageError(f"--executor ray needs Ray; install it with: {install_command('cluster')}") from error
    if ray.is_initialized():
        return ray, False
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"no connection to the Ray cluster: {error} Check RAY_ADDRESS.") from error
    return ray, True


def cluster_resources(nodes: list[JsonObject], device: str) -> tuple[Resources, int]:
    """What each job gets, and how many such places the cluster has. A GPU brings its share of its machine's cores."""
    machines = [node["Resources"] for node in nodes if node["Alive"]]
    gpus = sum(int(machine.get("GPU", 0)) for machine in machines)
    if device.startswith("cuda") and not gpus:
        raise UsageError(f'device "{device}" is not here: the Ray cluster has no GPU; use "cpu".')
    if gpus and device != "cpu":
        shares = [int(m.get("CPU", 1)) // int(m["GPU"]) for m in machines if m.get("GPU", 0) >= 1]
        return Resources("cuda:0", max(1, min(shares))), gpus  # Ray shows a task its own GPU only
    threads = asked_threads() or 1  # as on one machine, since the order of sums follows from it
    return Resources("cpu", threads), max(1, sum(int(machine.get("CPU", 0)) // threads for machine in machines))


def _carry_out(job: Job, request: RunRequest, resources: Resources, fresh: bool) -> Outcome | StoreError:
    try:
        return carry_out(job, request, resources, lambda *_: None, fresh)
    except StoreError as error:
        return error
