"""A file is replaced as a whole or not at all."""

import os
from pathlib import Path

import pytest

from trionet_bench.errors import StoreError
from trionet_bench.files import atomic_file, write_atomically


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_atomically(tmp_path / "f", "old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="No space left"):
        write_atomically(tmp_path / "f", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_an_error_while_writing_leaves_the_old_file_and_no_other(tmp_path: Path):
    write_atomically(tmp_path / "f", "old")
    with pytest.raises(TypeError), atomic_file(tmp_path / "f") as file:
        file.writelines([b"ne", None])
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").read_text() == "old"


def test_a_missing_folder_is_made(tmp_path: Path):
    write_atomically(tmp_path / "a" / "b" / "f", "Grüße")
    assert (tmp_path / "a" / "b" / "f").read_text(encoding="utf-8") == "Grüße"
