"""Systems, tasks, operators and sources that are not part of the package.

A plugin is a module that registers them when it is imported, such as ``SYSTEMS.register(MySystem())``. The environment
variable ``TRIONET_BENCH_PLUGINS`` names plugins, separated by commas; the command line and worker processes import them
first thing. A program that uses the package imports them itself.
"""

import os
from functools import cache
from importlib import import_module

from trionet_bench.errors import UsageError

ENVIRONMENT_VARIABLE = "TRIONET_BENCH_PLUGINS"


def plugin_modules() -> tuple[str, ...]:
    """Names of the modules, each once."""
    names = (name.strip() for name in os.environ.get(ENVIRONMENT_VARIABLE, "").split(","))
    return tuple(dict.fromkeys(name for name in names if name))


@cache
def load_plugins() -> None:
    """Import every plugin, once a process; UsageError for a module that does not exist."""
    for name in plugin_modules():
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise  # the plugin exists, but lacks something
            raise UsageError(
                f"there is no module {name}, which {ENVIRONMENT_VARIABLE} names; put its folder on PYTHONPATH."
            ) from error
