"""``python -m tests.soak`` does what it says: every part at its smallest size, on a program that takes a moment.

What the parts find of the real program takes hours, and is no test; ``test_soak_study.py`` has what meets its files.
"""

import gc
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from socket import socket
from typing import Any

import pytest
from click.testing import CliRunner

from tests.soak import concurrent, full_disk, input_kinds, inputs, memory, study, warm
from tests.soak.__main__ import PARTS, main
from tests.soak.findings import Outcome
from tests.soak.ran import ROOT
from trionet_bench.errors import StoreError, UsageError

SMALLEST = {"kills": 1, "faults": 1, "inputs": 20, "concurrent": 1, "full-disk": 1, "memory": 0}
STAND_IN = (sys.executable, "-m", "tests.soak.stand_in")


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A study of a moment, kinds of inputs that need none; the handler of SIGTERM, which the soak sets, is put back."""
    monkeypatch.setenv("TRIONET_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(study, "PROGRAM", STAND_IN)
    monkeypatch.setattr(warm, "SERVER", (*STAND_IN, "--serve"))
    monkeypatch.setattr(concurrent, "_APART", (0.05, 0.1))
    monkeypatch.setattr(inputs, "MODULES", ())
    monkeypatch.setattr(inputs, "KINDS", {"uri": input_kinds.KINDS["uri"]})
    monkeypatch.setattr(memory, "_once", lambda study: None)
    before = signal.getsignal(signal.SIGTERM)
    gc.freeze()  # what other tests left is not collected again and again by the part that measures memory
    yield
    gc.unfreeze()
    signal.signal(signal.SIGTERM, before)


def soaked(folder: Path, *parts: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, what the file says of all parts, and what was printed, after these parts."""
    sizes = [f"--{name}={size}" for name, size in SMALLEST.items()]
    asked = [f"--part={name}" for name in parts]
    ran = CliRunner().invoke(main, [*asked, *sizes, f"--out={folder / 'soak.json'}", f"--home={folder / 'home'}"])
    return ran.exit_code, json.loads((folder / "soak.json").read_text())["parts"], ran.output


def test_every_part_is_carried_out_and_the_file_says_what_was_done(tmp_path: Path):
    code, parts, said = soaked(tmp_path)
    assert {name: part["findings"] for name, part in parts.items()} == {name: [] for name in PARTS}
    assert code == 0
    assert {name: part["size"] for name, part in parts.items()} == SMALLEST
    figures = {name: part["figures"] for name, part in parts.items()}
    assert (figures["kills"]["kills"], figures["kills"]["trials"] >= 1) == (1, True)
    assert figures["concurrent"]["rounds"] == 1
    assert figures["inputs"]["inputs"] == SMALLEST["inputs"]
    assert figures["memory"]["repetitions"] == 6
    skipped = {name: part["skipped"] for name, part in parts.items() if part["skipped"]}
    if "faults" not in skipped:
        assert figures["faults"]["faults"] == 3 * 3  # of each scenario the first call, in three ways
        assert all(figures["faults"][f"calls of {each}"] > 5 for each in ("a cell", "a report", "a search"))
    if "full-disk" not in skipped:
        assert figures["full-disk"] == {"sizes": 1, "exit code 1": 1}
    reasons = {"faults": "there is no compiler cc", "full-disk": "a tmpfs cannot be mounted here: "}
    assert [name for name, reason in skipped.items() if not reason.startswith(reasons[name])] == []
    assert [line.split()[0] for line in said.splitlines()] == list(PARTS)


@pytest.mark.parametrize(
    ("part", "fault", "found"),
    [
        ("kills", "differs", "results: digits/conv/200K-s0/record.json differs"),
        ("concurrent", "differs", "results: phases/supernet/phase.json differs"),
        ("faults", "traceback", "OSError: [Errno 28] "),
        ("full-disk", "gives up", "a lasting failure: OSError: "),
    ],
)
def test_a_broken_promise_of_the_program_is_found(
    part: str, fault: str, found: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("STAND_IN_FAULT", fault)
    code, parts, said = soaked(tmp_path, part)
    if parts[part]["skipped"]:
        pytest.skip(parts[part]["skipped"])
    assert code == 1
    assert any(found in finding["what"] for finding in parts[part]["findings"])
    assert found in said


def test_a_process_that_grows_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    kept: list[object] = []
    monkeypatch.setattr(memory, "_once", lambda study: kept.append((b"x" * 2**25, socket())))
    code, parts, _ = soaked(tmp_path, "memory")
    assert code == 1
    grows, files = [finding["what"] for finding in parts["memory"]["findings"]]
    assert re.fullmatch(r"it grows by 3\d{4}\.\d KiB a repetition", grows)
    assert re.fullmatch(r"open files grow from \d+ to \d+", files)


def test_a_disk_that_cannot_be_mounted_is_the_reason_to_skip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(full_disk.shutil, "which", lambda name: None)
    code, parts, said = soaked(tmp_path, "full-disk")
    assert code == 0
    assert parts["full-disk"]["skipped"] == "a tmpfs cannot be mounted here: there is no program mount"
    assert "skipped: a tmpfs cannot be mounted here" in said


def test_a_part_that_fails_or_is_interrupted_does_not_keep_others_from_being_carried_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def fails(home: Path, size: int, seed: int, outcome: Outcome) -> None:
        outcome.count("done", size)
        raise ValueError("out of ideas")

    def interrupted(home: Path, size: int, seed: int, outcome: Outcome) -> None:
        outcome.count("done", size)
        signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("tests.soak.kills.kills", fails)
    monkeypatch.setattr("tests.soak.faults.faults", interrupted)
    code, parts, _ = soaked(tmp_path, "kills", "faults")
    assert code == 1
    assert parts["kills"]["figures"] == {"done": SMALLEST["kills"]}
    assert parts["kills"]["findings"][0]["what"].startswith("the part itself failed: ValueError: out of ideas (")
    assert parts["faults"]["figures"] == {"done": SMALLEST["faults"], "interrupted": "yes"}
    code, after, _ = soaked(tmp_path, "faults")
    assert code == 0
    assert after["kills"] == parts["kills"]  # of the run before


def _raise(error: BaseException) -> None:
    raise error


def _turn() -> None:
    while True:
        pass


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "an error of Python's": (lambda file: int("x"), "ValueError: invalid literal"),
    "code of another kind": (lambda file: _raise(StoreError(f"{file} is full.")), "exit code 1: StoreError"),
    "no name": (lambda file: _raise(UsageError("It is wrong.")), "no place named: UsageError: It is wrong."),
    "too much memory": (lambda file: bytearray(2**32), "MemoryError"),
    "too slow": (lambda file: _turn(), "too slow: _TooSlow"),
    "dies": (lambda file: os.kill(os.getpid(), signal.SIGKILL), "died: its process ended with -9"),
    "refuses": (lambda file: _raise(UsageError(f"{file} is wrong.")), ""),
}


def test_an_input_that_is_neither_used_nor_refused_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    def kind(read: Callable[[Path], object]) -> input_kinds.Kind:
        def build(root: Path, study: Path) -> Path:
            (root / "file").write_bytes(b"good")
            return root / "file"

        def use(root: Path, file: Path) -> None:
            if file.read_bytes() != b"good":
                read(file)

        return input_kinds.Kind(build, lambda content, generator: b"bad", use, frozenset((2,)))

    monkeypatch.setattr(inputs, "_SECONDS", 0.1)
    monkeypatch.setattr(inputs, "KINDS", {name: kind(read) for name, (read, _) in READERS.items()})
    code, parts, _ = soaked(tmp_path, "inputs")
    assert code == 1
    each = SMALLEST["inputs"] // len(READERS) + 1
    assert parts["inputs"]["figures"]["inputs"] == each * len(READERS)
    assert parts["inputs"]["figures"]["refuses"] == f"{each} exit code 2"
    found = {finding["where"].partition(",")[0]: finding["what"] for finding in parts["inputs"]["findings"]}
    assert [*found, "refuses"] == [*READERS]
    assert [name for name, what in found.items() if not what.startswith(READERS[name][1])] == []


@pytest.fixture
def page() -> str:
    return (ROOT / "docs/reliability.md").read_text()


def rows(page: str, heading: str) -> list[list[str]]:
    """Cells of the table that has this first line."""
    after = page[page.index(heading) :].partition("\n\n")[0].splitlines()
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in after[2:]]


def test_the_page_names_the_parts_and_their_full_sizes(page: str):
    assert [row[0] for row in rows(page, "| part | does |")] == list(PARTS)
    full = {row[0]: row[1] for row in rows(page, "| part | full size |")}
    words = {"faults": "each place once", "concurrent": "10 rounds", "full-disk": "20 sizes", "memory": "one hour"}
    assert full == {"kills": "100", "inputs": "20,000"} | words
    usual = {name: part.usual for name, part in PARTS.items() if name != "faults"}
    assert usual == {"kills": 100, "inputs": 20_000, "concurrent": 10, "full-disk": 20, "memory": 60}


def test_commands_of_the_page_are_understood(page: str):
    commands = [shlex.split(line, comments=True)[4:] for line in re.findall(r"^\$ python -m tests\.soak.*", page, re.M)]
    assert len(commands) == 3
    for command in commands:
        assert main.make_context("soak", command).params["seed"] == 0


@pytest.mark.parametrize("name", PARTS)
def test_a_part_is_there(name: str):
    assert callable(resolve_name(PARTS[name].carry_out))
