"""A process that has imported everything, and forks one for each command: a run costs no start of Python and torch.

Workers are forked from the program's process instead of a server of their own. All else is as on the command line.
"""

import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path

from tests.soak.ran import ROOT, Ran, ended

SERVER = (sys.executable, "-m", "tests.soak.warm")
MODULES = (  # of every command, and of the systems and reports of the study
    "matplotlib.pyplot",
    "torch",
    "trionet_bench.api.running",
    "trionet_bench.cli.actions.report",
    "trionet_bench.cli.actions.run",
    "trionet_bench.cli.main",
    "trionet_bench.reporting.page",
    "trionet_bench.systems.standalone.running",
    "trionet_bench.systems.trionet.running",
)


class WarmRun:
    """A command under way; its methods are those of ``subprocess.Popen``."""

    def __init__(self, pid: int, server: "subprocess.Popen[bytes]") -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._server = server

    def poll(self) -> int | None:
        """The exit code, None where it has not ended."""
        return self._read(0.0)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; TimeoutExpired where that takes longer."""
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired("a warm run", timeout or 0.0)
        return code

    def _read(self, seconds: float | None) -> int | None:
        stream = self._server.stdout
        assert stream is not None
        if self.returncode is None and select.select([stream], [], [], seconds)[0]:
            self.returncode = int(stream.readline())
        return self.returncode


class Warm:
    """Commands of ``trionet-bench``, one at a time, each in a process forked from a warm one; a context."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._server = subprocess.Popen(
            SERVER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # nothing is read ahead: what lies in a buffer is not seen by select
            env=dict(environment),
            cwd=ROOT,
        )

    def __enter__(self) -> "Warm":
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def start(self, arguments: Sequence[str], log: Path) -> WarmRun:
        """Begin a command in a process group of its own; what it says goes to a file."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(json.dumps({"arguments": [*arguments], "log": str(log)}).encode() + b"\n")
        return WarmRun(int(self._server.stdout.readline()), self._server)

    def run(self, arguments: Sequence[str], log: Path) -> Ran:
        """Carry a command out to its end."""
        return ended(self.start(arguments, log), log)


def serve(program: Callable[[list[str]], object]) -> None:
    """Read commands from stdin until it ends; print the process id and then the exit code of each.

    ``program`` carries out the arguments of a command, in a process of its own.
    """
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            _be(program, command["arguments"], Path(command["log"]))
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _be(program: Callable[[list[str]], object], arguments: list[str], log: Path) -> None:
    """A program in a process group of its own, from its start to its end; does not return."""
    os.setsid()
    # Workers of a server of their own would not inherit how the program heeds an interrupt.
    os.register_at_fork(after_in_child=lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL))
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    sys.argv = ["trionet-bench", *arguments]
    code: object = 1
    try:
        program(arguments)
        code = 0
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0)


def _trionet_bench() -> Callable[[list[str]], object]:
    """The program with all that it ever imports."""
    for name in MODULES:
        import_module(name)
    from trionet_bench.cli.main import main
    from trionet_bench.execution import session

    session.worker_context = lambda systems: multiprocessing.get_context("fork")
    return main


if __name__ == "__main__":
    serve(_trionet_bench())
