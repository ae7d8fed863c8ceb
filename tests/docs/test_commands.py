"""Every command that README and docs/ show is carried out, on something small; long ones as far as a dry run."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fabricated import fabricate
from PIL import Image
from support.guides import README, block_of, commands
from support.studies import small_suite
from support.tiny import cell

from trionet_bench.cli.main import main
from trionet_bench.execution import estimate
from trionet_bench.execution.pace import Pace
from trionet_bench.reporting.showcase import BEGIN, END
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.registry import SYSTEMS

COMMANDS = list(commands())
# What is added so that a command is short, by its first words. ``--help`` still shows that there is such a command.
SHORTENED = {
    "run": ["--dry-run"],
    "compare": ["--dry-run"],
    "report": ["--formats", "csv"],
    "export": ["--format", "torch"],
    "report imagenet": ["--help"],
    "verify": ["--help"],  # tests/api/test_api_study.py verifies results of a study
    "bench": ["--help"],
    "search": ["--help"],
    "data fetch": ["--help"],
    "data check imagenet:imagenet": ["--help"],  # of images that are not here
}
GROUPS = ("bench", "data", "export", "suite")
DATA_MISSING = 4  # the exit code where a dry run of a suite finds that its data are not here


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a reader has by then: photos, suites, results."""
    folder = tmp_path_factory.mktemp("reader")
    generator = np.random.default_rng(0)
    for top in ("photos", "birds/train", "birds/test"):
        for number in range(16):
            place = folder / top / ("crow", "wren")[number % 2] / f"{number}.png"
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(place)
    (folder / "birds.yaml").write_text(block_of(README, "yaml"))
    (folder / "README.md").write_text(f"{BEGIN}\n{END}\n")
    (folder / "my-suite.yaml").write_text(small_suite("mine"))
    results = folder / "results"
    for suite in ("quickstart", "imagenet", "tiny"):
        fabricate(results, suite, ("digits",), ("conv", "trionet"), (0, 1), (3_000_000,), images=40, evaluated=10)
    of = cell("standalone", operator="conv")
    for cell_of in ("quickstart/digits/conv", "quickstart/digits/trionet", "tiny/digits/conv"):
        SYSTEMS.get("standalone").runner.run_cell(of, RunContext(results / cell_of / "3M-s0"))
    (results / "tiny/suite.yaml").write_text(small_suite("tiny"))
    return folder


def short(command: str) -> list[str]:
    """The arguments of a command, and what makes it short."""
    words = shlex.split(command)[1:]
    plain = [word for word in words if not word.strip(".").isupper() and "|" not in word]
    if plain != words or (words[0] in GROUPS and len(words) == 1):  # speaks of commands of this kind
        return [*plain, "--help"]
    first = [" ".join(words[:count]) for count in (3, 2, 1)]
    added = next((SHORTENED[name] for name in first if name in SHORTENED), [])
    return words if added and added[0] in words else [*words, *added]


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[f"{page}: {command}" for page, command in COMMANDS])
def test_a_command_of_the_documentation_does_what_it_says(
    page: str, command: str, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(estimate, "measure_pace", lambda cell, resources: Pace(1e-11, 3e-11, 0.1))  # takes seconds
    done = CliRunner().invoke(main, short(command))
    if done.exit_code == DATA_MISSING and command.startswith("trionet-bench run "):
        assert "cannot be run without it" in done.stderr
    else:
        assert done.exit_code == 0, (short(command), done.output)
    assert done.stdout or done.exit_code == DATA_MISSING


def test_the_commands_were_found():
    assert {"run", "compare", "data", "predict", "export"} <= {command.split()[1] for _, command in COMMANDS}
    assert "trionet-bench compare photos/" in [command for _, command in COMMANDS]
