"""The system of docs/adding-system.md works as it stands there: in one file outside the package, by one variable."""

import importlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.guides import block_of
from support.system_battery import SYSTEM_CHECKS, Case
from support.tiny import cell

from trionet_bench.cli.main import main
from trionet_bench.integrity.verify import verify
from trionet_bench.systems.registry import SYSTEMS


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside the package with the file of the guide, which is a plugin."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "lottery.py").write_text(block_of("adding-system.md", "python"))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parents[2]}:{folder}")
    monkeypatch.setenv("TRIONET_BENCH_PLUGINS", "lottery")
    importlib.import_module("lottery")
    yield folder
    SYSTEMS.unregister("lottery")
    del sys.modules["lottery"]


@pytest.mark.usefixtures("outside")
@pytest.mark.parametrize("check", SYSTEM_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_the_system_of_the_guide_passes_the_battery(check: Callable[[Case, Path], None], tmp_path: Path):
    check((cell("lottery"), cell("lottery", budget=1000)), tmp_path)


@pytest.mark.usefixtures("outside")
def test_the_suite_of_the_guide_runs_to_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("lottery.yaml").write_text(block_of("adding-system.md", "yaml"))
    done = CliRunner().invoke(main, ["run", "lottery.yaml", "--device", "cpu", "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["counts"] == {"complete": 2, "failed": 0, "missing": 0, "stale": 0}
    assert "lottery" in Path(answer["report"]).read_text()
    assert verify(Path("results")).faults == ()
