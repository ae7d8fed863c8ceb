"""Fetching: what is asked of the libraries that download, and that nothing half-done is left in the data root."""

import gzip
import struct
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from trionet_bench.data.sources.fetch import fetch
from trionet_bench.errors import DataError, UsageError


def write_mnist(root: str, download: bool) -> None:
    """Stands in for torchvision's class: puts a miniature where it would put the downloaded files."""
    assert download
    folder = Path(root) / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for prefix in ("train", "t10k"):
        for kind, array in (("images-idx3", np.zeros((20, 28, 28), np.uint8)), ("labels-idx1", np.arange(20) % 10)):
            header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
            content = gzip.compress(header + array.astype(np.uint8).tobytes())
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(content)


def test_a_fetched_set_stands_in_the_data_root_and_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("torchvision.datasets.MNIST", write_mnist)
    assert fetch("torchvision:MNIST?subset=1", tmp_path).counts == {"train": 20, "test": 20}
    assert [entry.name for entry in tmp_path.iterdir()] == ["MNIST"]
    monkeypatch.setattr("torchvision.datasets.MNIST", None)  # there already: nothing is downloaded
    assert fetch("torchvision:MNIST?subset=1", tmp_path).counts == {"train": 20, "test": 20}


def test_a_failed_download_leaves_nothing_that_looks_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(root: str, download: bool) -> None:
        write_mnist(root, download)
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.datasets.MNIST", fails)
    with pytest.raises(DataError, match=r"MNIST could not be downloaded to .*no route to host"):
        fetch("mnist", tmp_path)
    assert not (tmp_path / "MNIST").exists()


def test_a_snapshot_is_asked_for_at_its_revision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    asked = []
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *args, **named: asked.append((args, named)))
    with pytest.raises(DataError, match="not in the Hugging Face cache"):  # the stand-in downloads nothing
        fetch("hf:someone/colours@v1", tmp_path)
    assert asked == [(("someone/colours",), {"repo_type": "dataset", "revision": "v1"})]


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("StanfordCars", DataError, r"(?s)is not under .*cars_train\.tgz"),
        ("CUB_200_2011", DataError, r"(?s)is not under .*CaltechDATA"),
        ("CIFAR11", UsageError, 'did you mean "CIFAR10"'),
        ("hf:someone/colours", UsageError, "write hf:NAME@REVISION"),
    ],
)
def test_what_cannot_be_fetched_says_why(name: str, error: type[Exception], words: str, tmp_path: Path):
    with pytest.raises(error, match=words):
        fetch(name, tmp_path)


def test_what_is_bundled_needs_no_fetching(tmp_path: Path):
    assert fetch("digits", tmp_path).counts == {"train": 1437, "test": 360}
