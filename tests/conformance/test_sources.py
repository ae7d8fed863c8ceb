"""Every registered data source passes one battery of checks, on a small case of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.source_battery import SOURCE_CHECKS, torch_was_imported
from support.source_cases import SOURCE_CASES, SourceCase

from trionet_bench.data.sources.registry import SOURCES


@pytest.fixture(autouse=True)
def _tables_are_cached_elsewhere(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path_factory.mktemp("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", cache)
    monkeypatch.setenv("HF_DATASETS_CACHE", str(cache))  # of the process that is started


def test_every_source_has_a_case():
    assert set(SOURCE_CASES) == set(SOURCES.names())


@pytest.mark.parametrize("scheme", SOURCES.names())
@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_source(check: Callable[[SourceCase, Path], None], scheme: str, tmp_path: Path):
    check(SOURCE_CASES[scheme], tmp_path)


@pytest.mark.parametrize("scheme", SOURCES.names())
def test_a_declaration_names_functions_and_says_how_it_is_used(scheme: str):
    source = SOURCES.get(scheme)
    assert callable(source.open_index)
    assert source.fetch is None or callable(source.fetch)
    assert source.usage.startswith(f"{scheme}:")
    assert source.summary


def test_opening_imports_no_torch(tmp_path: Path):
    assert not torch_was_imported([case.build(tmp_path, 0) for case in SOURCE_CASES.values()], tmp_path)
