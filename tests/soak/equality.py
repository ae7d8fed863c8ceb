"""Results and reports of two runs compared: equal in everything but times, memory, the command that was typed, and the
state of the checkout, which may be worked on meanwhile.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np

from tests.soak.suite import NAME
from trionet_bench.files import DAMAGED
from trionet_bench.records.layout import CHECKPOINT_SUFFIX, CLAIMS, LOG, RECORD, is_record

Value: TypeAlias = object

_OF_A_RUN = frozenset(
    ("started", "finished", "timings", "peak_memory_bytes", "command", "code", "digest", "seconds", "images_per_s")
)
_TIMED_FILES = re.compile(r"cost(-\w+)?\.\w+")  # table and figure of what was spent
_TIMED_LINES = re.compile(r"\d ?(ms|s|min|h|GiB)\b")
_MARKUP = re.compile(
    r'<style.*?</style>|<svg.*?</svg>|<td data-label="(?:latency|front_latency|Images/s)[^<]*<|<[^>]*>', re.DOTALL
)  # what no person reads, and cells of times without a unit
_PADDING = re.compile(r" +|-{3,}:?")  # of columns in Markdown, as wide as the times in them


def differences(expected: Path, found: Path) -> list[str]:
    """How a results folder or report differs from one that was made without a mishap; empty where it does not.

    Besides files of other content, what an interrupted run must not leave is named: drafts, checkpoints.
    """
    before, after = _contents(expected), _contents(found)
    lines = [f"{name} is missing" for name in before if name not in after]
    lines += [f"{name} is left over" for name in after if name not in before]
    return lines + [f"{name} differs" for name, value in before.items() if name in after and after[name] != value]


def _contents(root: Path) -> dict[str, Value]:
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): _content(path) for path in paths if not _is_of_an_attempt(path)}


def _is_of_an_attempt(path: Path) -> bool:
    """Files that say what happened, not what came out: logs, records of earlier attempts, what was set aside, claims
    of a killed run on what it had finished.
    """
    earlier = is_record(path) and path.name != RECORD
    aside = path.name.endswith((DAMAGED, f"-damaged{CHECKPOINT_SUFFIX}"))
    of_suite = path.parent.name == NAME and path.suffix == ".tmp"  # removed an hour later
    return of_suite or path.name == LOG or path.parent.name == CLAIMS or earlier or aside


def _content(path: Path) -> Value:
    if path.suffix == ".jsonl":
        return [_lasting(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix == ".json":
        return _lasting(json.loads(path.read_text()))
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return {name: (str(arrays[name].dtype), arrays[name].tolist()) for name in arrays.files}
    if _TIMED_FILES.fullmatch(path.name):
        return "of times"
    if path.suffix in (".html", ".md"):
        lines = _MARKUP.sub("\n", path.read_text()).splitlines()
        return [_PADDING.sub("", line) for line in lines if line.strip() and not _TIMED_LINES.search(line)]
    return path.read_bytes()


def _lasting(value: Value) -> Value:
    """A JSON value without what differs between two runs; a digest of a file that holds times is left out too."""
    if isinstance(value, Mapping):
        return {
            name: _lasting(part) for name, part in value.items() if name not in _OF_A_RUN and name != "history.jsonl"
        }
    return [_lasting(part) for part in value] if isinstance(value, list) else value
