"""Every registered system passes one battery of checks, on small cells of its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.system_battery import SYSTEM_CHECKS, Case
from support.system_cases import SYSTEM_CASES
from support.task_battery import torch_is_loaded_by

from trionet_bench.systems.registry import SYSTEMS

OURS = [name for name in SYSTEMS.names() if SYSTEMS.get(name).implementation.startswith("trionet_bench.")]


def test_every_system_has_a_case():
    assert sorted(SYSTEM_CASES) == sorted(OURS)


@pytest.mark.parametrize("name", sorted(SYSTEM_CASES))
@pytest.mark.parametrize("check", SYSTEM_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_system(check: Callable[[Case, Path], None], name: str, tmp_path: Path):
    check(SYSTEM_CASES[name], tmp_path)


def test_declaring_systems_loads_no_torch():
    assert not torch_is_loaded_by("trionet_bench.systems.registry")
