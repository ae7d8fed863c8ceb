"""Carrying a suite out, and the suite that compares operators on a data set. Loads neither pandas nor matplotlib."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from trionet_bench.api.loggers import MetricLogger, MetricsWatcher, make_loggers
from trionet_bench.api.looks import look_at
from trionet_bench.api.settings import RunSettings
from trionet_bench.api.watching import ProgressWatcher, Watchers
from trionet_bench.caching import cache_folder
from trionet_bench.execution.session import DONE, Session, Workers
from trionet_bench.files import write_atomically
from trionet_bench.integrity.provenance import code_state, command_line
from trionet_bench.progress import Progress
from trionet_bench.reporting.refresh import refresh_report
from trionet_bench.suite.autosuite import CompareOptions, propose
from trionet_bench.suite.specification import Suite, load_suite
from trionet_bench.suite.studies import without_collision
from trionet_bench.terminal import echo
from trionet_bench.units import counted


@dataclass(frozen=True)
class Ran:
    """What a run did: the session with the state of its cells, how many it carried out, the page it wrote, and the
    settings that it had.
    """

    session: Session
    cells: int
    page: Path | None
    settings: RunSettings


def workers_of(settings: RunSettings) -> Workers:
    """Where jobs are carried out."""
    return Workers(settings.jobs, settings.device, settings.devices, settings.executor)


def open_session(suite: Suite, settings: RunSettings) -> Session:
    """The cells of a suite as they stand. What is missing or doubtful in the data, and the reason for what the recipes
    leave to the program, is told on stderr.
    """
    session = Session.open(
        suite,
        Path(settings.results),
        Path(settings.data_root),
        settings.only,
        settings.retry_failed,
        settings.force,
    ).without_unsound_data()
    for line in (*_on_data(session), *_on_precision(session)):
        echo(line, err=True)
    return session


def _on_data(session: Session) -> Iterator[str]:
    for name, (error, cells) in session.missing_data().items():
        yield f"{error}\n{counted(cells, 'cell')} of {name} cannot be run without it."
    for name, warnings in session.warnings.items():
        yield from (f"data set {name}: {warning}" for warning in warnings)


def _on_precision(session: Session) -> list[str]:
    """What ``precision: auto`` of a recipe stands for here, said once."""
    recipes = [cell.job.cell.recipe for cell in session.plan.cells if cell.job is not None]
    lines = [f"precision: auto is {r.precision}, since {r.precision_reason}" for r in recipes if r.precision_reason]
    return [*dict.fromkeys(lines)]


def carry_out(session: Session, settings: RunSettings, command: str | None = None) -> Ran:
    """Run what is open, with progress on stderr, then write the report where records are younger.

    Where the suite adds seeds until its comparisons are decided, what is complete is looked at, and more is run.

    Args:
        command: for the records; None is the command line of this process.
    """
    command = command or command_line(sys.argv[1:])
    end = None if settings.minutes is None else time.monotonic() + 60 * settings.minutes
    with ExitStack() as stack:
        loggers: list[MetricLogger] = []
        if session.cells or session.plan.suite.seed_plan:
            loggers = make_loggers(settings.loggers, session.plan.suite.name, Path(settings.reports))
        for logger in loggers:
            stack.callback(logger.close)
        session, cells = _carry_out_open(session, settings, loggers, command, end)
        while settings.only is None and session.exit_code == DONE:
            plan = session.plan
            look = look_at(plan.suite, plan.folder)
            if look is None:
                break
            echo(f"{plan.suite.name}, {counted(len(plan.suite.seeds), 'seed')}: {look.text}", err=True)
            if look.following is None:
                break
            session = open_session(look.following, replace(settings, force=False))
            session, more = _carry_out_open(session, settings, loggers, command, end)
            cells += more
    plan = session.plan
    page = refresh_report(plan.folder, Path(settings.reports) / plan.suite.name) if settings.write_report else None
    return Ran(session, cells, page, settings)


def _carry_out_open(
    session: Session, settings: RunSettings, loggers: Sequence[MetricLogger], command: str, end: float | None
) -> tuple[Session, int]:
    """Run what is open until the monotonic clock is at ``end``; returns also how many cells that were."""
    cells = len(session.cells)
    if not cells:
        session.redeclare()
        return session, 0
    name = session.plan.suite.name
    with Progress() as progress:
        shown = ProgressWatcher(progress, name, len(session.jobs), len(session.plan.cells))
        watcher = Watchers(shown, MetricsWatcher(session.jobs, loggers)) if loggers else shown
        workers, seconds = workers_of(settings), None if end is None else end - time.monotonic()
        return session.run(workers, watcher, code_state(), command, cache_folder(), seconds, settings.retries), cells


def comparison(
    data: str,
    options: CompareOptions,
    settings: RunSettings,
    named: bool,
    keep: bool = True,
    changes: tuple[str, ...] = (),
) -> tuple[Suite, Path]:
    """The suite that compares models on ``data``, and its file in the results folder. The reasons go to stderr.

    Args:
        named: whether a person chose the name, so that none other may be taken.
        changes: of the suite, as ``Changes.settings``.
        keep: write the file; False for a dry run, which leaves nothing.
    """
    folder = Path(settings.results)
    with TemporaryDirectory() as temporary:
        place = folder if keep else Path(temporary)
        proposal = propose(data, options, place, Path(settings.data_root)).changed(changes)
        proposal = without_collision(proposal, folder, named=named)
        path = place / f"{proposal.name}.yaml"
        write_atomically(path, proposal.text)
        for reason in proposal.reasons:
            echo(reason, err=True)
        echo(f"suite: {folder / path.name}{'' if keep else ', which a run writes'}", err=True)
        return load_suite(path), folder / path.name


def quick_without_gpu(device: str) -> bool:
    """Whether the quick setting is the default for ``device``: on the CPU, and for ``auto`` without a GPU."""
    if device != "auto":
        return device == "cpu"
    import torch  # whether there is a GPU is for torch to say

    return not torch.cuda.is_available()
