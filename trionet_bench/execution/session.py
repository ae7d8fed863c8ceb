"""One run of a suite: what is open, what it costs, where it is carried out, and its exit code."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trionet_bench.data.findings import find_problems
from trionet_bench.errors import DataError
from trionet_bench.execution.declaration import as_begun, declare
from trionet_bench.execution.devices import StatedMachine
from trionet_bench.execution.durations import Durations
from trionet_bench.execution.executors.base import Executor
from trionet_bench.execution.executors.local import LocalExecutor, plan_resources, worker_context
from trionet_bench.execution.jobs import CellJob, Job
from trionet_bench.execution.plan import Plan, check_cells, make_plan, parse_only
from trionet_bench.execution.scheduler import Watcher, open_cells, open_phases, run_plan
from trionet_bench.execution.worker import RunRequest
from trionet_bench.records.record import Code
from trionet_bench.suite.specification import Suite
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.training.platform import Resources

if TYPE_CHECKING:
    from trionet_bench.execution.estimate import Estimate

DONE, INCOMPLETE, DATA_MISSING = 0, 3, 4  # exit codes


@dataclass(frozen=True)
class Workers:
    """Where jobs are carried out.

    Args:
        jobs: cells at a time; None: one for each GPU, else one for each core.
        device: a torch device name, or ``auto``.
        devices: at most so many GPUs; None: all.
        executor: processes on this machine, or a Ray cluster.
    """

    jobs: int | None = None
    device: str = "auto"
    devices: int | None = None
    executor: Literal["local", "ray"] = "local"

    def resources(self) -> list[Resources]:
        """Of each worker on this machine."""
        return plan_resources(self.jobs, self.device, self.devices)


@dataclass(frozen=True)
class DryRun:
    """What a run would do, and what that costs.

    Args:
        jobs: in the order of the plan.
        estimate: None where there is nothing to do.
        workers: how many jobs would run at a time.
        seconds: of one worker, from the durations of earlier cells; None where there are none.
    """

    jobs: tuple[Job, ...]
    estimate: "Estimate | None"
    workers: int
    seconds: float | None


@dataclass(frozen=True)
class Session:
    """A suite, or a selection of its cells, that is run once.

    Args:
        plan: how the cells stand.
        retry_failed: cells that failed before are carried out too.
        force: every cell of the plan is carried out, from the start, on data that are read anew; phases that are done
            stay.
        warnings: on data sets, by name; see ``without_unsound_data``.
    """

    plan: Plan
    retry_failed: bool = False
    force: bool = False
    warnings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def open(
        cls,
        suite: Suite,
        results: Path,
        data_root: Path | None,
        only: str | None = None,
        retry_failed: bool = False,
        force: bool = False,
    ) -> "Session":
        """Plan the cells of a suite that ``only`` means, at the look that its results have come to.

        UsageError for a wrong ``only``.
        """
        suite = as_begun(suite, results)
        select = parse_only(only, suite) if only else None
        return cls(make_plan(suite, results, data_root, select, reread=force), retry_failed, force)

    @property
    def cells(self) -> list[CellJob]:
        """What would be carried out."""
        return open_cells(self.plan, self.retry_failed, self.force)

    @property
    def jobs(self) -> list[Job]:
        """The cells to be carried out, and before them the phases that they need."""
        return [*open_phases(self.plan, self.cells), *self.cells]

    def missing_data(self) -> Mapping[str, tuple[DataError, int]]:
        """For each data set that could not be opened, and each model that lacks what it starts from, why, and how many
        of its cells cannot be run.
        """
        waiting = [cell.name for cell in self.plan.cells if cell.job is None and cell.state != "complete"]
        datasets, models = [name.dataset for name in waiting], [name.model for name in waiting]
        return {
            **{f"data set {name}": (error, datasets.count(name)) for name, error in self.plan.absent.items()},
            **{f"model {name}": (error, models.count(name)) for name, error in self.plan.lacking.items()},
        }

    def without_unsound_data(self) -> "Session":
        """The same session, where data sets with errors count as missing; only those of open cells are looked at.

        DataError where files are gone or were changed since the plan was made.
        """
        errors: dict[str, DataError] = {}
        warnings: dict[str, tuple[str, ...]] = {}
        for job in self.cells:
            data = job.cell.data
            if data.name in warnings:
                continue
            findings = find_problems(data.index, data.splits(job.cell.seed))
            warnings[data.name] = (
                *data.index.warnings,
                *(each.message for each in findings if each.severity == "warning"),
                *(f"left out: {each}" for each in data.index.left_out),
            )
            if serious := [each.message for each in findings if each.severity == "error"]:
                errors[data.name] = DataError(f"{data.index.uri}: {' '.join(serious)}")
        cells = tuple(
            replace(cell, job=None, key=None) if cell.name.dataset in errors else cell for cell in self.plan.cells
        )
        plan = replace(self.plan, cells=cells, absent={**self.plan.absent, **errors})
        return replace(self, plan=plan, warnings={name: messages for name, messages in warnings.items() if messages})

    def dry_run(self, workers: Workers, machine: StatedMachine | None = None) -> DryRun:
        """What ``run`` would do, here or on a stated machine. Nothing is written."""
        from trionet_bench.execution.estimate import estimate  # torch loads here, not to find a suite finished

        jobs, resources = self.jobs, workers.resources()
        needed = bool(jobs or self.plan.absent)
        return DryRun(
            jobs=tuple(jobs),
            estimate=estimate(self.plan, self.cells, resources[0], machine) if needed else None,
            workers=machine.count if machine else len(resources),
            seconds=Durations(self.plan).left(jobs, slots=1) if jobs else 0.0,
        )

    def run(
        self,
        workers: Workers,
        watcher: Watcher,
        code: Code,
        command: str,
        cache: Path | None,
        seconds: float | None = None,
        retries: int = 0,
    ) -> "Session":
        """Carry out what is open; returns the session with the new state of its plan.

        Args:
            watcher: hears what happens.
            code, command: for the records.
            cache: folder for decoded images.
            seconds: after which the run ends, with cells left.
            retries: how often a job is tried again that failed by its surroundings: a full disk, a killed worker.

        UsageError where a cell cannot be carried out, StoreError where results cannot be written, KeyboardInterrupt on
        SIGINT and SIGTERM.
        """
        check_cells(self.cells)
        suite = self.plan.suite
        request = RunRequest(
            self.plan.results, suite.fidelity, code, command, self.retry_failed, self.force, cache, retries
        )
        executor = self._executor(request, workers)
        # A smoke run is over before it is foreseen; what a cluster's machines can do is not known here.
        foreseen = suite.fidelity != "smoke" and workers.executor == "local"
        foreseen_on = workers.resources()[0] if foreseen else None
        return replace(self, plan=run_plan(self.plan, executor, request, watcher, seconds, foreseen_on))

    def redeclare(self) -> None:
        """Leave what the suite declares beside the results that are there, where nothing is to be run."""
        if self.plan.folder.is_dir():
            declare(self.plan)

    @property
    def exit_code(self) -> int:
        """Of the command line: 0 done, 3 some cells failed or are left, 4 data missing."""
        if self.plan.missing:
            return DATA_MISSING
        return DONE if self.plan.counts()["complete"] == len(self.plan.cells) else INCOMPLETE

    def _executor(self, request: RunRequest, workers: Workers) -> Executor:
        if workers.executor == "ray":
            from trionet_bench.execution.executors.ray import RayExecutor  # only where Ray is installed and wanted

            return RayExecutor(request, workers.jobs, workers.device, workers.devices)
        systems = [SYSTEMS.get(name) for name in dict.fromkeys(job.cell.system for job in self.jobs)]
        return LocalExecutor(request, workers.resources(), worker_context(systems))
