"""Each system call that writes below a study's folders fails once, at every place and in every way that it can.

``faulty.c`` is preloaded into the program and its workers. A run without a fault tells which calls there are; then for
each of them, and for each error that it can meet, the study is run from the same beginning with that one call failing.
The run has to end with an error of the program's own, or as if nothing had happened; nothing may be left that keeps a
plain second run from coming to the undisturbed result.
"""

import ctypes
import errno
import mmap
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.soak.equality import differences
from tests.soak.failures import lasting_failures
from tests.soak.findings import Outcome
from tests.soak.ran import ROOT
from tests.soak.suite import suite_text
from tests.soak.warm import Warm

_PLACES = 16384
_SHORT = 0  # instead of an error number: half of the bytes are written
_ERRORS = {
    "open": (errno.ENOSPC, errno.EIO, errno.EACCES),
    "write": (errno.ENOSPC, errno.EIO, _SHORT),
    "fsync": (errno.EIO,),
    "truncate": (errno.EIO,),
    "rename": (errno.ENOSPC, errno.EIO, errno.EACCES),
    "link": (errno.ENOSPC, errno.EIO, errno.EACCES),
    "mkdir": (errno.ENOSPC, errno.EIO, errno.EACCES),
    "unlink": (errno.EIO, errno.EACCES),
}
_ALLOWED = (0, 1, 3)  # exit codes: tolerated, a store error, a cell that failed by its surroundings
_DRAFT = re.compile(r"\.[0-9a-f]{8}\.tmp|\.\d+$|tmp\w{8}")


class _Place(ctypes.Structure):
    _fields_ = (("call", ctypes.c_char * 16), ("path", ctypes.c_char * 240))


class _Control(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int) for name in ("armed", "target", "error", "count", "fired")),
        ("unused", ctypes.c_int * 3),
        ("places", _Place * _PLACES),
    )


@dataclass(frozen=True)
class Scenario:
    """A command whose calls fail one by one.

    Args:
        name: in findings.
        suite: text of the suite file.
        arguments: of ``trionet-bench`` for the run that is disturbed and for the one after it.
        finished: whether it begins with a study that is done, or with nothing.
    """

    name: str
    suite: str
    arguments: tuple[str, ...]
    finished: bool = False


_RUN = ("run", "SUITE", "--device", "cpu", "--jobs", "1", "--results", "results", "--reports", "reports")
_REPORT = ("report", "results/soak", "--out", "reports/soak", "--formats", "md,csv")
SCENARIOS = (
    Scenario("a cell", suite_text("conv"), (*_RUN, "--no-report")),
    Scenario(
        "a report",
        suite_text("conv"),
        ("report", "results/soak", "--out", "reports/soak", "--formats", "html,md"),
        True,
    ),
    Scenario("a search", suite_text("trionet"), (*_RUN, "--no-report")),
)


def faults(home: Path, most: int, _: int, outcome: Outcome) -> None:
    """Every scenario, with at most so many calls failing in each, spread evenly."""
    compiler = shutil.which("cc")
    if compiler is None:
        outcome.skipped = "there is no compiler cc"
        return
    library, control = home / "faulty.so", home / "control"
    source = Path(__file__).with_name("faulty.c")
    subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    control.write_bytes(bytes(ctypes.sizeof(_Control)))
    own = {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "LD_PRELOAD": str(library),
        "SOAK_CONTROL": str(control),
        "SOAK_BELOW": str(home / "watched"),
        "TRIONET_BENCH_CACHE": str(home / "watched/cache"),
    }
    with control.open("r+b") as file, Warm(os.environ | own) as warm:
        state = _Control.from_buffer(mmap.mmap(file.fileno(), 0))
        for scenario in SCENARIOS:
            _attack(home, scenario, most, state, warm, outcome)


def _attack(home: Path, scenario: Scenario, most: int, state: _Control, warm: Warm, outcome: Outcome) -> None:
    watched, suite, log = home / "watched", home / "suite.yaml", home / "run.txt"
    suite.write_text(scenario.suite)
    replaced = {"SUITE": str(suite)}
    places = {name: str(watched / name) for name in ("results", "reports", "results/soak", "reports/soak")}
    arguments = [(replaced | places).get(argument, argument) for argument in scenario.arguments]
    complete = [replaced.get(a, places.get(a, a)) for a in (*_RUN, "--no-report")]

    # Kernels are compiled and caches filled before; they are kept, the digests of the cache are not.
    for name in ("results", "reports"):
        shutil.rmtree(watched / name, ignore_errors=True)
    for first in (complete, *([arguments] if scenario.finished else [])):
        ran = warm.run(first, log)
        if ran.code:
            raise RuntimeError(f"{scenario.name} fails undisturbed: {ran.tail}")
    start, expected = home / f"{scenario.name}, start", home / f"{scenario.name}, expected"
    shutil.copytree(watched, expected)
    shutil.copytree(watched, start)
    for name in ("reports",) if scenario.finished else ("results", "reports", "cache/digests"):
        shutil.rmtree(start / name, ignore_errors=True)

    calls = _calls(start, watched, arguments, state, warm, log)
    outcome.figures[f"calls of {scenario.name}"] = len(calls)
    step = max(1, len(calls) // most)
    for number, call, path in calls[::step]:
        for error in _ERRORS[call]:
            _reset(start, watched)
            state.target, state.error, state.count, state.fired, state.armed = number, error, 0, 0, 1
            ran = warm.run(arguments, log)
            state.armed = 0
            name = errno.errorcode[error] if error else "short write"
            where = f"{scenario.name}, call {number}: {name} in {call} of {path}"
            outcome.count("faults" if state.fired else "not met again")
            outcome.count(f"{name}, exit code {ran.code}")
            outcome.found(where, *ran.faults)
            if ran.code not in _ALLOWED:
                outcome.found(where, f"exit code {ran.code}: {ran.tail}")
            outcome.found(where, *lasting_failures(watched / "results"))
            again = warm.run(arguments, log)
            outcome.found(where, *again.faults)
            if again.code:
                outcome.found(where, f"the run after it has exit code {again.code}: {again.tail}")
            for folder in ("results", "reports"):
                outcome.found(where, *(f"then {line}" for line in differences(expected / folder, watched / folder)))


def _calls(
    start: Path, watched: Path, arguments: list[str], state: _Control, warm: Warm, log: Path
) -> list[tuple[int, str, str]]:
    """Number, name and path of each call that writes, in a run without a fault; of equal ones the first and last."""
    _reset(start, watched)
    state.target, state.count, state.armed = 0, 0, 1
    warm.run(arguments, log)
    state.armed = 0
    made: dict[tuple[str, str], list[int]] = {}
    for number in range(1, min(state.count + 1, _PLACES)):
        place = state.places[number]
        made.setdefault((place.call.decode(), _DRAFT.sub("", place.path.decode())), []).append(number)
    once = {number: place for place, numbers in made.items() for number in (numbers[0], numbers[-1])}
    return [(number, *place) for number, place in sorted(once.items())]


def _reset(start: Path, watched: Path) -> None:
    shutil.rmtree(watched, ignore_errors=True)
    shutil.copytree(start, watched)
