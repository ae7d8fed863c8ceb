"""Which code ran, and by which command: for the record, without names of people or their folders."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from trionet_bench import __version__
from trionet_bench.records.record import Code
from trionet_bench.records.redaction import anonymous

_PACKAGE = Path(__file__).parents[1]


def code_state() -> Code:
    """Version and, in a git checkout, the commit and whether the package differs from it."""
    commit = _git("rev-parse", "HEAD") if (_PACKAGE.parent / ".git").exists() else None
    if commit is None:
        return Code(version=__version__, commit=None, dirty=None)
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", _PACKAGE.name)
    return Code(version=__version__, commit=commit, dirty=bool(changes))


def command_line(arguments: Sequence[str]) -> str:
    """The command as it could be typed again, with paths that do not tell whose machine it was."""
    return shlex.join(["trionet-bench", *map(anonymous, arguments)])


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=_PACKAGE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
