"""What reaches a terminal, whatever names hold and whatever the encoding."""

import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from trionet_bench import cli
from trionet_bench.cli.main import main
from trionet_bench.execution.worker import logged
from trionet_bench.terminal import VisibleFormatter, visible

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\rb"),
        ("\x9b31m", "\\x9b31m"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("tab\tand\nbreak", "tab\tand\nbreak"),
        ("水 café [bold] 🐞", "水 café [bold] 🐞"),
    ],
)
def test_control_characters_are_shown_by_their_escapes(text: str, shown: str):
    assert visible(text) == shown


def test_commands_write_by_one_function():
    sources = Path(next(iter(cli.__path__))).rglob("*.py")
    direct = re.compile(r"click\.echo|\bprint\(|print_exc|std(out|err)\.write")
    assert [path.name for path in sources if direct.search(path.read_text())] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "quickstart", "\x1b[31m\u202eX"],
        ["run", "quickstart", "--\x1b[31m\u202eX"],
        ["\x1b[31m\u202eX"],
        ["report", "\x1b[31m\u202eX"],
        ["--debug", "data", "check", "folder:/absent\x1b[31m\u202eX"],
    ],
)
def test_errors_show_the_control_characters_of_what_they_name(arguments: list[str]):
    result = CliRunner().invoke(main, arguments, color=True)  # color: nothing is stripped, as on a terminal
    assert result.exit_code != 0
    assert "\\x1b[31m\\u202eX" in result.output
    assert not {"\x1b", "\u202e"} & {*result.output}


def test_logged_warnings_show_control_characters():
    record = logging.LogRecord("name", logging.WARNING, "file", 1, "%s cannot be read.", ("a\x1b[2J\rb",), None)
    assert VisibleFormatter().format(record) == "a\\x1b[2J\\rb cannot be read."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of images, with names in Chinese and with an accent."""
    generator = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("café", "水"):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(12):
                pixels = generator.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / part / name / f"{i}.png")
            (tmp_path / part / name / "damaged.png").write_bytes(b"no image")
    return tmp_path


# click takes ASCII for a terminal that is not set up, and writes UTF-8
@pytest.mark.parametrize(("encoding", "written"), [("ascii", "utf-8"), ("latin-1", "latin-1"), ("utf-8", "utf-8")])
def test_names_are_shown_in_any_encoding(folder: Path, encoding: str, written: str):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": encoding,
        "PYTHONUTF8": "0",
        "LC_ALL": "C",
    }
    command = [sys.executable, "-m", "trionet_bench", "data", "check", f"folder:{folder}"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 4
    for name in ("café", "水"):
        assert name.encode(written, "backslashreplace") in done.stdout


def test_warnings_of_python_show_control_characters(tmp_path: Path):
    code = (
        "import warnings\n"
        "from trionet_bench.terminal import accept_any_text\n"
        "accept_any_text()\n"
        "accept_any_text()\n"
        "warnings.warn('a\\x1b[2J\\rb is damaged')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert "UserWarning: a\\x1b[2J\\rb is damaged\n" in done.stderr
    assert not {"\x1b", "\r"} & {*done.stderr}


def test_logs_of_workers_show_control_characters(tmp_path: Path):
    path = tmp_path / "log.txt"
    with logged(path) as warned:
        print("printed \x1b[2J水")
        print("to errors \x1b[2J", file=sys.stderr)
        logging.getLogger("name").warning("logged %s", "\u202e")
        warnings.warn("warned \x1b[2J", stacklevel=1)
    content = path.read_text(encoding="utf-8")
    for line in ("printed \\x1b[2J水\n", "to errors \\x1b[2J\n", "name: logged \\u202e\n", "warned \\x1b[2J\n"):
        assert line in content
    assert not {"\x1b", "\u202e"} & {*content}
    assert len(warned) == 1
