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
    from trionet_bench.api.results import Results, results
    from trionet_bench.api.study import Study, compare, run
    from trionet_bench.systems.trained import TrainedNetwork
    from trionet_bench.systems.trained import load_network as load

__version__ = "0.1.0"

_PUBLIC = {
    "Results": "trionet_bench.api.results:Results",
    "Study": "trionet_bench.api.study:Study",
    "TrainedNetwork": "trionet_bench.systems.trained:TrainedNetwork",
    "compare": "trionet_bench.api.study:compare",
    "load": "trionet_bench.systems.trained:load_network",
    "results": "trionet_bench.api.results:results",
    "run": "trionet_bench.api.study:run",
}
__all__ = ["Results", "Study", "TrainedNetwork", "__version__", "compare", "load", "results", "run"]


def __getattr__(name: str) -> object:
    """A public name, imported now."""
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, member = _PUBLIC[name].partition(":")
    value: object = getattr(import_module(module), member)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
