"""What the guides to adding something tell a reader to type works in a folder with the files that they show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.guides import block_of

ROOT = Path(__file__).parents[2]
GUIDES = [  # page, and the files that it shows by the language of the block
    ("adding-operator.md", {"python": "dilated.py", "yaml": "dilated.yaml"}),
    ("adding-system.md", {"python": "lottery.py", "yaml": "lottery.yaml"}),
    ("adding-task.md", {"python": "brightness.py", "yaml": "brightness.yaml"}),
    ("adding-source.md", {"python": "drawings.py", "text": "letters.drawings"}),
]


@pytest.mark.parametrize(("guide", "files"), GUIDES, ids=[guide for guide, _ in GUIDES])
def test_the_commands_of_a_guide_do_what_it_says(guide: str, files: dict[str, str], tmp_path: Path):
    for language, name in files.items():
        assert f"All of `{name}`" in (ROOT / "docs" / guide).read_text(), "a reader must know what to call the file"
        (tmp_path / name).write_text(block_of(guide, language))
    lines = [line.removeprefix("$ ") for line in block_of(guide, "console").splitlines()]
    assert lines[0].startswith("export TRIONET_BENCH_PLUGINS=")
    # Suites of the guides are run to their reports by the test of each guide; here their cells are named.
    short = [
        "status" + line.removeprefix("run").partition(" --")[0] if line.startswith("run") else line
        for line in (line.removeprefix("trionet-bench ") for line in lines[1:])
    ]
    script = "\n".join(["set -e", lines[0], *(f"{sys.executable} -m trionet_bench {line}" for line in short)])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("All 12 images are whole." if guide == "adding-source.md" else " missing") in done.stdout
    unknown = script.replace(lines[0], "true")
    lacking = subprocess.run(["bash", "-c", unknown], cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert lacking.returncode != 0
