"""The tiny study of two jobs that is disturbed: where it is, how it is run, how two of them differ."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.soak.equality import differences
from tests.soak.ran import ROOT
from tests.soak.suite import NAME, suite_text

PROGRAM = (sys.executable, "-m", "trionet_bench")


@dataclass(frozen=True)
class Study:
    """A baseline and a searched network, in a folder of its own.

    Args:
        home: holds the suite file and the cache, for all studies.
        folder: of results and reports.
    """

    home: Path
    folder: Path

    @classmethod
    def at(cls, home: Path, folder: Path) -> "Study":
        """A study whose suite file is written."""
        home.mkdir(parents=True, exist_ok=True)
        (home / "suite.yaml").write_text(suite_text("conv", "trionet"))
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

    def start(self, log: Path) -> "subprocess.Popen[bytes]":
        """Begin a run as a program of its own, in a process group; what it says goes to a file."""
        command = [*PROGRAM, *self.arguments]
        with log.open("wb") as file:
            return subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=environment(self.home), start_new_session=True
            )

    def unlike(self, other: "Study") -> list[str]:
        """How results and report differ from those of another run."""
        return [
            *(f"results: {line}" for line in differences(other.results, self.results)),
            *(f"report: {line}" for line in differences(other.report, self.report)),
        ]


def environment(home: Path) -> Mapping[str, str]:
    """Of the programs that run a study: one thread a worker, and a cache below ``home``."""
    own = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TRIONET_BENCH_CACHE": str(home / "cache")}
    return os.environ | own
