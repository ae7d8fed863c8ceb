"""A suite that looks finished: records of the usual size under the right keys, without a network being trained."""

from pathlib import Path

from trionet_bench import __version__
from trionet_bench.execution.jobs import CellJob, PhaseJob
from trionet_bench.execution.plan import Plan, make_plan
from trionet_bench.execution.scheduler import inputs_of
from trionet_bench.execution.worker import RunRequest, failed_record, utc_now
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.layout import RECORD
from trionet_bench.records.phase import PhaseRecord, content_of, write_phase
from trionet_bench.records.record import Code, Environment, Failure, Record
from trionet_bench.records.store import write_json
from trionet_bench.suite.specification import load_suite

CODE = Code(version=__version__, commit=None, dirty=None)
ENVIRONMENT = Environment(
    python="", torch="", torchvision="", numpy="", platform="", cpu="", cores=1, device="cpu", device_name=""
)
BLOCKS, EVALUATED = 6, 80


def write_finished(suite: str, results: Path) -> int:
    """Make every cell of a suite, and every phase that cells share, look done; returns the number of cells."""
    plan = make_plan(load_suite(suite), results)
    plan.check_data()
    contents = {key: _finish_phase(phase) for key, phase in plan.phases.items()}
    for cell in plan.cells:
        assert cell.job is not None  # no data set is absent
        write_json(cell.folder / RECORD, _record(plan, cell.job, contents).model_dump(by_alias=True))
    return len(plan.cells)


def _finish_phase(phase: PhaseJob) -> str:
    facts: JsonObject = {"probes": [], "operator_draws": {"conv": 1}}
    content = content_of(facts, {})
    now = utc_now()
    record = PhaseRecord(
        name=phase.phase.name,
        key=phase.phase.key,
        content=content,
        inputs={},
        spec=dict(phase.phase.spec),
        facts=facts,
        files={},
        timings={},
        warnings=[],
        environment=ENVIRONMENT,
        code=CODE,
        determinism={},
        command="",
        started=now,
        finished=now,
    )
    write_phase(phase.folder, record)
    return content


def _record(plan: Plan, job: CellJob, contents: dict[str, str]) -> Record:
    ready = job.on(inputs_of(plan, job, contents))
    request = RunRequest(plan.results, plan.suite.fidelity, CODE, "trionet-bench run")
    nothing = Failure(type="", message="", traceback="")
    bare = failed_record(ready, ready.key, request, nothing, ENVIRONMENT, utc_now()).model_dump(by_alias=True)
    block = {
        "operator": "conv",
        "macs": 1,
        "resolution": 8,
        "width": 64,
        "mid_width": 16,
        "expansion": 0.25,
        "kernel": 3,
    }
    search = {
        **{"algorithm": "evolution", "sampler": "hierarchical", "sharing": "multi-head", "evaluations": EVALUATED},
        **{"acceptance_rate": 0.5, "calibration_images": 256, "operator_draws": {}, "probes": []},
        "best_by_generation": [],
        "evaluated": [{"macs": 1, "fitness": 0.5, "operators": "clacla"}] * EVALUATED,
        "operator_prior": [{"stage": 0, "block": b, "operator": "conv", "share": 1.0} for b in range(3 * BLOCKS)],
    }
    return Record.model_validate(
        {
            **bare,
            "status": "complete",
            "error": None,
            "placement": [{"stage": 0, "block": b, **block} for b in range(BLOCKS)],
            "metrics": {"test_top1": 0.9, "test_top5": 0.99, "val_top1": 0.9},
            "search": search if job.needs else None,
        }
    )
