"""SIGKILL at random moments of every stage of a study: then it is run again, and must be as if nothing had happened.

A trial is a study from nothing that is killed one to eight times and then run to its end. Each kill waits for a stage
that is drawn from those ahead, and then for a random part of what the stage takes. Killed are the whole run, only the
program that was started, or one process below it. Every fourth trial starts programs from nothing, the others fork
them from one that has imported everything, which changes only how long the start takes.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.soak.findings import Outcome
from tests.soak.processes import descendants, group
from tests.soak.ran import Ran, Running, ended, kill_group
from tests.soak.study import Study, environment
from tests.soak.warm import Warm

STAGES = ("start", "baseline", "supernet", "search", "retraining", "report")
_VICTIMS = ("run", "run", "program", "below")
_MOST_KILLS = 8  # of a trial
_COLD = 4  # one trial of so many starts programs from nothing
_POLL = 0.01  # seconds
_ORPHANS_END = 10.0  # seconds in which workers must follow their program
_ALLOWED = (0, 1, 3)  # exit codes of a run that lost a worker


def kills(home: Path, wanted: int, seed: int, outcome: Outcome) -> None:
    """Kill so often, over as many trials as that takes."""
    generator = random.Random(seed)
    outcome.figures |= {"kills": 0, "trials": 0} | {f"in {stage}": 0 for stage in STAGES}
    with Warm(environment(home)) as warm:
        expected, seconds = _timed(home, warm)
        while int(outcome.figures["kills"]) < wanted:
            trial = int(outcome.figures["trials"])
            study = Study.at(home, home / f"trial-{trial}")
            start = partial(study.start) if trial % _COLD == _COLD - 1 else partial(warm.start, study.arguments)
            left = min(wanted - int(outcome.figures["kills"]), generator.randint(1, _MOST_KILLS))
            done = [_kill(study, start, generator, seconds, outcome, trial) for _ in range(left)]
            last = ended(start(home / "run.txt"), home / "run.txt")
            where = f"seed {seed}, trial {trial}, {'; '.join(done)}"
            before = len(outcome.findings)
            outcome.found(where, *last.faults, *([f"exit code {last.code}: {last.tail}"] if last.code else []))
            outcome.found(where, *study.unlike(expected))
            outcome.count("trials")
            if len(outcome.findings) == before:
                shutil.rmtree(study.folder)


def stages_of(study: Study) -> set[str]:
    """Which stages a study is in, by the files that it has."""
    cells, now = study.results / "digits", set()
    if next(cells.glob("conv/*/.attempt"), None):
        now.add("baseline")
    if next(study.results.glob("phases/*/.attempt"), None):
        now.add("supernet")
    if next(cells.glob("trionet/*/.attempt"), None):
        now.add("retraining" if next(cells.glob("trionet/*/history.jsonl"), None) else "search")
    if len(list(cells.glob("*/*/record.json"))) == 2:
        now.add("report")
    return now or {"start"}


def _timed(home: Path, warm: Warm) -> tuple[Study, dict[str, float]]:
    """An undisturbed run, and the seconds of each of its stages; one before it fills the cache."""
    log = home / "undisturbed.txt"
    for name in ("first", "undisturbed"):
        study = Study.at(home, home / name)
        seconds = dict.fromkeys(STAGES, 0.0)
        process, before = warm.start(study.arguments, log), time.monotonic()
        while process.poll() is None:
            now = time.monotonic()
            for stage in stages_of(study):
                seconds[stage] += now - before
            before = now
            time.sleep(_POLL)
        if process.returncode != 0:
            raise RuntimeError(f"the study fails undisturbed: {Ran(1, log.read_text()).tail}")
    return study, seconds


def _kill(
    study: Study,
    start: Callable[[Path], Running],
    generator: random.Random,
    seconds: dict[str, float],
    outcome: Outcome,
    trial: int,
) -> str:
    """Run until a random moment and kill; says what was done."""
    reached = stages_of(study)
    ahead = [stage for stage in STAGES[1:] if _is_ahead(study, stage)]
    if not ahead:
        return "all was done"
    ahead = ["start", *ahead]
    stage = generator.choice(ahead)
    victim = generator.choice(_VICTIMS)
    wait = generator.uniform(0, seconds[stage])
    log = study.home / "run.txt"
    process = start(log)
    while stage != "start" and process.poll() is None and stage not in stages_of(study):
        time.sleep(_POLL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait)
    at = "+".join(sorted(stages_of(study)))
    below = descendants(process.pid)
    what = f"{victim} killed {wait:.2f} s into {stage}, with {at}, after {'+'.join(sorted(reached))}"
    if process.poll() is not None:
        return f"{what}: too late"
    outcome.count("kills")
    outcome.count(f"in {stage}")
    if victim == "below" and below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(generator.choice(below), signal.SIGKILL)
        ran = ended(process, log)
        outcome.found(f"trial {trial}: {what}", *ran.faults)
        if ran.code not in _ALLOWED:
            outcome.found(f"trial {trial}: {what}", f"exit code {ran.code}: {ran.tail}")
        return what
    if victim == "run":
        kill_group(process)
    else:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if victim == "program" and generator.random() < 0.5:  # otherwise the next run meets the orphans
        deadline = time.monotonic() + _ORPHANS_END
        while (left := group(process.pid)) and time.monotonic() < deadline:
            time.sleep(_POLL)
        if left:
            outcome.found(f"trial {trial}: {what}", f"{len(left)} of its processes live on after {_ORPHANS_END:g} s")
    return what


def _is_ahead(study: Study, stage: str) -> bool:
    """Whether a stage is still to come or under way."""
    cells = study.results / "digits"
    done = {
        "baseline": cells.glob("conv/*/record.json"),
        "supernet": study.results.glob("phases/*/phase.json"),
        "search": cells.glob("trionet/*/history.jsonl"),
        "retraining": cells.glob("trionet/*/record.json"),
        "report": study.report.glob("report.json"),
    }
    return next(done[stage], None) is None
