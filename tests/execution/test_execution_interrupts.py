"""Ctrl-C and SIGTERM at moments at which a program is least prepared for them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trionet_bench.records.store import iter_records

Write = Callable[..., Path]
MESSAGE = "Interrupted. What is finished is kept; the same command goes on from there.\n"
NEVER = 300  # seconds that nothing here takes
SOON = 60  # seconds within which a loaded machine ends a program


@contextlib.contextmanager
def program(*arguments: str | Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program that heeds Ctrl-C, in a group of processes of its own."""
    with subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
        preexec_fn=_heed_interrupts,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def _heed_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's jobs in the background ignore them


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def run_command(path: Path, results: Path) -> list[str | Path]:
    options = ["--no-report", "--device", "cpu", "--jobs", "2", "--retries", "0"]
    return ["-m", "trionet_bench", "run", path, "--results", results, *options]


def slow_module(folder: Path, name: str, where: str) -> Path:
    """A module that takes for ever to import in the process whose command line holds ``where``, and a file that says
    when that begins.
    """
    begun = folder / "begun"
    lines = [
        "import sys, time, pathlib",
        "arguments = pathlib.Path('/proc/self/cmdline').read_bytes().decode().split('\\0')",
        f"if any({where!r} in argument for argument in arguments):",
        f"    pathlib.Path({str(begun)!r}).touch()",
        f"    time.sleep({NEVER})",
    ]
    (folder / f"{name}.py").write_text("\n".join(lines))
    return begun


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["trionet_bench", "forkserver"])
def test_a_run_that_still_imports_ends_at_the_first_signal(
    suite_file: Write, tmp_path: Path, number: signal.Signals, where: str
):
    begun = slow_module(tmp_path, "slow_plugin", where)
    plugins = {"TRIONET_BENCH_PLUGINS": "support.fake_system,slow_plugin"}
    search = {"PYTHONPATH": f"{os.environ['PYTHONPATH']}:{tmp_path}"}
    with program(*run_command(suite_file(), tmp_path / "r"), **plugins, **search) as process:
        wait_for(begun.exists)
        os.killpg(process.pid, number)  # as a terminal does: every process hears it
        out, err = process.communicate(timeout=SOON)
    assert (process.returncode, out) == (130, "")
    assert err.endswith(MESSAGE)
    assert "Traceback" not in err
    assert list(iter_records(tmp_path / "r")) == []


LINGERS = """
import sys, time
from trionet_bench.interrupts import end_now, heed_interrupts
heed_interrupts()
try:
    print("ready", flush=True)
    time.sleep(300)
except KeyboardInterrupt:
    print("cleaning up", flush=True)
    time.sleep(300)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_at_once_what_the_first_did_not(number: signal.Signals):
    with program("-c", LINGERS) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "cleaning up\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SOON) == ("", MESSAGE)
    assert process.returncode == 130


def test_an_interrupt_that_a_library_swallows_ends_the_program_after_a_while():
    swallows = LINGERS.replace("import sys, time", "import trionet_bench.interrupts, time").replace(
        "heed_interrupts()\n", "trionet_bench.interrupts.PATIENCE = 0.1\nheed_interrupts()\n"
    )
    with program("-c", swallows) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=SOON) == ("cleaning up\n", MESSAGE)
    assert process.returncode == 130


@pytest.fixture
def hangups_end_programs() -> Iterator[None]:
    """Under ``nohup`` they do not, and a program inherits that of the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.usefixtures("hangups_end_programs")
def test_a_signal_that_reaches_workers_first_fails_no_cell(suite_file: Write, tmp_path: Path, number: signal.Signals):
    trace = tmp_path / "trace"
    trace.touch()
    path = suite_file({"a": {"seconds": 60.0, "epochs": 600, "trace": str(trace)}})
    with program(*run_command(path, tmp_path / "r")) as process:
        wait_for(lambda: len({line[-1] for line in trace.read_text().splitlines()}) == 2)  # both seeds are under way
        for worker in workers_of(process.pid):
            os.kill(worker, number)
        wait_for(lambda: not workers_of(process.pid))
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=SOON)
    assert (process.returncode, err.endswith(MESSAGE)) == (130, True)
    assert list(iter_records(tmp_path / "r")) == []


def workers_of(runner: int) -> list[int]:
    """The processes that the server of a runner has forked."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError):
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                if state != "Z":
                    parents[int(entry.name)] = int(parent)
    servers = {child for child, parent in parents.items() if parent == runner}
    return [child for child, parent in parents.items() if parent in servers]
