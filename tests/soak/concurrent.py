"""Three runs of one study at once, each killed now and then and started again, until all have come to their end."""

import random
import shutil
import time
from pathlib import Path

from tests.soak.findings import Outcome
from tests.soak.ran import Ran, Running, ended, kill_group
from tests.soak.study import Study

_RUNS = 3
_KILLS = 4  # of a round
_APART = (1.0, 12.0)  # seconds between two kills
_GIVEN_UP_AFTER = 900.0  # seconds of a round


def concurrent(home: Path, rounds: int, seed: int, outcome: Outcome) -> None:
    """So many rounds, each from nothing."""
    generator = random.Random(seed)
    outcome.figures |= {"rounds": 0, "kills": 0}
    expected = Study.at(home, home / "undisturbed")
    ran = ended(expected.start(home / "undisturbed.txt"), home / "undisturbed.txt")
    if ran.code:
        raise RuntimeError(f"the study fails undisturbed: {ran.tail}")
    for number in range(rounds):
        study = Study.at(home, home / f"round-{number}")
        for slot, last in enumerate(_round(study, generator, outcome)):
            where = f"seed {seed}, round {number}, run {slot}"
            outcome.found(where, *last.faults, *([f"exit code {last.code}: {last.tail}"] if last.code else []))
        different = study.unlike(expected)
        outcome.found(f"seed {seed}, round {number}", *different)
        outcome.count("rounds")
        if not different:
            shutil.rmtree(study.folder)


def _round(study: Study, generator: random.Random, outcome: Outcome) -> list[Ran]:
    """How the runs ended that were not killed."""
    logs = [study.home / f"run-{slot}.txt" for slot in range(_RUNS)]
    runs: list[Running] = [study.start(log) for log in logs]
    began, left = time.monotonic(), _KILLS
    next_kill = began + generator.uniform(*_APART)
    while any(run.poll() is None for run in runs):
        now = time.monotonic()
        alive = [slot for slot, run in enumerate(runs) if run.poll() is None]
        if now - began > _GIVEN_UP_AFTER:
            outcome.found(str(study.folder), f"after {_GIVEN_UP_AFTER:g} s {len(alive)} runs have not ended")
            for slot in alive:
                kill_group(runs[slot])
                runs[slot].wait()
        elif alive and left and now >= next_kill:
            slot = generator.choice(alive)
            kill_group(runs[slot])
            runs[slot].wait()
            outcome.count("kills")
            left -= 1
            next_kill = now + generator.uniform(*_APART)
            runs[slot] = study.start(logs[slot])
        time.sleep(0.05)
    return [ended(run, log) for run, log in zip(runs, logs, strict=True)]
