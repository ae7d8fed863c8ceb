"""Where results lie, and what every file among them is called.

Cells are in ``<suite>/<dataset>/<model>/<budget>-s<seed>/``, shared phases in ``<suite>/phases/<name>-<key>/``.
"""

import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from trionet_bench.errors import UsageError

FOLDER_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"  # of suites, data sets and models, which become folders

# In the folder of a suite.
DECLARED = "suite.json"  # what it expects and compares
SUITE = "suite.yaml"  # its text
PHASES = "phases"
CLAIMS = ".claims"
NO_WEIGHTS = "no-weights.txt"  # says that the results were passed on without the weights of their networks

# In the folder of a cell.
RECORD = "record.json"
ARCHITECTURE = "architecture.json"
WEIGHTS = "model.safetensors"
PREDICTIONS = "predictions.npz"

# In the folder of a shared phase.
PHASE = "phase.json"
SUPERNET_WEIGHTS = "weights.safetensors"
EVALUATIONS = "evaluations.jsonl"  # scored children of a search, one a line
RECALIBRATED = "recalibrated.jsonl"  # children scored with batch-norm statistics of their own
NOT_RECALIBRATED = "not_recalibrated.jsonl"  # the same children with the statistics that all have in common

# In both.
HISTORY = "history.jsonl"  # losses and accuracies by epoch, one a line
PRETEXT = "pretext"  # phase in the history of a cell: the supernet that was trained without labels
LOG = "log.txt"
CHECKPOINT_SUFFIX = ".checkpoint"  # needed only by a run that is taken up again

_UNITS = {"T": 10**12, "G": 10**9, "M": 10**6, "K": 10**3}
_MOST_MACS = 10**18  # more than any network has
_LONGEST_BUDGET = 40  # characters
_BUDGET = re.compile(r"(\d+(?:\.\d+)?(?:[eE][+]?\d+)?)\s*([TGMK]?)", re.IGNORECASE)


def cell_folder(results: Path, suite: str, dataset: str, model: str, budget: int, seed: int) -> Path:
    """The folder of one cell's record."""
    return _model_folder(results, suite, dataset, model) / cell_name(budget, seed)


@lru_cache(maxsize=256)  # joining paths is most of what a plan of a thousand cells does with them
def _model_folder(results: Path, suite: str, dataset: str, model: str) -> Path:
    return results.joinpath(suite, dataset, model)


def cell_name(budget: int, seed: int) -> str:
    """The last part of a cell's folder: ``4M-s0``."""
    return f"{format_budget(budget)}-s{seed}"


def phase_folder(results: Path, suite: str, name: str, key: str) -> Path:
    """The folder of a phase that several cells share; twelve digits of its key tell phases of one name apart."""
    return results.joinpath(suite, PHASES, f"{name}-{key[:12]}")


def checkpoint_file(folder: Path, step: str) -> Path:
    """Where the state of an interrupted ``step`` of a cell or phase is kept until the step is done."""
    return folder / f"{step}{CHECKPOINT_SUFFIX}"


def earlier_record(folder: Path, written: datetime) -> Path:
    """Where an earlier attempt's record is kept beside ``record.json``; ``written`` is its time in UTC."""
    return folder / f"record.{written:%Y%m%dT%H%M%S.%fZ}.json"


def is_record(path: Path) -> bool:
    """Whether a file is named like a record, also of an earlier attempt."""
    return path.name.startswith("record.") and path.suffix == ".json"


def is_file_name(name: str) -> bool:
    """Whether a name from a record can only mean a file in its own folder."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def format_budget(macs: int) -> str:
    """The exact human form of a number of MACs: ``4M``, ``1.8G``, ``4.000001M``."""
    for unit, size in _UNITS.items():
        if macs >= size:
            return f"{(Decimal(macs) / size).normalize():f}{unit}"
    return str(macs)


def parse_budget(value: int | float | str) -> int:
    """MACs from ``4M``, ``1.8G``, ``4000000`` or a number; UsageError for what is not a whole positive number."""
    text = str(value).strip() if not isinstance(value, int) or abs(value) <= _MOST_MACS else "a number of many digits"
    match = _BUDGET.fullmatch(text) if len(text) <= _LONGEST_BUDGET else None
    if match is None or isinstance(value, bool):
        raise UsageError(f'"{text[:100]}" is not a budget; write MACs as 4M, 1.8G or 4000000.')
    number, _, exponent = match[1].upper().partition("E")
    # A larger exponent stands for 40, which is too much already: the power of ten is not written out for it.
    macs = Decimal(f"{number}E{min(int(exponent or 0), 40)}") * _UNITS.get(match[2].upper(), 1)
    if macs > _MOST_MACS:
        raise UsageError(f'the budget "{text}" is above {format_budget(_MOST_MACS)}, the most that is allowed.')
    if macs != int(macs) or macs <= 0:
        raise UsageError(f'the budget "{value}" is not a whole positive number of MACs; write 4M, 1.8G or 4000000.')
    return int(macs)
