"""Where files are kept that can be made again: decoded images, compiled kernels."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The absolute path of the cache folder, which need not exist.

    It is ``TRIONET_BENCH_CACHE`` where that is set, else ``trionet-bench`` in ``XDG_CACHE_HOME`` or in ``~/.cache``.
    """
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trionet-bench"
    return Path(os.environ.get("TRIONET_BENCH_CACHE") or default).resolve()
