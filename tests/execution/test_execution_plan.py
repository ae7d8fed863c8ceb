"""Which cells are done, open or stale, and how fast that is known."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_runs import run

from trionet_bench.errors import UsageError
from trionet_bench.execution.declaration import declare
from trionet_bench.execution.jobs import CellJob, CellName
from trionet_bench.execution.plan import Plan, check_cells, make_plan, parse_only
from trionet_bench.execution.session import Session
from trionet_bench.execution.worker import RunRequest, failed_record
from trionet_bench.integrity.provenance import command_line
from trionet_bench.records.layout import cell_folder
from trionet_bench.records.record import Code, Environment, Failure, Input, Record
from trionet_bench.records.redaction import anonymous
from trionet_bench.records.store import write_record
from trionet_bench.suite.specification import load_suite

Write = Callable[..., Path]
NOBODY = Environment(
    python="", torch="", torchvision="", numpy="", platform="", cpu="", cores=1, device="cpu", device_name=""
)


REQUEST = RunRequest(Path("results"), "full", Code(version="0", commit=None, dirty=None), "test")


def failed(job: CellJob | None, key: str | None, message: str = "") -> Record:
    assert job is not None
    assert key is not None
    return failed_record(job, key, REQUEST, Failure(type="E", message=message, traceback=""), NOBODY, T)


def pretend_all_done(plan: Plan) -> None:
    """Complete records with the right keys for all cells without phases."""
    for planned in plan.cells:
        record = failed(planned.job, planned.key).model_copy(update={"status": "complete", "error": None})
        planned.folder.mkdir(parents=True)
        (planned.folder / "record.json").write_text(record.model_dump_json(by_alias=True))


T = "2026-01-01T00:00:00+00:00"


def test_order_is_seed_by_seed_and_every_cell_is_there(suite_file: Write, tmp_path: Path):
    suite = load_suite(suite_file({"a": {}, "b": {}}, budgets=["4M", "8M"]))
    names = [cell.name for cell in make_plan(suite, tmp_path).cells]
    assert names[:3] == [
        ("digits", "a", 4_000_000, 0),
        ("digits", "b", 4_000_000, 0),
        ("digits", "a", 8_000_000, 0),
    ]
    assert len(set(names)) == 2 * 2 * 2


def test_a_key_depends_on_what_matters_and_on_nothing_else(suite_file: Write, tmp_path: Path):
    def key(models: dict[str, dict[str, object]] | None = None, **changes: object) -> str | None:
        return make_plan(load_suite(suite_file(models, **changes)), tmp_path).cells[0].key

    usual = key()
    assert usual is not None
    same = [
        key({"renamed": {}}),
        key(name="other"),
        key(datasets={"else": {"source": "sklearn:digits"}}),
        key(budgets=[4_000_000, "9M"]),
        key(seeds=[0, 5]),
        key(title="a title"),
    ]
    different = [
        key({"one": {"label": "other"}}),
        key({"one": {"recipe": {"epochs": 3}}}),
        key({"one": {"space": {"windows": [3]}}}),
        key(budgets=["5M"]),
        key(seeds=[7]),
        key(datasets={"digits": {"source": "sklearn:digits", "val": 0.2}}),
        key(datasets={"digits": {"source": "sklearn:digits", "resolution": 20}}),
        key(recipe={"base": "quick", "resolution": 18}),
    ]
    assert set(same) == {usual}
    assert len({usual, *different}) == len(different) + 1


def test_states_of_cells(suite_file: Write, tmp_path: Path):
    results = tmp_path / "results"
    suite = load_suite(suite_file({"a": {}}, seeds=[0, 1, 2, 3]))
    plan = make_plan(suite, results)
    pretend_all_done(plan)
    plan.cells[1].folder.joinpath("record.json").unlink()
    for number, key in ((2, plan.cells[2].key), (3, "0" * 64)):
        folder = plan.cells[number].folder
        (folder / "record.json").unlink()
        write_record(folder, failed(plan.cells[number].job, key, "m"))
    states = [cell.state for cell in make_plan(suite, results).cells]
    assert states == ["complete", "missing", "failed", "stale"]
    changed = load_suite(suite_file({"a": {"label": "new"}}, seeds=[0, 1, 2, 3]))
    assert [cell.state for cell in make_plan(changed, results).cells] == ["stale", "missing", "stale", "stale"]


def test_a_torn_record_is_named_and_counts_as_missing(
    suite_file: Write, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    suite = load_suite(suite_file({"a": {}}))
    folder = cell_folder(tmp_path, "fakes", "digits", "a", 4_000_000, 1)
    folder.mkdir(parents=True)
    (folder / "record.json").write_text('{"schema": 1, "key": ')
    assert [cell.state for cell in make_plan(suite, tmp_path).cells] == ["missing", "missing"]
    assert f"{folder / 'record.json'} is not a readable record" in caplog.text


def test_cells_of_an_open_phase_have_no_key(suite_file: Write, tmp_path: Path):
    models = {"a": {"shared": True, "label": "a"}, "b": {"shared": True, "label": "b"}, "c": {}}
    plan = make_plan(load_suite(suite_file(models, budgets=["4M", "8M"])), tmp_path)
    assert len(plan.phases) == 2  # one for each seed, whatever model and budget
    assert [cell.key is None for cell in plan.cells[:3]] == [True, True, False]
    assert {cell.state for cell in plan.cells} == {"missing"}


def test_a_cell_whose_phase_was_deleted_stays_complete(suite_file: Write, tmp_path: Path):
    suite = load_suite(suite_file({"a": {"shared": True}}, seeds=[0]))
    plan = make_plan(suite, tmp_path)
    planned = plan.cells[0]
    assert planned.job is not None
    (phase,) = planned.job.phases
    job = planned.job.on({"fakenet": Input(key=phase.key, content="c" * 64, path="phases/gone")})
    key = planned.job.cell.key({"fakenet": "c" * 64})
    assert job.key == key
    write_record(planned.folder, failed(job, key).model_copy(update={"status": "complete", "error": None}))
    assert make_plan(suite, tmp_path).cells[0].state == "complete"
    assert make_plan(suite, tmp_path).cells[0].key == key
    assert key != job.stand_in_key


def test_missing_data_are_told_and_the_rest_goes_on(suite_file: Write, tmp_path: Path):
    datasets = {"digits": {"source": "sklearn:digits"}, "cars": {"source": "folder:no/such/place"}}
    suite = load_suite(suite_file({"a": {}}, datasets=datasets))
    plan = make_plan(suite, tmp_path)
    assert list(plan.absent) == ["cars"]
    assert [cell.job is None for cell in plan.cells] == [False, True, False, True]
    assert not make_plan(suite, tmp_path, select=parse_only("dataset=!cars", suite)).absent


def test_missing_weights_are_told_and_the_rest_goes_on(suite_file: Write, tmp_path: Path):
    models = {"a": {}, "b": {"system": "pretrained", "weights": "no/such/cell"}}
    suite = load_suite(suite_file(models))
    plan = make_plan(suite, tmp_path)
    assert list(plan.lacking) == ["b"] and not plan.absent
    assert [cell.job is None for cell in plan.cells] == [False, True, False, True]
    assert not make_plan(suite, tmp_path, select=parse_only("model=!b", suite)).lacking
    missing = Session(plan, False, False).missing_data()
    assert [(name, count) for name, (_, count) in missing.items()] == [("model b", 2)]
    assert Session(plan, False, False).exit_code == 4


def test_unknown_data_set_names_file_and_line(suite_file: Write, tmp_path: Path):
    path = suite_file(datasets={"digits": {"source": "sklearn:digit"}})
    with pytest.raises(UsageError, match=rf'{path}:5: sklearn:digit: .*"digit"; did you mean "digits"'):
        make_plan(load_suite(path), tmp_path)


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        ("model=conv", {"conv"}),
        ("model=*l", {"local", "axial"}),
        ("model=conv,model=local", {"conv", "local"}),
        ("model=!conv", {"local", "axial"}),
        ("model=*l,model=!local", {"axial"}),
        ("model=conv, seed=1", {"conv"}),
        ("budget=4M", {"conv", "local", "axial"}),
    ],
)
def test_only(suite_file: Write, only: str, expected: set[str]):
    suite = load_suite(suite_file({"conv": {}, "local": {}, "axial": {}}))
    select = parse_only(only, suite)
    assert {m for m in suite.models if select(CellName("digits", m, 4_000_000, 1))} == expected
    if "seed" in only:
        assert not select(CellName("digits", "conv", 4_000_000, 0))


@pytest.mark.parametrize(
    ("only", "message"),
    [
        ("modle=conv", 'unknown key "modle"; did you mean "model"?'),
        ("conv", 'has no "="'),
        ("model=convv", 'no model is like "convv"; there are conv.'),
        ("model=!convv", "no model is like"),
    ],
)
def test_wrong_only(suite_file: Write, only: str, message: str):
    with pytest.raises(UsageError) as caught:
        parse_only(only, load_suite(suite_file({"conv": {}})))
    assert message in str(caught.value)


def test_a_system_can_refuse_its_cells_before_anything_runs(suite_file: Write, tmp_path: Path):
    plan = make_plan(load_suite(suite_file({"a": {}, "b": {"fault": "impossible"}})), tmp_path)
    with pytest.raises(UsageError, match="No architecture of fake fits"):
        check_cells(cell.job for cell in plan.cells if cell.job)
    check_cells(cell.job for cell in plan.cells if cell.job and cell.name.model == "a")


def test_a_finished_suite_of_1000_cells_is_known_without_torch(suite_file: Write, tmp_path: Path):
    path = suite_file({name: {} for name in "abcde"}, seeds=list(range(200)))
    plan = make_plan(load_suite(path), tmp_path / "results")
    pretend_all_done(plan)
    script = (
        "import sys, support.fake_system\n"
        "from pathlib import Path\n"
        "from trionet_bench.execution.plan import make_plan\n"
        "from trionet_bench.suite.specification import load_suite\n"
        "print(make_plan(load_suite(sys.argv[1]), Path(sys.argv[2])).counts()['complete'], 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(tmp_path / "results")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1000", "False"]


def test_commands_are_kept_without_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    assert command_line(["run", f"{tmp_path}/my suite.yaml"]) == "trionet-bench run 'my suite.yaml'"
    assert anonymous(f"{Path.home()}/x") == "~/x"


def test_suite_declaration_for_the_report(suite_file: Write, tmp_path: Path):
    suite = load_suite(
        suite_file({"a": {"shared": True}, "b": {}}, seeds=[3], comparisons=[{"baseline": "a", "candidates": ["b"]}])
    )
    plan = make_plan(suite, tmp_path)
    declare(plan)
    declared = json.loads((tmp_path / "fakes" / "suite.json").read_text())
    assert declared["comparisons"] == [{"metric": "test_top1", "baseline": "a", "candidates": ["b"], "margin": None}]
    assert declared["expected"] == [
        {"dataset": "digits", "model": "a", "budget": 4_000_000, "seed": 3},
        {"dataset": "digits", "model": "b", "budget": 4_000_000, "seed": 3, "key": plan.cells[1].key},
    ]
    assert (tmp_path / "fakes" / "suite.yaml").read_text() == suite.document.text


def test_a_part_of_a_changed_suite_leaves_out_what_the_suite_was_before(suite_file: Write, tmp_path: Path):
    run(suite_file({"a": {"label": "old"}, "b": {"label": "old"}, "c": {}}, seeds=[0]), tmp_path)
    changed = suite_file({"a": {"label": "new"}, "b": {"label": "new"}, "c": {}}, seeds=[0])
    suite = load_suite(changed)
    declare(make_plan(suite, tmp_path, select=parse_only("model=a", suite)))
    expected = json.loads((tmp_path / "fakes/suite.json").read_text())["expected"]
    assert [cell["model"] for cell in expected] == ["a", "c"]
    assert {cell["model"]: cell["key"] for cell in expected}.keys() == {"a", "c"}
