"""A file is replaced as a whole or not at all."""

import os
from pathlib import Path

import pytest

from trionet_bench.errors import StoreError
from trionet_bench.files import atomic_file, remove_drafts, write_atomically


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


def test_drafts_of_killed_programs_are_removed_once_nobody_can_be_at_work_on_them(tmp_path: Path):
    old, young, other = (
        tmp_path / ".record.json.0a1b2c3d.tmp",
        tmp_path / ".suite.json.4e5f6a7b.tmp",
        tmp_path / "a.tmp",
    )
    for path in (old, young, other):
        path.touch()
    os.utime(old, (100, 100))
    remove_drafts(tmp_path, older_than=60.0)
    assert sorted(tmp_path.iterdir()) == [young, other]
    remove_drafts(tmp_path)
    assert sorted(tmp_path.iterdir()) == [other]
