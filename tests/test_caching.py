"""The cache folder follows the program's own variable, then the desktop's, then the home folder."""

from pathlib import Path

import pytest

from trionet_bench.caching import cache_folder


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("TRIONET_BENCH_CACHE", raising=False)
    assert cache_folder() == (tmp_path / ".cache" / "trionet-bench").resolve()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == (tmp_path / "xdg" / "trionet-bench").resolve()
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == (tmp_path / "chosen").resolve()
    monkeypatch.setenv("TRIONET_BENCH_CACHE", "")
    assert cache_folder() == (tmp_path / "xdg" / "trionet-bench").resolve()
