"""The competitors. A module of this package named like a system is that system; adding one is adding its file."""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from trionet_bench.errors import UsageError, nearest

_SHARED = ("cell", "exporting", "trained", "retraining", "scaling", "search_phase", "work")


def system_names() -> tuple[str, ...]:
    """The systems that a suite may name, in alphabetical order."""
    return _names(tuple(__path__))


@cache
def _names(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(module.name for module in pkgutil.iter_modules(folders) if module.name not in _SHARED))


def load_system(name: str) -> ModuleType:
    """The module of a system; UsageError with the nearest name where there is none."""
    if name not in system_names():
        raise UsageError(f'unknown system "{name}"; {nearest(name, system_names())}')
    return import_module(f"{__name__}.{name}")
