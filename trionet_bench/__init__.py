"""Which spatial operator belongs where? Convolution, local and axial self-attention, and searched mixes, compared.

    >>> import trionet_bench
    >>> study = trionet_bench.compare("photos")  # doctest: +SKIP
    >>> study.table()  # doctest: +SKIP

Names below are imported on first use, since torch and pandas take seconds to load. They are what other programs may
lean on: a release that changes one says so in CHANGELOG.md, and keeps the old form for one release.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trionet_bench import operators
    from trionet_bench.api.loggers import MetricLogger
    from trionet_bench.api.models import create_model, list_models, load
    from trionet_bench.api.results import Results, results
    from trionet_bench.api.study import Study, compare, run
    from trionet_bench.systems.trained import TrainedNetwork

__version__ = "0.1.0"

_PUBLIC = {
    "MetricLogger": "trionet_bench.api.loggers:MetricLogger",
    "Results": "trionet_bench.api.results:Results",
    "Study": "trionet_bench.api.study:Study",
    "TrainedNetwork": "trionet_bench.systems.trained:TrainedNetwork",
    "create_model": "trionet_bench.api.models:create_model",
    "compare": "trionet_bench.api.study:compare",
    "list_models": "trionet_bench.api.models:list_models",
    "load": "trionet_bench.api.models:load",
    "operators": "trionet_bench.operators:",
    "results": "trionet_bench.api.results:results",
    "run": "trionet_bench.api.study:run",
}
__all__ = [
    "MetricLogger",
    "Results",
    "Study",
    "TrainedNetwork",
    "__version__",
    "compare",
    "create_model",
    "list_models",
    "load",
    "operators",
    "results",
    "run",
]


def __getattr__(name: str) -> object:
    """A public name, imported now."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, member = _PUBLIC[name].partition(":")
    value: object = getattr(import_module(module), member) if member else import_module(module)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
