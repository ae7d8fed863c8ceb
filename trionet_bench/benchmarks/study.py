"""The studies that benchmarks measure: variants of the shipped quickstart, opened as a run opens them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from trionet_bench.execution.plan import make_plan
from trionet_bench.suite.specification import load_suite
from trionet_bench.systems.cell import Cell, Workplace
from trionet_bench.systems.retraining import Bench


def write_suite(folder: Path, changes: dict[str, Any]) -> Path:
    """A suite file of these keys in ``folder``."""
    path = folder / f"{changes['name']}.yaml"
    path.write_text(yaml.safe_dump({"schema": 1, **changes}, sort_keys=False))
    return path


@contextmanager
def opened(changes: dict[str, Any], model: str, device: str, data_root: Path | None = None) -> Iterator[Bench]:
    """The first cell of ``model`` in a suite of these keys, its images loaded, in a temporary folder.

    DataError where the data are missing.
    """
    with TemporaryDirectory() as folder:
        here = Path(folder)
        plan = make_plan(load_suite(str(write_suite(here, changes))), here / "results", data_root)
        for error in plan.absent.values():
            raise error
        cell = next(planned.cell for planned in plan.cells if planned.name.model == model)
        assert isinstance(cell, Cell)
        yield Bench.open(cell, Workplace(here, device=device))
