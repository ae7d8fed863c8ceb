"""The studies that benchmarks measure: variants of the shipped quickstart, opened as a run opens them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from trionet_bench.errors import UsageError
from trionet_bench.execution.plan import make_plan
from trionet_bench.jsontypes import JsonObject
from trionet_bench.suite.specification import load_suite
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.training_context import AnyTrainingContext, TrainingContext

Keys = JsonObject  # of a suite file


def write_suite(folder: Path, changes: Keys) -> Path:
    """A suite file of these keys in ``folder``."""
    path = folder / f"{changes['name']}.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, **changes}, sort_keys=False))
    return path


@contextmanager
def opened(changes: JsonObject, model: str, device: str, data_root: Path | None = None) -> Iterator[AnyTrainingContext]:
    """The first cell of ``model`` in a suite of these keys, its images loaded, in a temporary folder.

    DataError where the data are missing.
    """
    with TemporaryDirectory() as folder:
        suite = write_suite(Path(folder), changes)
        with opened_suite(str(suite), model, device, data_root) as context:
            yield context


@contextmanager
def opened_suite(suite: str, model: str, device: str, data_root: Path | None = None) -> Iterator[AnyTrainingContext]:
    """The same of a suite by its name or path; UsageError where it has no such model."""
    with TemporaryDirectory() as folder:
        here = Path(folder)
        plan = make_plan(load_suite(suite), here / "results", data_root)
        plan.check_data()
        jobs = [planned.job for planned in plan.cells if planned.name.model == model]
        if not jobs:
            raise UsageError(f"{suite}: no model of the suite is called {model}, which this benchmark measures.")
        job = jobs[0]
        assert job is not None  # no data set is absent
        yield TrainingContext.open(job.cell, RunContext(here, device=device))
