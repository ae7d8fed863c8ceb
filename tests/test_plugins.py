"""Plugins that the environment names."""

import subprocess
import sys
from pathlib import Path

import pytest

from trionet_bench.errors import UsageError
from trionet_bench.plugins import load_plugins, plugin_modules


@pytest.fixture(autouse=True)
def _fresh() -> None:
    load_plugins.cache_clear()


def test_names_are_separated_by_commas_and_each_counts_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_PLUGINS", " one, two.three ,,one")
    assert plugin_modules() == ("one", "two.three")
    monkeypatch.delenv("TRIONET_BENCH_PLUGINS")
    assert plugin_modules() == ()


@pytest.mark.parametrize("name", ["no_such_module", "trionet_bench.no_such_module", "no_such_package.module"])
def test_a_plugin_that_does_not_exist_is_named(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_PLUGINS", name)
    with pytest.raises(UsageError, match=f"there is no module {name}, which TRIONET_BENCH_PLUGINS names"):
        load_plugins()


def test_what_a_plugin_lacks_itself_is_not_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "lacking_plugin.py").write_text("import something_that_is_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("TRIONET_BENCH_PLUGINS", "lacking_plugin")
    with pytest.raises(ModuleNotFoundError, match="something_that_is_not_installed"):
        load_plugins()


def test_the_command_line_imports_plugins(tmp_path: Path):
    (tmp_path / "printing_plugin.py").write_text("print('imported')\n")
    done = subprocess.run(
        [sys.executable, "-m", "trionet_bench", "suite", "list"],
        env={"TRIONET_BENCH_PLUGINS": "printing_plugin", "PYTHONPATH": f"{Path(__file__).parents[1]}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "imported"
