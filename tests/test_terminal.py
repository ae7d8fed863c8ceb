"""What reaches a terminal, whatever names hold and whatever the encoding."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trionet_bench import cli
from trionet_bench.terminal import visible

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
    direct = re.compile(r"click\.echo|\bprint\(|std(out|err)\.write")
    assert [path.name for path in sources if direct.search(path.read_text())] == []


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
