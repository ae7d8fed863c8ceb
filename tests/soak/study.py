"""The tiny study that the soak runs, as a program of its own, and what may be said by one that was disturbed."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.soak.equality import differences
from tests.support.studies import small_suite

NAME = "soak"
ROOT = Path(__file__).parents[2]
_GIVEN_UP_AFTER = 600.0  # seconds of one run
FAULTS_OF_THE_PROGRAM = ("Traceback (most recent call last)", "This is a fault of the program")


@dataclass(frozen=True)
class Ran:
    """How a run ended: its exit status (negative: the signal), and what it said on both streams."""

    code: int
    said: str

    @property
    def faults(self) -> list[str]:
        """What it must not say."""
        return [self.tail for text in FAULTS_OF_THE_PROGRAM if text in self.said][:1]

    @property
    def tail(self) -> str:
        """The end of what it said, in a line."""
        return " | ".join(self.said.strip().splitlines()[-8:])[-900:]


@dataclass(frozen=True)
class Study:
    """A suite file and the folders of its runs.

    Args:
        home: holds everything; the suite file is written here.
        folder: of results and reports.
    """

    home: Path
    folder: Path

    @classmethod
    def at(cls, home: Path, folder: Path) -> "Study":
        """The study of two jobs, a baseline and a searched network; its suite file is written."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "suite.yaml").write_text(small_suite(NAME))
        return cls(home, folder)

    @property
    def results(self) -> Path:
        """Of the suite."""
        return self.folder / "results" / NAME

    @property
    def report(self) -> Path:
        """Of the suite."""
        return self.folder / "reports" / NAME

    @property
    def arguments(self) -> list[str]:
        """Of ``trionet-bench``."""
        places = ["--results", str(self.folder / "results"), "--reports", str(self.folder / "reports")]
        return ["run", str(self.home / "suite.yaml"), "--device", "cpu", "--jobs", "2", *places]

    def environment(self) -> dict[str, str]:
        """Of its programs, with a cache of the soak's own and one thread a worker."""
        own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TRIONET_BENCH_CACHE": str(self.home / "cache")}
        return os.environ | own

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Begin a run in a process group of its own; what it says goes to a file."""
        command = [sys.executable, "-m", "trionet_bench", *self.arguments]
        with log.open("wb") as file:
            return subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=self.environment(), start_new_session=True
            )

    def run(self, log: Path) -> Ran:
        """Run to the end, however it ends."""
        return ended(self.start(log), log)

    def unlike(self, other: "Study") -> list[str]:
        """How results and report differ from those of another run."""
        return [
            *(f"results: {line}" for line in differences(other.results, self.results)),
            *(f"report: {line}" for line in differences(other.report, self.report)),
        ]


def ended(process: "subprocess.Popen[bytes]", log: Path) -> Ran:
    """Wait for a run; one that does not end is killed and said to hang."""
    try:
        process.wait(_GIVEN_UP_AFTER)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return Ran(process.returncode, f"{FAULTS_OF_THE_PROGRAM[1]}: it hangs. {log.read_text(errors='replace')}")
    return Ran(process.returncode, log.read_text(errors="replace"))


def undisturbed(home: Path) -> tuple[Study, float]:
    """A run without a mishap to compare with, and its seconds."""
    study = Study.at(home, home / "undisturbed")
    began = time.monotonic()
    ran = study.run(home / "undisturbed.txt")
    if ran.code != 0:
        raise RuntimeError(f"the study fails undisturbed: {ran.tail}")
    return study, time.monotonic() - began
