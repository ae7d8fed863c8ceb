"""Systems, tasks, operators and sources that are not part of the package.

A plugin is a module that registers them when it is imported, such as ``SYSTEMS.register(MySystem())``. Plugins are the
modules that the environment variable ``TRIONET_BENCH_PLUGINS`` names, separated by commas, and those that installed
packages name as entry points of the group ``trionet_bench.plugins``. The command line and worker processes import them
first thing; a program that uses the package imports them itself.
"""

import os
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from trionet_bench.errors import UsageError

ENVIRONMENT_VARIABLE = "TRIONET_BENCH_PLUGINS"
GROUP = "trionet_bench.plugins"


def plugin_modules() -> tuple[str, ...]:
    """Names of the modules, each once."""
    named = [name.strip() for name in os.environ.get(ENVIRONMENT_VARIABLE, "").split(",")]
    installed = [point.module for point in entry_points(group=GROUP)]
    return tuple(dict.fromkeys(name for name in [*named, *installed] if name))


@cache
def load_plugins() -> None:
    """Import every plugin, once a process; UsageError for a module that does not exist."""
    for name in plugin_modules():
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name.partition(".")[0] and error.name != name:
                raise
            raise UsageError(
                f"there is no module {name}, which {ENVIRONMENT_VARIABLE} or an installed package names as a plugin; "
                "put its folder on PYTHONPATH."
            ) from error
