"""Jobs on this machine: a process for each, so that a crash costs one cell and memory is measured for one cell.

On Linux the processes are forked from a server that has imported torch but used nothing of it; elsewhere each starts
from nothing. A worker ends when the program that started it does, however that ended.
"""

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any

from trionet_bench.errors import StoreError, UsageError
from trionet_bench.execution.executors.base import Advanced, Ended, Event
from trionet_bench.execution.jobs import Job
from trionet_bench.execution.worker import Outcome, RunRequest, carry_out
from trionet_bench.plugins import plugin_modules
from trionet_bench.systems.base import AnySystem
from trionet_bench.training.platform import Resources

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)
_READABLE = 0.25  # seconds between two reports of progress
_PATIENCE = 5.0  # seconds between asking a worker to stop and making it
_GRACE = 1.0  # seconds within which an interrupt that has reached a worker reaches its runner
_ENDED_BY_INTERRUPT = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)  # exit codes


@dataclass(frozen=True)
class _Running:
    job: Job
    resources: Resources
    process: multiprocessing.process.BaseProcess
    connection: Connection


class LocalExecutor:
    """One process for each job.

    Args:
        request: of the run.
        resources: of each worker; as many jobs run at a time.
        context: how processes start.
    """

    def __init__(
        self, request: RunRequest, resources: Sequence[Resources], context: multiprocessing.context.BaseContext
    ) -> None:
        self.slots = len(resources)
        self._request = request
        self._free = list(resources)
        self._running: list[_Running] = []
        self._context: Any = context  # which of its classes makes processes depends on the platform
        self._ready = context.get_start_method() != "forkserver"

    def start(self, job: Job, fresh: bool = False) -> None:
        """Start a process on free resources."""
        if not self._ready:
            self._wait_for_imports()
        resources = self._free.pop(0)
        here, there = self._context.Pipe(duplex=False)
        process = self._context.Process(target=_work, args=(there, job, self._request, resources, fresh))
        with _signals_deferred(), _main_left_out():  # a worker that is half started would be nobody's
            process.start()
            self._running.append(_Running(job, resources, process, here))
        there.close()

    def events(self, timeout: float) -> list[Event]:
        """Messages and ends since the last call."""
        if not self._running:
            time.sleep(timeout)
            return []
        ready = wait([r.connection for r in self._running] + [r.process.sentinel for r in self._running], timeout)
        events: list[Event] = []
        for running in list(self._running):
            if running.connection in ready or running.process.sentinel in ready:
                events += self._received(running)
        return events

    def abandon(self, job: Job) -> None:
        """End the worker of a job and free its resources."""
        for running in [running for running in self._running if running.job.folder == job.folder]:
            running.process.kill()
            running.process.join()
            running.connection.close()
            self._running.remove(running)
            self._free.insert(0, running.resources)

    def stop(self) -> None:
        """Ask all workers to stop, then make them."""
        for running in self._running:
            running.process.terminate()
        deadline = time.monotonic() + _PATIENCE
        for running in self._running:
            running.process.join(max(0.0, deadline - time.monotonic()))
            if running.process.is_alive():
                running.process.kill()
                running.process.join()
        self._running.clear()

    def _wait_for_imports(self) -> None:
        """Until the server can fork; unlike the start of a worker, this may be interrupted."""
        with _main_left_out():
            process = self._context.Process(target=_nothing)
            process.start()
        process.join()
        self._ready = True

    def _received(self, running: _Running) -> list[Event]:
        events: list[Event] = []
        outcome: Outcome | str | StoreError | None = None
        alive = running.process.is_alive()  # before its messages are read: whoever is dead now has sent them all
        with contextlib.suppress(EOFError, OSError):
            while outcome is None and running.connection.poll():
                message = running.connection.recv()
                if isinstance(message, tuple):
                    events.append(Advanced(running.job, *message))
                else:
                    outcome = message
        if outcome is None and alive:
            return events
        running.process.join()
        if running.process.exitcode in _ENDED_BY_INTERRUPT:
            time.sleep(_GRACE)  # whoever ends a whole group of processes ends this one too: then the job did not fail
        running.connection.close()
        self._running.remove(running)
        self._free.insert(0, running.resources)
        return [*events, Ended(running.job, outcome or _cause_of_death(running))]


def plan_resources(jobs: int | None, device: str, devices: int | None) -> list[Resources]:
    """Resources for ``jobs`` cells at a time; None is as many as there are cores for, or one for each GPU.

    On CPUs a worker has ``OMP_NUM_THREADS`` threads, else one: their number decides in which order floating-point
    numbers are added, so that it must not follow from how many jobs run beside one another.
    """
    places = places_of(device)
    if devices is not None and devices > len(places):
        raise UsageError(f"--devices {devices}: there is only {len(places)} of device {device}.")
    places = places[:devices]
    cores = available_cores()
    if places == ["cpu"]:
        threads = min(asked_threads() or 1, cores)
        jobs = jobs or max(1, cores // threads)
    else:
        jobs = jobs or len(places)
        threads = max(1, cores // jobs)
    return [Resources(places[i % len(places)], threads) for i in range(jobs)]


def asked_threads() -> int | None:
    """What ``OMP_NUM_THREADS`` says; None where it says nothing, or no number above 0."""
    text = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(text) if text.isdecimal() and int(text) > 0 else None


def available_cores() -> int:
    """The processor cores that this process may use, by affinity and by its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def places_of(device: str) -> list[str]:
    """Every torch device that ``device`` means."""
    if device == "cpu":
        return ["cpu"]
    import torch  # whether there is a GPU is for torch to say

    from trionet_bench.training.device import resolve_device

    resolved = resolve_device(device)
    if resolved.type == "cuda" and resolved.index is None:
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [str(resolved)]


def worker_context(systems: Iterable[AnySystem]) -> multiprocessing.context.BaseContext:
    """How a process starts that has imported what these systems need, and used nothing of it."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    modules = {"click": None, "trionet_bench.execution.worker": None, **dict.fromkeys(plugin_modules())}
    if threading.current_thread() is threading.main_thread():  # the kernel goes by the thread that starts the server
        modules = {f"{__package__}.lifeline": None, **modules}
    for system in systems:
        implementation, platform = (name.partition(":")[0] for name in (system.implementation, system.platform))
        modules |= dict.fromkeys((*system.preload, platform, implementation))
    context.set_forkserver_preload(list(modules))
    resource_tracker.ensure_running()  # or it would be started within, and end the deferral
    with _signals_deferred():  # the server inherits that: Ctrl-C, which reaches it too, is for the runner
        forkserver.ensure_running()
    return context


@contextlib.contextmanager
def _signals_deferred() -> Iterator[None]:
    """Signals that would interrupt are delivered at the end."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)


@contextlib.contextmanager
def _main_left_out() -> Iterator[None]:
    """Processes that start now do not run the script of this one again, which need not guard against it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _cause_of_death(running: _Running) -> str:
    code = running.process.exitcode
    if code is None or code >= 0:
        return f"its process ended with exit code {code}; the end of its log may say why"
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out: run with fewer --jobs" if name == "SIGKILL" else ""
    return f"its process was ended by {name}{hint}"


def _nothing() -> None:
    """The work of a process that only shows that processes can start."""


def _work(connection: Connection, job: Job, request: RunRequest, resources: Resources, fresh: bool) -> None:
    """A worker process: one job, then the end."""
    gc.freeze()  # what was imported before stays: a collection that looked at it would copy its pages
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the runner decides
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        message: Outcome | StoreError = carry_out(job, request, resources, ProgressSender(connection), fresh)
    except StoreError as error:
        message = error
    connection.send(message)
    connection.close()


class ProgressSender:
    """Sends progress to the runner, but not more often than anyone could read it."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.sent = 0.0

    def __call__(self, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if now - self.sent >= _READABLE:
            try:
                self.connection.send((done, total, message))
            except OSError:
                os._exit(1)  # the runner is gone; a failed record would be untrue
            self.sent = now


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
