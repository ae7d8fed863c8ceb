"""Files in a results folder that are torn, empty or something else: each costs what it held, and nothing more."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.fake_runs import essence, run

from trionet_bench.errors import StoreError
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import open_cells
from trionet_bench.records.store import digest
from trionet_bench.suite.specification import load_suite

Write = Callable[..., Path]

DAMAGES: dict[str, Callable[[Path], None]] = {
    "torn": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b'{"schema": 1, "name": "of something else"}'),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00" * 30),
    "nested": lambda path: path.write_bytes(b"[" * 100_000),
}


def suite(suite_file: Write) -> Path:
    return suite_file({"one": {"shared": True, "trace": "trace"}, "two": {"label": "other"}}, seeds=[0])


@pytest.fixture
def finished(suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of a suite that was run without a mishap."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path / "results"
    run(suite(suite_file), results)
    return results


@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize(
    ("pattern", "made_again"),
    [("digits/two/*/record.json", {"two"}), ("phases/*/phase.json", set()), ("suite.json", set())],
)
def test_a_damaged_record_of_a_cell_phase_or_suite_is_made_again(
    suite_file: Write, finished: Path, pattern: str, made_again: set[str], kind: str
):
    before = essence(finished)
    (path,) = (finished / "fakes").glob(pattern)
    DAMAGES[kind](path)
    content = path.read_bytes()
    again = run(suite(suite_file), finished)
    assert again.counts()["complete"] == 2
    assert essence(finished) == before
    if path.name == "record.json":
        assert path.with_name("record.json.damaged").read_bytes() == content
    if path.name == "suite.json":
        assert json.loads(path.read_text())["name"] == "fakes"


@pytest.mark.parametrize("name", ["phase.json", "weights.safetensors"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_phase_with_a_damaged_file_is_made_again_for_the_cell_that_needs_it(
    suite_file: Write, finished: Path, name: str, kind: str, caplog: pytest.LogCaptureFixture
):
    before = essence(finished)
    (finished / "fakes/digits/one/4M-s0/record.json").unlink()
    (path,) = (finished / "fakes").glob(f"phases/*/{name}")
    DAMAGES[kind](path)
    damaged = path.read_bytes()
    assert run(suite(suite_file), finished).counts()["complete"] == 2
    assert essence(finished) == before
    assert path.read_bytes() != damaged
    assert str(path.parent) in caplog.text
    assert path.with_name("phase.json.damaged").is_file()


def test_force_helps_where_everything_is_damaged(suite_file: Write, finished: Path):
    before = essence(finished)
    files = [path for path in finished.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(b"torn")
    run(suite(suite_file), finished, force=True)
    assert essence(finished) == before


@pytest.mark.parametrize("linked", ["fakes/digits/a/4M-s0", "fakes/digits/a", "fakes"])
def test_a_link_that_leads_out_of_the_results_is_not_written_through(suite_file: Write, tmp_path: Path, linked: str):
    path = suite_file({"a": {}}, seeds=[0])
    outside = tmp_path / "outside"
    kept = outside / Path("fakes/digits/a/4M-s0").relative_to(linked) / "kept.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    link = tmp_path / "results" / linked
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    with pytest.raises(StoreError, match=r"4M-s0 leads to .*outside.*, outside of the results folder"):
        run(path, tmp_path / "results")
    assert kept.read_text() == "mine"
    assert [file.name for file in kept.parent.iterdir() if file.name != ".claims"] == ["kept.txt"]


def test_links_of_files_in_the_results_are_not_followed(suite_file: Write, tmp_path: Path):
    path, results = suite_file({"a": {}}, seeds=[0]), tmp_path / "results"
    (job,) = open_cells(make_plan(load_suite(path), results))
    job.folder.mkdir(parents=True)
    (job.folder / ".attempt").write_text(digest([job.key, {}]))  # so that the rest is taken for that of an interruption
    names = ["log.txt", "predictions.npz", "history.jsonl", "record.json.tmp"]
    for name in names:
        (tmp_path / f"outside {name}").write_text("mine")
        (job.folder / name).symlink_to(tmp_path / f"outside {name}")
    assert run(path, results).counts()["complete"] == 1
    assert [(tmp_path / f"outside {name}").read_text() for name in names] == ["mine"] * len(names)
    assert not any(file.is_symlink() for file in job.folder.iterdir())


def test_a_killed_attempt_leaves_no_draft(suite_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results/fakes/digits/two/4M-s0"
    folder.mkdir(parents=True)
    (folder / ".retrain.checkpoint.0a1b2c3d.tmp").write_bytes(b"half of a checkpoint")
    assert run(suite(suite_file), tmp_path / "results").counts()["complete"] == 2
    assert not list(folder.glob(".*"))
