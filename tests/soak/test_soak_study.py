"""What the soak does with files of a real study: it is trained once here, and read as each kind of input."""

import random
import shutil
from importlib import import_module
from pathlib import Path

import pytest

from tests.soak import inputs, memory, warm
from tests.soak.input_kinds import KINDS
from tests.soak.study import Study
from trionet_bench.reporting import page

CHANGED = 1  # inputs of each kind


@pytest.fixture(autouse=True, scope="module")
def _reports_without_content():
    """Tables and figures take longer than all else, and no input changes which there are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "TABLES", ())
        patch.setattr(page, "FIGURES", ())
        yield


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Trained, searched, verified and reported, as part ``memory`` does it again and again."""
    made = Study.at(home := tmp_path_factory.mktemp("soak"), home / "study")
    memory._once(made)
    shutil.copy(home / "suite.yaml", made.folder)
    return made


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_has_a_valid_example_and_what_is_changed_in_it_is_used_or_refused(
    name: str, study: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    for limit in ("_SECONDS", "_WAITED"):
        monkeypatch.setattr(inputs, limit, 0)  # signals would end the tests
    kind = KINDS[name]
    file = kind.build(tmp_path, study.folder)
    valid = file.read_bytes()
    assert inputs._answer(kind, tmp_path, file, 0).answer == "accepted"
    for number in range(CHANGED):
        file.write_bytes(kind.change(valid, random.Random(f"0 {name} {number}")))
        read = inputs._answer(kind, tmp_path, file, number)
        assert read.fault is None
        assert read.answer in ("accepted", *(f"exit code {code}" for code in kind.codes))


def test_what_is_imported_before_there_are_forks_is_there():
    for module in (*warm.MODULES, *inputs.MODULES):
        import_module(module)
    assert callable(import_module("trionet_bench.execution.session").worker_context)
