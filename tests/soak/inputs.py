"""Thousands of files that are nearly right, each read under a limit of memory and of time.

Whatever is read is used or refused: by an error of the program's own, with the exit code of its kind, naming the file.
"""

import contextlib
import logging
import math
import os
import random
import re
import resource
import shutil
import signal
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from tests.soak.findings import Outcome, error_text
from tests.soak.input_kinds import KINDS, Kind
from tests.soak.ran import ended
from tests.soak.study import Study
from trionet_bench.errors import BenchError

_MEMORY = 2 * 2**30  # bytes of address space beside what a worker has when it starts
_SECONDS = 10  # of the processor, for one input
_WAITED = 120  # seconds of the clock, for one input
_CHUNK = 200  # inputs of a worker
MODULES = (  # of every reader
    "trionet_bench.reporting.page",
    "trionet_bench.integrity.verify",
    "trionet_bench.systems.trained",
    "trionet_bench.systems.trionet.running",
    "trionet_bench.execution.plan",
    "trionet_bench.data.pipeline.loader",
    "datasets",
)


@dataclass(frozen=True)
class _Read:
    """What came of an input: ``fault`` is what is wrong with the answer, with the place in the code; None where
    nothing is.
    """

    number: int
    answer: str
    fault: str | None
    place: str = ""


class _TooSlow(BaseException):
    """Nobody may take it for an error that they know."""


def inputs(home: Path, wanted: int, seed: int, outcome: Outcome) -> None:
    """About so many inputs, of all kinds by their weights."""
    study = Study.at(home, home / "study")
    ran = ended(study.start(home / "study.txt"), home / "study.txt")
    if ran.code:
        raise RuntimeError(f"the study fails: {ran.tail}")
    shutil.copy(home / "suite.yaml", study.folder)
    os.environ["TRIONET_BENCH_CACHE"] = str(home / "cache")
    for module in MODULES:  # imported once, and nothing of them used before workers are forked
        import_module(module)
    weights = sum(kind.weight for kind in KINDS.values())
    for name, kind in KINDS.items():
        share = max(1, math.ceil(wanted * kind.weight / weights))
        found: dict[tuple[str, str], int] = {}
        answers: dict[str, int] = {}
        for first in range(0, share, _CHUNK):
            for read in _in_worker(home, name, kind, study.folder, seed, range(first, min(share, first + _CHUNK))):
                outcome.count("inputs")
                answers[read.answer] = answers.get(read.answer, 0) + 1
                if read.fault is not None:
                    where = (read.fault.partition(":")[0], read.place)
                    found[where] = found.get(where, 0) + 1
                    if found[where] == 1:
                        outcome.found(f"{name}, seed {seed}, input {read.number}", read.fault)
        outcome.figures[name] = ", ".join(f"{number} {answer}" for answer, number in sorted(answers.items()))
        for (what, place), number in found.items():
            if number > 1:
                outcome.figures[f"{name}: {what} at {place}"] = number


def _in_worker(home: Path, name: str, kind: Kind, study: Path, seed: int, numbers: range) -> Iterator[_Read]:
    """Read inputs in processes of their own; one that dies costs the input it died of."""
    context, left = get_context("fork"), list(numbers)
    while left:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(there, home, name, kind, study, seed, left))
        process.start()
        there.close()
        with contextlib.suppress(EOFError):
            while left:
                yield here.recv()
                left = left[1:]
        process.join()
        if left:
            yield _Read(left[0], "died", f"died: its process ended with {process.exitcode}", "the process")
            left = left[1:]


def _work(
    connection: Connection, home: Path, name: str, kind: Kind, study: Path, seed: int, numbers: list[int]
) -> None:
    root = home / f"inputs-{name}"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    file = kind.build(root, study)
    valid = file.read_bytes()
    logging.disable()
    warnings.simplefilter("ignore")
    for limit in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(limit, _too_slow)
    valid_read = _answer(kind, root, file, numbers[0])
    if valid_read.answer != "accepted":
        raise AssertionError(f"the valid example of {name} is refused: {valid_read}")
    silent = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silent, stream)
    _limit_memory()
    for number in numbers:
        file.write_bytes(kind.change(valid, random.Random(f"{seed} {name} {number}")))
        connection.send(_answer(kind, root, file, number))
    connection.close()
    os._exit(0)


def _answer(kind: Kind, root: Path, file: Path, number: int) -> _Read:
    """Read an input as it lies there."""
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    signal.alarm(_WAITED)
    try:
        kind.use(root, file)
    except BenchError as error:
        code = error.exit_code
        if code not in kind.codes:
            return _Read(number, f"exit code {code}", f"exit code {code}: {error_text(error)}", _place(error))
        named = any(part in str(error) for part in (file.name, file.parent.name, str(root), *_words(file)))
        fault = None if named else f"no place named: {error_text(error)}"
        return _Read(number, f"exit code {code}", fault, _place(error))
    except _TooSlow as error:
        return _Read(number, "too slow", f"too slow: {error_text(error)}", _place(error))
    except BaseException as error:
        return _Read(number, type(error).__name__, error_text(error), _place(error))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)
    return _Read(number, "accepted", None)


def _words(file: Path) -> list[str]:
    """What stands for a file in messages: a network's space for a suite of one, letters in a row for a URI."""
    if file.name == "uri":
        return re.findall(r"\w{3,}", file.read_text(errors="ignore")[:40]) or [""]
    return ["resnet-nano"] if file.name == "suite.yaml" else []


def _place(error: BaseException) -> str:
    """Where in the program an error came from."""
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if "trionet_bench" in frame.filename]
    return f"{own[-1].filename.rpartition('trionet_bench/')[2]}:{own[-1].lineno}" if own else "elsewhere"


def _too_slow(*_: object) -> None:
    raise _TooSlow


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
