"""The command line itself: light help, exit codes, errors as one paragraph."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner

from trionet_bench import __version__
from trionet_bench.cli import main as module
from trionet_bench.cli.main import main
from trionet_bench.errors import BenchError, DataError, StoreError, TrainingError, UsageError

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "torchvision", "pandas", "matplotlib", "scipy", "sklearn", "datasets", "ray")
COMMANDS = main.list_commands(click.Context(main))


def in_new_process(*arguments: str) -> tuple[int, str, float]:
    """Exit code, the heavy modules that were loaded, and processor time in seconds."""
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print(*[m for m in {HEAVY} if m in sys.modules], file=sys.stderr))\n"
        "sys.argv[0] = 'trionet-bench'\n"
        "from trionet_bench.cli.main import main\n"
        "main()"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, done.stderr.strip(), seconds


def test_help_is_light_and_names_every_command():
    code, heavy, seconds = in_new_process("--help")
    assert (code, heavy) == (0, "")
    assert seconds < 0.4
    text = CliRunner().invoke(main, ["--help"]).output
    assert {"run", "status", "report", "profile", "suite", "verify", "doctor"} <= set(COMMANDS)
    for name in COMMANDS:
        assert f"  {name} " in text


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_loads_nothing_heavy(name: str):
    code, heavy, _ = in_new_process(name, "--help")
    assert (code, heavy) == (0, "")


@pytest.mark.parametrize("arguments", [["suite", "list"], ["suite", "schema"], ["status", "quickstart"]])
def test_commands_that_only_read_load_nothing_heavy(arguments: list[str], tmp_path: Path):
    more = ["--results", str(tmp_path)] if arguments[0] == "status" else []
    code, heavy, _ = in_new_process(*arguments, *more)
    assert (code, heavy) == (0, "")


def test_version():
    assert CliRunner().invoke(main, ["--version"]).output == f"trionet-bench, version {__version__}\n"


@pytest.mark.parametrize(
    "arguments", [["rnu"], ["run"], ["run", "quickstart", "--jobs", "many"], ["run", "a", "--bad"]]
)
def test_wrong_usage_is_2(arguments: list[str]):
    assert CliRunner().invoke(main, arguments).exit_code == 2


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """A command ``status`` that raises."""

    def prepare(error: BaseException) -> None:
        @click.command()
        @click.option("--json", "as_json", is_flag=True)
        def status(as_json: bool) -> None:
            raise error

        stand_in = ModuleType("status")
        stand_in.status = status  # type: ignore[attr-defined]
        monkeypatch.setattr(module, "import_module", lambda name: stand_in)

    return prepare


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("what, where, what to do."), 2),
        (DataError("what, where, what to do."), 4),
        (StoreError("what, where, what to do."), 1),
        (TrainingError("what, where, what to do."), 1),
        (BenchError("what, where, what to do."), 1),
    ],
)
def test_errors_are_one_paragraph(failing: Callable[[BaseException], None], error: BenchError, code: int):
    failing(error)
    result = CliRunner().invoke(main, ["status"])
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "Error: what, where, what to do.\n"


@pytest.mark.parametrize("arguments", [["--debug", "status"], ["status", "--debug"]])
def test_debug_shows_the_traceback(failing: Callable[[BaseException], None], arguments: list[str]):
    failing(UsageError("told."))
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "Traceback" in result.stderr
    assert result.stderr.endswith("Error: told.\n")


def test_unexpected_errors_are_1_without_a_traceback(failing: Callable[[BaseException], None]):
    failing(ZeroDivisionError("division by zero"))
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: ZeroDivisionError: division by zero. This is a fault of the program; --debug shows where.\n"
    )


def test_interruption_is_130(failing: Callable[[BaseException], None]):
    failing(KeyboardInterrupt())
    result = CliRunner().invoke(main, ["status"])
    assert result.exit_code == 130
    assert "Interrupted" in result.stderr


@pytest.mark.parametrize(
    ("error", "kind", "message", "code"),
    [
        (DataError("birds are not here."), "DataError", "birds are not here.", 4),
        (ZeroDivisionError("division by zero"), "ZeroDivisionError", "is a fault of the program", 1),
        (click.UsageError("no such thing"), "UsageError", "no such thing", 2),
        (KeyboardInterrupt(), "KeyboardInterrupt", "Interrupted", 130),
    ],
)
def test_with_json_an_error_is_json(
    failing: Callable[[BaseException], None], error: BaseException, kind: str, message: str, code: int
):
    failing(error)
    result = CliRunner().invoke(main, ["status", "--json"])
    printed = json.loads(result.stdout)  # one document, nothing else
    assert (printed["error"]["type"], printed["exit_code"], result.exit_code) == (kind, code, code)
    assert message in printed["error"]["message"]
    assert message in result.stderr


def test_a_wrong_option_with_json_is_json():
    result = CliRunner().invoke(main, ["run", "quickstart", "--json", "--sedes", "3"])
    assert json.loads(result.stdout)["error"]["message"].startswith("No such option '--sedes'")
    assert result.exit_code == 2


def test_a_reader_that_has_had_enough_is_no_fault():
    command = [sys.executable, "-m", "trionet_bench", "suite", "list"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()  # as `| head` does
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_shell_completion_knows_the_shipped_suites():
    from trionet_bench.cli._options import SuiteName

    found = SuiteName().shell_complete(click.Context(main), click.Argument(["suite"]), "quick")
    assert [(item.value, item.type) for item in found] == [("quickstart", "plain"), ("quick", "file")]


def test_doctor_finds_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from trionet_bench.integrity import doctor as health

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(health.NEEDED, "surely_not_installed", "surely-not-installed")
    findings = {finding.name: finding for finding in health.examine(Path("results"), Path("reports"), Path("data"))}
    assert findings["torch"].state == "ok"
    assert findings["surely-not-installed"].state == "problem"
    assert findings["surely-not-installed"].advice == "pip install surely-not-installed"
    assert findings["data"].state == "absent"
    assert "Greek" in findings["fonts"].detail  # DejaVu Sans, which matplotlib brings along, has it
    result = CliRunner().invoke(main, ["doctor", "--json"])
    assert result.exit_code == 1
