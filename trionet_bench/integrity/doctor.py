"""What this machine and installation can do, what is missing, and how to get it."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from trionet_bench.caching import cache_folder, preferred_folder
from trionet_bench.errors import BenchError
from trionet_bench.execution.executors.local import available_cores
from trionet_bench.extras import install_command
from trionet_bench.integrity.provenance import code_state
from trionet_bench.suite.specification import load_suite, shipped_suites

# Import name -> name of the distribution.
NEEDED = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "statsmodels": "statsmodels",
    "pandas": "pandas",
    "matplotlib": "matplotlib",
    "jinja2": "Jinja2",
    "safetensors": "safetensors",
    "PIL": "pillow",
    "datasets": "datasets",
}
# Import name -> distribution, extra, what it is for.
OPTIONAL = {
    "ray": ("ray", "cluster", "--executor ray"),
    "onnx": ("onnx", "export", "export to ONNX"),
    "tensorboard": ("tensorboard", "tensorboard", "--log tensorboard"),
    "wandb": ("wandb", "wandb", "--log wandb"),
    "scikit_posthocs": ("scikit-posthocs", "stats", "critical-difference diagrams"),
}
# Script -> some of its characters.
SCRIPTS = {
    "Latin": "Aé",
    "Greek": "αΩ",
    "Cyrillic": "жЯ",
    "Arabic": "نح",
    "Hebrew": "שם",
    "Devanagari": "हि",
    "Thai": "สั",
    "Chinese": "水田",
    "Japanese": "かナ",
    "Korean": "서울",
    "emoji": "\N{LADY BEETLE}",
}
_ROOMY = 5 * 2**30  # bytes of free disk below which a study may not fit


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``problem`` keeps the program from working, ``absent`` only from doing something extra."""

    name: str
    state: Literal["ok", "absent", "problem"]
    detail: str
    advice: str = ""


def examine(results: Path, reports: Path, data_root: Path) -> list[Finding]:
    """Everything worth knowing before a study is started."""
    return [
        _python(),
        _code(),
        *_libraries(),
        *_devices(),
        Finding("cores", "ok", f"{available_cores()} that this process may use"),
        _cache(),
        _kernels(),
        *_fonts(),
        *_folders(results, reports, data_root),
        *_suites(),
    ]


def _python() -> Finding:
    fits = sys.version_info >= (3, 11)
    advice = "" if fits else "Install Python 3.11 or later."
    return Finding(
        "python", "ok" if fits else "problem", f"{platform.python_version()} on {platform.platform()}", advice
    )


def _code() -> Finding:
    code = code_state()
    commit = f", commit {code.commit[:12]}{' with changes' if code.dirty else ''}" if code.commit else ""
    return Finding("trionet_bench", "ok", f"{code.version}{commit}")


def _libraries() -> Iterator[Finding]:
    for module, distribution in NEEDED.items():
        if importlib.util.find_spec(module) is None:
            yield Finding(distribution, "problem", "not installed", f"pip install {distribution}")
        else:
            yield Finding(distribution, "ok", _version(distribution))
    for module, (distribution, extra, use) in OPTIONAL.items():
        if importlib.util.find_spec(module) is None:
            yield Finding(distribution, "absent", f"not installed; for {use}", install_command(extra))
        else:
            yield Finding(distribution, "ok", _version(distribution))


def _devices() -> Iterator[Finding]:
    try:
        import torch  # the one thing that only torch can tell
        import torchvision  # noqa: F401  a build for another torch fails here
    except (ImportError, OSError, RuntimeError) as error:
        advice = "Install torch and torchvision of releases that belong together."
        yield Finding("torch", "problem", f"cannot be imported: {error}", advice)
        return
    for i in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        memory = torch.cuda.get_device_properties(i).total_memory
        yield Finding(f"cuda:{i}", "ok", f"{torch.cuda.get_device_name(i)}, {memory / 2**30:.0f} GiB")
    if torch.backends.mps.is_available():
        yield Finding("mps", "ok", "Metal")
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        yield Finding("GPU", "absent", "none; small suites run on the CPU", "quickstart is made for it.")


def _cache() -> Finding:
    wanted, advice = preferred_folder(), "Name a folder that can be written in TRIONET_BENCH_CACHE."
    try:
        folder = cache_folder()
    except BenchError as error:
        return Finding("cache", "problem", str(error), advice)
    if folder != wanted:
        return Finding("cache", "absent", f"{folder}, since {wanted or 'a home folder'} cannot be written", advice)
    return Finding("cache", "ok", str(folder))


def _kernels() -> Finding:
    """Attention in C, which needs a compiler at its first use."""
    compiler = os.environ.get("CC", "cc")
    try:
        import torch  # with the kernels' own import the one thing here that takes seconds

        from trionet_bench.networks.attention import kernels
    except (ImportError, OSError, RuntimeError) as error:
        return Finding("kernels", "absent", f"torch cannot be imported: {error}", "See torch above.")
    reason = kernels.missing_because(torch.float32)
    if reason is None:
        return Finding("kernels", "ok", f"attention in C, compiled by {compiler}")
    advice = "Install a C compiler such as gcc or clang, or name one in CC; unset TRIONET_BENCH_KERNELS."
    return Finding("kernels", "absent", f"none ({reason}); attention trains slower on a CPU", advice)


def _fonts() -> Iterator[Finding]:
    """Which scripts figures can draw."""
    try:
        import matplotlib  # looks for fonts when it is imported for the first time

        from trionet_bench.fonts import fonts_for
    except (ImportError, OSError, RuntimeError) as error:
        yield Finding("fonts", "problem", f"matplotlib cannot be imported: {error}", "Install matplotlib anew.")
        return
    missing = [script for script, characters in SCRIPTS.items() if fonts_for(characters)[1]]
    drawn = ", ".join(script for script in SCRIPTS if script not in missing)
    if not missing:
        yield Finding("fonts", "ok", f"figures draw {drawn}")
        return
    detail = f"none for {', '.join(missing)}, which figures spell as [U+6C34]; they draw {drawn}"
    advice = (
        "Install fonts that have them, such as those of Noto, and remove fontlist-*.json in "
        f"{matplotlib.get_cachedir()}, where matplotlib keeps its list of fonts."
    )
    yield Finding("fonts", "absent", detail, advice)


def _folders(results: Path, reports: Path, data_root: Path) -> Iterator[Finding]:
    for name, folder in (("results", results), ("reports", reports)):
        existing = next(place for place in (folder.resolve(), *folder.resolve().parents) if place.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):
            yield Finding(name, "problem", f"{folder} cannot be written", f"Choose another place with --{name}.")
            continue
        free = shutil.disk_usage(existing).free
        advice = "" if free >= _ROOMY else f"Free some space, or choose another place with --{name}."
        yield Finding(name, "ok" if free >= _ROOMY else "problem", f"{folder}, {free / 2**30:.0f} GiB free", advice)
    if data_root.is_dir():
        yield Finding("data", "ok", f"{data_root}")
    else:
        yield Finding(
            "data", "absent", f"no folder {data_root}", "`trionet-bench data list` names what could be there."
        )


def _suites() -> Iterator[Finding]:
    for name, path in shipped_suites().items():
        try:
            load_suite(path)
        except BenchError as error:
            yield Finding(f"suite {name}", "problem", str(error), "Install trionet_bench anew.")
    if not shipped_suites():
        yield Finding("suites", "problem", "no shipped suite was found", "Install trionet_bench anew.")
    else:
        yield Finding("suites", "ok", ", ".join(shipped_suites()))


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "of unknown version"
