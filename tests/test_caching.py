"""The cache folder follows the program's own variable, then the desktop's, then the home folder; or it is temporary."""

import logging
import pwd
import tempfile
from pathlib import Path

import pytest

from trionet_bench.caching import cache_folder
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.uri import as_uri
from trionet_bench.errors import DataError, StoreError
from trionet_bench.records.redaction import anonymous


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in an empty folder, no variable that names a cache, and a temporary folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("TRIONET_BENCH_CACHE", raising=False)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert cache_folder() == (tmp_path / ".cache" / "trionet-bench").resolve()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == (tmp_path / "xdg" / "trionet-bench").resolve()
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == (tmp_path / "chosen").resolve()
    monkeypatch.setenv("TRIONET_BENCH_CACHE", "")
    assert cache_folder() == (tmp_path / "xdg" / "trionet-bench").resolve()


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME", "TRIONET_BENCH_CACHE"])
def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one_with_one_line(
    variable: str, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(variable, str(tmp_path / "file" / "x"))
    with caplog.at_level(logging.WARNING):
        folders = {cache_folder() for _ in range(3)}
    (folder,) = folders
    assert folder.parent == temporary
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o077 == 0
    (line,) = caplog.messages
    assert "Not a directory" in line
    assert str(folder) in line
    assert "TRIONET_BENCH_CACHE" in line


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home: neither a variable nor an entry in the list of users."""

    def unknown(number: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_caches_are_temporary(temporary: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        assert cache_folder().parent == temporary
    assert "there is no home folder" in caplog.text


@pytest.mark.usefixtures("homeless")
def test_without_a_home_messages_are_cleaned_and_paths_found(tmp_path: Path):
    assert anonymous("/elsewhere/photos is empty") == "/elsewhere/photos is empty"
    (tmp_path / "a.npz").touch()
    assert as_uri(str(tmp_path / "a.npz")) == f"npz:{tmp_path / 'a.npz'}"
    with pytest.raises(DataError, match="is not in the Hugging Face cache"):
        open_source("hf:someone/colours@v1")


def test_a_temporary_folder_that_others_can_write_is_not_used(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "f" / "first"))
    (tmp_path / "f").write_text("")
    first = cache_folder()
    first.chmod(0o777)
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "f" / "second"))
    second = cache_folder()
    assert second != first
    assert second.parent == temporary
    assert second.stat().st_mode & 0o077 == 0


def test_where_nothing_can_be_written_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "file" / "x"))
    with pytest.raises(StoreError, match="TRIONET_BENCH_CACHE"):
        cache_folder()
