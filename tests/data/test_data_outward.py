"""Tables, saved sets and sets of the hub lead to no file but their own, run no code and fill no disk."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.pictures import pngs

from trionet_bench.data.sources.fetch import fetch
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError, UsageError


@pytest.fixture(autouse=True)
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "datasets")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def write_images(folder: Path, count: int = 12) -> None:
    folder.mkdir(parents=True)
    for number, png in enumerate(pngs(count)):
        (folder / f"{number}.png").write_bytes(png)


def write_table(path: Path, paths: list[str]) -> None:
    rows = [f"{name},{'ab'[number % 2]}" for number, name in enumerate(paths)]
    path.write_text("\n".join(["path,label", *rows]))


@pytest.mark.parametrize(
    "outward",
    [
        "../elsewhere/0.png",
        "inside/../../elsewhere/0.png",
        "{root}/elsewhere/0.png",
        "link.png",
        "linked/0.png",
        "..\\elsewhere\\0.png",
    ],
)
def test_a_table_leads_to_no_file_outside_of_its_folder(tmp_path: Path, outward: str):
    write_images(tmp_path / "elsewhere", 1)
    write_images(tmp_path / "set/inside")
    (tmp_path / "set/link.png").symlink_to(tmp_path / "elsewhere/0.png")
    (tmp_path / "set/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "set/within.png").symlink_to(tmp_path / "set/inside/11.png")
    inside = [*(f"inside/{number}.png" for number in range(11)), "within.png"]
    write_table(tmp_path / "set/t.csv", inside)
    assert sum(open_source("csv:set/t.csv", base=tmp_path).counts.values()) == 12
    write_table(tmp_path / "set/t.csv", [*inside, outward.format(root=tmp_path)])
    with pytest.raises(DataError, match=r"line 14 of .*t\.csv leads outside of .*elsewhere/0\.png.*\?root="):
        open_source("csv:set/t.csv", base=tmp_path)
    folder = ".." if "root" not in outward else str(tmp_path)  # the way out that the message names
    paths = [f"set/{path}" for path in inside] + ["elsewhere/0.png"]
    write_table(tmp_path / "set/t.csv", paths)
    assert sum(open_source(f"csv:set/t.csv?root={folder}", base=tmp_path).counts.values()) == 13


def write_parquet(folder: Path, cells: list[dict[str, object]] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    cells = cells or [{"bytes": png, "path": None} for png in pngs(12)]
    table = pa.table({"image": cells, "label": [number % 2 for number in range(len(cells))]})
    pq.write_table(table, folder / "train-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("path", ["../elsewhere/0.png", "{root}/elsewhere/0.png"])
def test_a_cell_leads_to_no_file_outside_of_its_folder(tmp_path: Path, path: str):
    write_images(tmp_path / "elsewhere", 1)
    write_images(tmp_path / "p/images")
    cells = [{"bytes": None, "path": f"images/{number}.png"} for number in range(1, 12)]
    write_parquet(tmp_path / "p", [*cells, {"bytes": None, "path": path.format(root=tmp_path)}])
    index = open_source("hf:p", base=tmp_path)
    (outward,) = (
        (part, position) for part, rows in index.reader.rows.items() for position, row in enumerate(rows) if row == 11
    )
    with pytest.raises(OSError, match="lies outside of"):
        index.read(*outward)


CARD = "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: {path}\n---\n# A set\n"


@pytest.mark.parametrize(
    "path",
    [
        "../q/train-00000-of-00001.parquet",
        "'{root}/q/*.parquet'",
        "[a.parquet, http://localhost:9/a.parquet]",
        "zip://a.parquet::b.zip",
    ],
)
def test_a_card_names_no_file_outside_of_its_folder(tmp_path: Path, path: str):
    write_parquet(tmp_path / "q")
    folder = write_parquet(tmp_path / "p")
    (folder / "README.md").write_text(CARD.format(path="train-00000-of-00001.parquet"))
    assert sum(open_source("hf:p", base=tmp_path).counts.values()) == 12
    (folder / "README.md").write_text(CARD.format(path=path.format(root=tmp_path)))
    with pytest.raises(DataError, match=r"README\.md names data outside of its folder"):
        open_source("hf:p", base=tmp_path)


@pytest.mark.parametrize("head", ["a: [", "a: " + "[" * 5000, "\x00: 1", "a: &a [*a]\nb: *c"])
def test_a_card_that_is_no_card_is_named(tmp_path: Path, head: str):
    (write_parquet(tmp_path / "p") / "README.md").write_text(f"---\n{head}\n---\n")
    with pytest.raises(DataError, match=r"README\.md is not valid YAML"):
        open_source("hf:p", base=tmp_path)


def _other_file(folder: Path) -> None:
    value = json.loads((folder / "train/state.json").read_text())
    value["_data_files"] = [{"filename": "../../q/data-00000-of-00001.arrow"}]
    (folder / "train/state.json").write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: (p / "dataset_dict.json").write_text('{"splits": ["train", "../q"]}'), "data outside of its folder"),
        (_other_file, "data outside of its folder"),
        (lambda p: (p / "dataset_dict.json").write_text("[1]"), "not what save_to_disk writes"),
        (lambda p: (p / "train/state.json").write_text("[" * 100_000), "not what save_to_disk writes"),
    ],
)
def test_a_saved_set_names_no_file_outside_of_its_folder(tmp_path: Path, change: Callable[[Path], None], words: str):
    import datasets

    saved = datasets.Dataset.from_dict({"image": pngs(12), "label": [0, 1] * 6})
    datasets.DatasetDict({"train": saved}).save_to_disk(tmp_path / "p")
    saved.save_to_disk(tmp_path / "q")
    change(tmp_path / "p")
    with pytest.raises(DataError, match=words):
        open_source("hf:p?image=image", base=tmp_path)


def test_the_code_of_a_set_is_not_run(tmp_path: Path):
    run = tmp_path / "run"
    folder = write_parquet(tmp_path / "p")
    for name in ("p.py", "setup.py", "conftest.py"):
        (folder / name).write_text(f"open({str(run)!r}, 'w')")
    (folder / "train.pkl").write_bytes(b"cbuiltins\nopen\n(V" + str(run).encode() + b"\nVw\ntR.")
    with pytest.raises(DataError, match=r"p\.py"):  # which an old release of datasets would have run
        open_source("hf:p", base=tmp_path)
    assert not run.exists()


NAMES = ["a/b@../../..", "a/b@..", "../../x@v1", "/etc@v1", "a/b/c@v1", "a@v1/../../x", "a/b@v1\\..", "a/..@v1", "@v1"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_leads_nowhere_but_into_the_cache(tmp_path: Path, hub_cache: Path, name: str):
    (hub_cache / "datasets--a--b/snapshots").mkdir(parents=True)
    write_parquet(hub_cache.parent)  # where a/b@../../.. would lead
    with pytest.raises(DataError, match="write hf:NAME@REVISION"):
        open_source(f"hf:{name}", base=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="write hf:NAME@REVISION"):
        fetch(f"hf:{name}", tmp_path)


def test_a_reference_that_is_no_commit_is_refused(tmp_path: Path, hub_cache: Path):
    (hub_cache / "datasets--a--b/refs").mkdir(parents=True)
    (hub_cache / "datasets--a--b/snapshots").mkdir()
    (hub_cache / "datasets--a--b/refs/v1").write_text("../../..\n")
    with pytest.raises(DataError, match="refs/v1 does not hold a commit"):
        open_source("hf:a/b@v1", base=tmp_path)


COMMIT = "0123456789" * 4


def fake_download(cache: Path, change: Callable[[Path], None]) -> Callable[..., None]:
    """Leaves a snapshot as huggingface_hub does: a large file under its SHA-256, a small one under git's SHA-1."""

    def download(name: str, repo_type: str, revision: str) -> None:
        repository = cache / "datasets--a--b"
        snapshot = repository / "snapshots" / COMMIT
        for folder in (repository / "blobs", repository / "refs", snapshot):
            folder.mkdir(parents=True, exist_ok=True)
        (repository / "refs" / revision).write_text(COMMIT)
        table = (write_parquet(cache / "made") / "train-00000-of-00001.parquet").read_bytes()
        card = b"# A set\n"
        files = {
            "train-00000-of-00001.parquet": (hashlib.sha256(table).hexdigest(), table),
            "README.md": (hashlib.sha1(b"blob 8\0" + card).hexdigest(), card),
        }
        for file, (digest, content) in files.items():
            (repository / "blobs" / digest).write_bytes(content)
            (snapshot / file).symlink_to(f"../../blobs/{digest}")
        change(snapshot)

    return download


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.resolve().write_bytes(content)


def _elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda snapshot: None, None),
        (lambda snapshot: flip(snapshot / "train-00000-of-00001.parquet"), r"parquet is not what the hub has"),
        (lambda snapshot: flip(snapshot / "README.md"), r"README\.md is not what the hub has"),
        (lambda snapshot: _elsewhere(snapshot / "README.md"), "leads out of the Hugging Face cache"),
    ],
)
def test_every_file_of_a_fetched_set_is_compared_with_its_digest(
    tmp_path: Path,
    hub_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    words: str | None,
):
    monkeypatch.setattr("huggingface_hub.snapshot_download", fake_download(hub_cache, change))
    if words is None:
        assert sum(fetch("hf:a/b@v1", tmp_path).counts.values()) == 12
        return
    with pytest.raises(DataError, match=words):
        fetch("hf:a/b@v1", tmp_path)


def test_a_parquet_file_of_more_rows_than_bytes_is_refused(tmp_path: Path):
    (tmp_path / "p").mkdir()
    rows = 10**6
    images = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array(pngs(1)))
    table = pa.table({"image": images, "label": np.zeros(rows, np.int8)})
    pq.write_table(table, tmp_path / "p/train-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"train-00000-of-00001\.parquet has 1000000 rows in \d+ bytes"):
        open_source("hf:p", base=tmp_path)
