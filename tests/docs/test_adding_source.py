"""The source of docs/adding-source.md works as it stands there: in one file outside the package."""

import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.source_battery import SOURCE_CHECKS, torch_was_imported
from support.source_cases import SourceCase

from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.data.sources.uri import as_uri
from trionet_bench.execution.plan import make_plan
from trionet_bench.suite.specification import load_suite

GUIDE = Path(__file__).parents[2] / "docs" / "adding-source.md"
SUITE = """
schema: 1
name: letters
datasets:
  letters: {source: "drawings:letters.drawings"}
space: resnet-nano
recipe: quick
budgets: [3M]
models:
  conv: {system: standalone, operator: conv}
seeds: [0]
"""


def write_drawings(root: Path, variant: int) -> str:
    shapes = {"plus": (".#./###/.#.", "##./###/.#."), "minus": (".../###/...", ".../##./...")}
    lines = [
        f"{part} {name} {drawings[number % 2 * variant]}"
        for part, count in (("train", 10), ("test", 4))
        for name, drawings in shapes.items()
        for number in range(count)
    ]
    (root / "letters.drawings").write_text("\n".join(lines) + "\n")
    return "drawings:letters.drawings"


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside the package that holds the file of the guide, which is imported."""
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "drawings.py").write_text(block)
    monkeypatch.syspath_prepend(folder)
    importlib.import_module("drawings")
    yield folder
    SOURCES.unregister("drawings")
    del sys.modules["drawings"]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_source_of_the_guide_passes_the_battery(check: Callable[[SourceCase, Path], None], tmp_path: Path):
    check(SourceCase(write_drawings), tmp_path)


@pytest.mark.usefixtures("outside")
def test_its_images_and_its_option(tmp_path: Path):
    uri = write_drawings(tmp_path, 0)
    index = open_source(f"{uri}?ink=100", base=tmp_path)
    assert index.classes == ("minus", "plus")
    assert index.arrays("test")[:, 1, 0, 0].tolist() == [100] * 8  # the middle row begins with ink in both shapes
    assert as_uri(str(tmp_path / "letters.drawings")) == f"drawings:{tmp_path / 'letters.drawings'}"


@pytest.mark.usefixtures("outside")
def test_a_suite_takes_it_by_its_uri(tmp_path: Path):
    write_drawings(tmp_path, 0)
    (tmp_path / "letters.yaml").write_text(SUITE)
    plan = make_plan(load_suite(tmp_path / "letters.yaml"), tmp_path / "results", tmp_path)
    assert not plan.absent
    (planned,) = plan.cells
    assert planned.job is not None
    assert planned.job.cell.data.index.counts == {"train": 20, "test": 8}


def test_opening_it_imports_no_torch(outside: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", str(outside), prepend=":")
    assert not torch_was_imported([write_drawings(tmp_path, 0)], tmp_path, imports=["drawings"])
