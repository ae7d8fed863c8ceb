"""Every registered task passes one battery of checks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.task_battery import TASK_CHECKS, torch_is_loaded_by

from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import TASKS


@pytest.mark.parametrize("name", TASKS.names())
@pytest.mark.parametrize("check", TASK_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_task(check: Callable[[Task, Path], None], name: str, tmp_path: Path):
    check(TASKS.get(name).task(), tmp_path)


def test_declaring_tasks_loads_no_torch():
    assert not torch_is_loaded_by("trionet_bench.tasks.registry")
