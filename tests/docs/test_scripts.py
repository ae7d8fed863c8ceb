"""The scripts of docs/clusters.md call commands that exist, with options that exist, in the order that they say."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.guides import DOCS
from support.studies import small_suite

from trionet_bench.cli.main import main

# What stands in for the programs that a script starts: it notes how it was called.
STAND_IN = '#!/usr/bin/env bash\nprintf "%q " "$(basename "$0")" "$@" >> calls\necho >> calls\n'
SCRIPTS = sorted((DOCS / "scripts").glob("*.sh"))
EXPECTED = {
    "eight-gpus": ["search supernet", "run"],
    "ray": ["run"],
    "slurm-cells": ["run"],
    "slurm-supernet": ["search supernet"],
}


def called(script: Path, folder: Path, **settings: str) -> list[list[str]]:
    """The arguments of every call of trionet-bench, also of those that torchrun starts, one for each process."""
    (folder / "bin").mkdir()
    for name in ("trionet-bench", "torchrun"):
        (folder / "bin" / name).write_text(STAND_IN)
        (folder / "bin" / name).chmod(0o755)
    environment = os.environ | {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"} | settings
    subprocess.run(["bash", str(script)], cwd=folder, env=environment, check=True, capture_output=True)
    calls = [shlex.split(line) for line in (folder / "calls").read_text().splitlines()]
    for call in calls:
        if call[0] == "torchrun":
            assert call[1:3] == ["--standalone", "--nproc-per-node"]
            assert call[3].isdigit()
    return [call[call.index("trionet_bench") + 1 :] if call[0] == "torchrun" else call[1:] for call in calls]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_calls_commands_that_take_its_options(script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text(small_suite("mine"))
    calls = called(script, tmp_path, SUITE="mine.yaml", DATA="images", RESULTS="shared")
    expected = EXPECTED[script.stem]
    assert [" ".join(call[: len(words.split())]) for call, words in zip(calls, expected, strict=True)] == expected
    assert all("images" in call for call in calls)
    for call in calls:
        # The first option that does not exist is named, before anything is done: it must be this one.
        done = CliRunner().invoke(main, [*call, "--nonsense"])
        assert (done.exit_code, done.stderr.splitlines()[-1]) == (2, "Error: No such option '--nonsense'.")
