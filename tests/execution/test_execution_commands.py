"""run, status, suite and verify, on suites of the fake system."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from trionet_bench.cli.main import main
from trionet_bench.execution import estimate
from trionet_bench.execution.pace import Pace
from trionet_bench.integrity.cells import recomputed_key
from trionet_bench.integrity.verify import verify
from trionet_bench.records.record import Record
from trionet_bench.records.store import write_record
from trionet_bench.reporting.manifest import write_files

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Everything in a folder of its own."""
    monkeypatch.chdir(tmp_path)


def bench(*arguments: object) -> Result:
    options = ["--device", "cpu", "--no-report"] if arguments[0] == "run" else []
    return CliRunner().invoke(main, [*map(str, arguments), *options])


def answer(*arguments: object) -> Any:
    return json.loads(bench(*arguments, "--json").stdout)


def test_run_then_run_again_then_status(suite_file: Write):
    path = suite_file({"a": {}, "b": {"shared": True}})
    first = answer("run", path)
    assert (first["ran"], first["counts"]) == (4, {"complete": 4, "failed": 0, "missing": 0, "stale": 0})
    assert {cell["state"] for cell in first["cells"]} == {"complete"}
    assert all(0 <= cell["metrics"]["test_top1"] <= 1 for cell in first["cells"])
    assert answer("run", path)["ran"] == 0
    stands = answer("status", path)
    assert stands["cells"] == first["cells"]
    assert [phase["done"] for phase in stands["phases"]] == [True, True]
    text = bench("status", path).stdout
    assert text.splitlines()[0] == "fakes: 4 of 4 cells complete"
    assert text.splitlines()[2].split() == ["digits", "4M", "a", "complete", "complete"]


def test_dry_run_says_what_it_would_do_and_does_nothing(
    suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(estimate, "measure_pace", lambda cell, resources: Pace(1e-9, 3e-9, 0.01))
    path = suite_file({"a": {}, "b": {"shared": True}})
    result = bench("run", path, "--dry-run")
    assert result.exit_code == 0
    summary = result.stdout.splitlines()
    assert summary[:2] == [
        "fakes: 0 of 4 cells complete, 4 missing",
        "would run 4 cells and 2 shared phases; --verbose lists them",
    ]
    assert len(summary) <= 10
    lines = bench("run", path, "--dry-run", "--verbose").stdout.splitlines()
    assert lines[:8] == [
        "fakes: 0 of 4 cells complete, 4 missing",
        "would run 4 cells and 2 shared phases",
        "would run digits b fakenet s0",
        "would run digits b fakenet s1",
        "would run digits a 4M s0",
        "would run digits b 4M s0",
        "would run digits a 4M s1",
        "would run digits b 4M s1",
    ]
    assert lines[8].startswith("|  | jobs |")
    assert any(line.startswith("system fake does not say") for line in summary)
    assert summary[-1].startswith("decoded images")
    assert not (tmp_path / "results").exists()
    bench("run", path, "--only", "model=a")
    assert len(answer("run", path, "--dry-run")["would_run"]) == 4


def test_only(suite_file: Write):
    path = suite_file({"a": {}, "b": {}})
    assert answer("run", path, "--only", "model=a,seed=1")["ran"] == 1
    assert answer("status", path)["counts"]["complete"] == 1
    assert bench("run", path, "--only", "modle=a").exit_code == 2
    assert bench("run", path, "--only", "model=z").exit_code == 2


def test_a_failing_cell_is_3_and_the_others_complete(suite_file: Write):
    path = suite_file({"a": {}, "b": {"fault": "raise"}})
    result = bench("run", path)
    assert result.exit_code == 3
    assert "failed: digits b 4M s0: ValueError: the loss is not finite" in result.stdout
    assert "digits a 4M s0: done in" in result.stderr
    assert answer("status", path)["counts"] == {"complete": 2, "failed": 2, "missing": 0, "stale": 0}
    again = bench("run", path)
    assert (again.exit_code, again.stderr) == (3, "")


def test_missing_data_are_4_and_the_others_complete(suite_file: Write):
    datasets = {"digits": {"source": "sklearn:digits"}, "cars": {"source": "folder:cars"}}
    path = suite_file({"a": {}}, datasets=datasets)
    result = bench("run", path)
    assert result.exit_code == 4
    assert "2 cells of data set cars cannot be run" in result.stderr
    assert answer("status", path)["counts"] == {"complete": 2, "failed": 0, "missing": 2, "stale": 0}
    assert bench("run", path, "--only", "dataset=!cars").exit_code == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sedes": [0]}, 'unknown key "sedes"'),
        ({"models": {"a": {"system": "fak"}}}, 'unknown system "fak"'),
        ({"datasets": {"d": {"source": "sklearn:faces"}}}, "digits"),
        ({"datasets": {"d": {"source": "nowhere:x"}}}, "nowhere"),
        ({"budgets": ["tiny"]}, '"tiny" is not a budget'),
        ({"models": {"a": {"system": "fake", "fault": "impossible"}}}, "No architecture of fake fits"),
    ],
)
def test_wrong_suites_are_2_before_anything_runs(suite_file: Write, tmp_path: Path, changes: Any, message: str):
    path = suite_file(**changes)
    result = bench("run", path)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "results").exists()
    assert bench("suite", "validate", path).exit_code == 2


@pytest.mark.parametrize("option", ["--json", "--dry-run"])
def test_data_that_would_spoil_a_result_are_4_before_anything_runs(suite_file: Write, tmp_path: Path, option: str):
    for name, value in (("black", 0), ("white", 255)):
        for part, count in (("train", 8), ("test", 2)):
            folder = tmp_path / "flat" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.new("L", (8, 8), value).save(folder / f"{number}.png")
    path = suite_file({"a": {}}, datasets={"flat": {"source": f"folder:{tmp_path / 'flat'}"}})
    result = bench("run", path, option)
    assert result.exit_code == 4
    assert "2 cells of data set flat cannot be run without it" in result.stderr
    assert not (tmp_path / "results/fakes/flat").exists()


def test_options_from_the_environment(suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_RESULTS", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TRIONET_BENCH_RUN_ONLY", "seed=1")
    assert answer("run", suite_file({"a": {}}))["ran"] == 1
    assert (tmp_path / "elsewhere/fakes/digits/a/4M-s1/record.json").exists()


def test_the_report_is_written_once_and_named(suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    written: list[Path] = []

    def write(folders: list[Path], out: Path, doubt: object) -> Path:
        written.append(out)
        write_files(out, {"index.html": b"page"}, ["fakes"], "")
        return out / "index.html"

    monkeypatch.setattr("trionet_bench.reporting.page.write_report", write)
    path = suite_file({"a": {}}, seeds=[0])
    for _ in range(2):
        result = CliRunner().invoke(main, ["run", str(path), "--device", "cpu"])
        assert result.stdout.splitlines()[-1] == "Report: reports/fakes/index.html"
    assert written == [Path("reports/fakes")]
    CliRunner().invoke(main, ["run", str(path), "--device", "cpu", "--force"])
    assert len(written) == 2


def test_a_suite_that_asks_for_less_is_reported_so(suite_file: Write, monkeypatch: pytest.MonkeyPatch):
    written = []

    def write(folders: list[Path], out: Path, doubt: object) -> Path:
        write_files(out, {"index.html": b"page"}, ["fakes"], "")
        written.append(json.loads((folders[0] / "suite.json").read_text())["expected"])
        return out / "index.html"

    monkeypatch.setattr("trionet_bench.reporting.page.write_report", write)
    for seeds in ([0, 1], [0], [0]):
        path = suite_file({"a": {}}, seeds=seeds)
        assert CliRunner().invoke(main, ["run", str(path), "--device", "cpu"]).exit_code == 0
    assert [len(expected) for expected in written] == [2, 1]


def test_suite_commands(suite_file: Write):
    path = suite_file({"a": {}})
    assert bench("suite", "validate", path).stdout == f"{path} is a valid suite of 2 cells.\n"
    assert bench("suite", "show", path).stdout == path.read_text()
    assert answer("suite", "show", path)["models"]["a"]["recipe"]["name"] == "quick"
    assert "quickstart" in [suite["name"] for suite in answer("suite", "list")["suites"]]
    assert json.loads(bench("suite", "schema").stdout)["properties"]["schema"]["const"] == 1
    missing = suite_file({"a": {}}, datasets={"d": {"source": "folder:none"}})
    assert bench("suite", "validate", missing).exit_code == 4


def test_verify_finds_nothing_in_what_was_just_made(suite_file: Write):
    bench("run", suite_file({"a": {}, "b": {"shared": True}, "c": {"fault": "raise"}}))
    verdict = answer("verify", "results")
    assert (verdict["records"], verdict["phases"], verdict["files"], verdict["faults"]) == (6, 2, 8, [])
    assert bench("verify", "results").stdout == "6 records and 2 shared phases verified: no fault\n"


def test_verify_knows_of_a_part_of_train(suite_file: Write):
    bench("run", suite_file({"a": {}}, datasets={"d": {"source": "sklearn:digits", "train_images": 400}}, seeds=[0]))
    assert answer("verify", "results")["faults"] == []
    record = Path("results/fakes/d/a/4M-s0/record.json")
    assert json.loads(record.read_text())["data"]["train_images"] == 400
    _edit(record, lambda r: r["data"].update(train_images=500))
    (fault,) = answer("verify", "results")["faults"]
    assert fault["message"] == "its key does not follow from its contents"


def _edit(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["recipe"].update(epochs=99), "its key does not follow from its contents"),
        (lambda r: r["options"].update(label="x"), "its key does not follow from its contents"),
        (lambda r: r.update(seed=1), "it is the record of digits/b/4M-s1"),
        (lambda r: r["artifacts"].update({"architecture.json": "0" * 64}), "is not the file that was written"),
        (lambda r: r["artifacts"].update({"model.safetensors": "0" * 64}), "model.safetensors is missing"),
        (lambda r: r["counts"].update(evaluated=359), "359 of 360 test images were evaluated"),
        (lambda r: r["metrics"].update(test_top1=0.5), "test_top1 is 0.5, but by predictions.npz"),
        (lambda r: r.update(macs=3_900_001), "adds up to 3900000, not to 3900001 MACs"),
        (lambda r: r["inputs"]["fakenet"].update(content="0" * 64), "its phase fakenet has been made anew"),
        (lambda r: r.update(schema=9), "record schema 9"),
    ],
)
def test_verify_names_each_fault(suite_file: Write, change: Callable[[dict[str, Any]], None], message: str):
    bench("run", suite_file({"b": {"shared": True}}, seeds=[0]))
    _edit(Path("results/fakes/digits/b/4M-s0/record.json"), change)
    result = bench("verify", "results")
    assert result.exit_code == 1
    assert "fakes/digits/b/4M-s0/record.json: " in result.stdout
    assert message in result.stdout


def test_verify_looks_into_phases_and_files(suite_file: Write):
    bench("run", suite_file({"b": {"shared": True}}, seeds=[0]))
    (phase,) = Path("results/fakes/phases").iterdir()
    (phase / "weights.safetensors").write_bytes(b"other weights")
    predictions = Path("results/fakes/digits/b/4M-s0/predictions.npz")
    with np.load(predictions) as stored:
        shorter = {name: array[:-1] for name, array in stored.items()}
    np.savez_compressed(predictions, **shorter)
    faults = {(fault.path, fault.message) for fault in verify(Path("results")).faults}
    name = phase.relative_to("results")
    assert (f"{name}/phase.json", "weights.safetensors is not the file that was written") in faults
    assert ("fakes/digits/b/4M-s0/record.json", "predictions.npz has 359 images, not 360") in faults


def test_a_key_can_be_recomputed_from_its_record(suite_file: Write):
    models = {"a": {"recipe": {"epochs": 3}, "space": {"windows": [3]}, "nested": {"depth": 4}}}
    bench("run", suite_file(models, seeds=[0]))
    record = Record.model_validate_json(Path("results/fakes/digits/a/4M-s0/record.json").read_bytes())
    assert recomputed_key(record) == record.key


def test_verify_reads_the_data_anew_where_asked(suite_file: Write, tmp_path: Path):
    generator = np.random.default_rng(0)
    for name in ("dark", "light"):
        for part, count in (("train", 8), ("test", 2)):
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = generator.integers(0, 256, (8, 8), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.bmp")
    suite = suite_file({"a": {}}, datasets={"photos": {"source": f"folder:{tmp_path / 'photos'}"}}, seeds=[0])
    bench("run", suite)
    (tmp_path / "photos" / "train" / "dark" / "notes.txt").write_text("")
    assert "left out: 1 file .txt: " in bench("run", suite, "--force", "--dry-run").stderr
    (tmp_path / "photos" / "train" / "dark" / "notes.txt").unlink()
    assert answer("verify", "results", "--data")["faults"] == []
    folder = Path("results/fakes/photos/a/4M-s0")
    record = Record.model_validate_json((folder / "record.json").read_bytes())
    for split in ("0" * 64, record.data["split"]):
        (folder / "record.json").unlink()
        write_record(folder, record.model_copy(update={"data": {**record.data, "split": split}}))
        faults = [fault["message"] for fault in answer("verify", "results", "--data")["faults"]]
        wrong = split != record.data["split"]
        assert faults == ["its split is not the one that its seed draws from its data"] * wrong
    one, other = (tmp_path / "photos" / "test" / name / "0.bmp" for name in ("dark", "light"))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    assert answer("verify", "results")["faults"] == []
    (fault,) = answer("verify", "results", "--data")["faults"]
    assert fault["message"].endswith("are not those that it was made of")


def test_a_changed_run_is_another_study_and_more_seeds_are_the_same_one(suite_file: Write):
    path = suite_file({"a": {}})
    assert answer("run", path)["ran"] == 2
    more = answer("run", path, "--seeds", 3)
    assert (more["suite"], more["ran"]) == ("fakes", 1)  # the seeds that are there are kept
    changed = answer("run", path, "--set", "models.a.label=other", "--name", "others")
    assert (changed["suite"], changed["ran"]) == ("others", 2)
    for named in ("others", "results/others"):
        assert bench("status", named).stdout.splitlines()[0] == "others: 2 of 2 cells complete"
    assert bench("status", "other").exit_code == 2
    wrong = bench("run", path, "--set", "models.a.lable=other")
    assert wrong.exit_code == 2
    assert wrong.stderr == (
        'Error: --set models.a.lable=other: unknown key "lable" in model "a"; did you mean "label"?\n'
    )


@pytest.mark.parametrize(("margin", "seeds", "said"), [(200, [2], "1 of 1"), (0.001, [2, 3, 4], "0 of 1")])
def test_seeds_are_added_until_all_is_decided(suite_file: Write, margin: float, seeds: list[int], said: str):
    comparison = {"baseline": "a", "candidates": ["b"], "margin": margin}
    planned = {"start": 2, "most": 4, "until": "decided"}
    models: dict[str, dict[str, object]] = {"a": {"label": "one"}, "b": {"label": "two"}, "c": {"label": "three"}}
    path = suite_file(models, seeds=planned, comparisons=[comparison])
    done = bench("run", path, "--json")
    assert json.loads(done.stdout)["ran"] == 3 * seeds[-1]
    told = [line for line in done.stderr.splitlines() if line.startswith("fakes, ")]
    assert [line.partition(":")[0] for line in told] == [f"fakes, {count} seeds" for count in seeds]
    assert f"{said} comparison decided" in told[-1]
    looks = json.loads(Path("results/fakes/suite.json").read_text())["looks"]
    assert (looks["planned"], looks["seeds"], looks["taken"]) == ([2, 3, 4], seeds[-1], len(seeds))
    again = bench("run", path, "--json")  # it goes on from the last look, and finds nothing to be done
    assert json.loads(again.stdout)["ran"] == 0
    assert len([line for line in again.stderr.splitlines() if line.startswith("fakes, ")]) == 1
    assert answer("status", path)["counts"]["complete"] == 3 * seeds[-1]


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([0], "What it can decide: nothing. One seed shows no error to compare a difference with; --seeds 5 would"),
        # t of (3 - 1)(5 - 1) = 8 degrees of freedom at 97.5 % is 2.306; times the root of 2/5
        ([0, 1, 2, 3, 4], "What it can decide: 3 models on 1 data set, 5 seeds: a difference is known to ± 1.5 sd"),
    ],
)
def test_a_check_says_what_the_study_can_decide(suite_file: Write, seeds: list[int], said: str):
    path = suite_file({"a": {}, "b": {}, "c": {}}, seeds=seeds, comparisons=[{"baseline": "a", "candidates": ["b"]}])
    lines = bench("suite", "validate", path).stdout.splitlines()
    assert lines[1].startswith(said)
    found = answer("suite", "validate", path)["resolution"]
    assert (found and found["df"]) == (8 if len(seeds) == 5 else None)


def test_noise_of_earlier_runs_is_told_in_points(suite_file: Write):
    models: dict[str, dict[str, object]] = {"a": {"label": "one"}, "b": {"label": "two"}}
    path = suite_file(models, comparisons=[{"baseline": "a", "candidates": ["b"]}])
    bench("run", path)
    assert "points in the records that are there" in bench("suite", "validate", path).stdout.splitlines()[-1]


def test_a_part_of_a_suite_is_a_study_and_grows(suite_file: Write):
    path = suite_file({"a": {}, "b": {}}, seeds=[0, 1], comparisons=[{"baseline": "a", "candidates": ["b"]}])

    def declared(*only: str) -> list[tuple[str, int]]:
        assert bench("run", path, *only).exit_code == 0
        expected = json.loads(Path("results/fakes/suite.json").read_text())["expected"]
        return [(cell["model"], cell["seed"]) for cell in expected]

    assert declared("--only", "seed=0") == [("a", 0), ("b", 0)]
    assert declared("--only", "seed=1,model=b") == [("a", 0), ("b", 0), ("b", 1)]  # what is there stays
    assert declared() == [("a", 0), ("b", 0), ("a", 1), ("b", 1)]
