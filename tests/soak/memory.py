"""The same study over and over in one process: planned, trained, searched, verified, reported; memory must not grow."""

import gc
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import statsmodels.api as sm

from tests.soak.findings import Outcome
from tests.soak.processes import resident_bytes
from tests.soak.study import Study
from trionet_bench.execution.executors.inline import Step, carry_out_step
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.worker import RunRequest
from trionet_bench.integrity.provenance import code_state
from trionet_bench.integrity.verify import verify
from trionet_bench.reporting.page import write_report
from trionet_bench.suite.specification import load_suite

_WARM = 1 / 3  # of the repetitions, in which caches fill
_LAGS = 5  # over which repetitions may depend on each other
_GROWTH = 0.01  # of the memory, over the repetitions that count: less is no growth
_STEPS: tuple[Step, ...] = ("supernet", "retrain")
_LEAST = 6  # repetitions, for an interval


def memory(home: Path, minutes: int, seed: int, outcome: Outcome) -> None:
    """Repeat for so long; the slope of resident memory over repetitions, with its 95 % interval (Newey-West).

    ``seed`` is of no use here.
    """
    os.environ["TRIONET_BENCH_CACHE"] = str(home / "cache")
    study = Study.at(home, home / "study")
    resident: list[int] = []
    files: list[int] = []
    end = time.monotonic() + 60 * minutes
    while time.monotonic() < end or len(resident) < _LEAST:
        _once(study)
        gc.collect()
        resident.append(resident_bytes())
        files.append(len(os.listdir("/proc/self/fd")))
        (home / "resident.json").write_text(json.dumps(resident))
    kept = np.array(resident[int(len(resident) * _WARM) :], float)
    design = sm.add_constant(np.arange(len(kept), dtype=float))
    fit = sm.OLS(kept, design).fit(cov_type="HAC", cov_kwds={"maxlags": min(_LAGS, len(kept) - 2)})
    slope, (low, high) = float(fit.params[1]), fit.conf_int()[1]
    outcome.figures |= {
        "repetitions": len(resident),
        "resident MiB at first": resident[0] / 2**20,
        "resident MiB after a third": kept[0] / 2**20,
        "resident MiB at last": resident[-1] / 2**20,
        "KiB a repetition": slope / 1024,
        "KiB a repetition, low": float(low) / 1024,
        "KiB a repetition, high": float(high) / 1024,
        "open files at first": files[0],
        "open files at last": files[-1],
    }
    if low > 0 and slope * len(kept) > _GROWTH * kept[0]:
        outcome.found("memory", f"it grows by {slope / 1024:.1f} KiB a repetition")
    if files[-1] > files[0]:
        outcome.found("memory", f"open files grow from {files[0]} to {files[-1]}")


def _once(study: Study) -> None:
    shutil.rmtree(study.folder, ignore_errors=True)
    suite = load_suite(study.home / "suite.yaml")
    for step in _STEPS:
        plan = make_plan(suite, study.folder / "results")
        request = RunRequest(plan.results, suite.fidelity, code_state(), "tests.soak", cache=study.home / "cache")
        carry_out_step(plan, step, request, "cpu", lambda done, total, what: None)
    if faults := verify(study.folder / "results").faults:
        raise RuntimeError(f"the study does not verify: {faults[0]}")
    write_report([study.results], study.report, ["csv"])
