"""The same suite through Ray: equal results, and failures that stay with their cell."""

import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from trionet_bench.errors import UsageError
from trionet_bench.execution.executors.ray import RayExecutor, cluster_resources
from trionet_bench.execution.plan import make_plan
from trionet_bench.execution.scheduler import Watcher, run_plan
from trionet_bench.execution.worker import RunRequest
from trionet_bench.records.record import Code
from trionet_bench.records.store import iter_records
from trionet_bench.suite.specification import load_suite

Write = Callable[..., Path]
TESTS = Path(__file__).parents[1]
REQUEST = RunRequest(Path("results"), "full", Code(version="0", commit=None, dirty=None), "test")


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'ray>=2\.40'"):
        RayExecutor(REQUEST, None, "cpu")


def test_a_gpu_brings_its_share_of_cores():
    def node(alive: bool, **resources: float) -> dict[str, object]:
        return {"Alive": alive, "Resources": resources}

    mixed = [node(True, CPU=32.0, GPU=4.0), node(True, CPU=12.0, GPU=2.0), node(True, CPU=64.0), node(False, GPU=8.0)]
    each, places = cluster_resources(mixed, "auto")
    assert (each.device, each.threads, places) == ("cuda:0", 6, 6)
    each, places = cluster_resources(mixed, "cpu")
    assert (each.device, each.threads, places) == ("cpu", 1, 32 + 12 + 64)
    with pytest.raises(UsageError, match="no GPU"):
        cluster_resources([node(True, CPU=2.0)], "cuda")


@pytest.fixture
def _ray(_plugins: None) -> Iterator[None]:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    import ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": f"{TESTS.parent}:{TESTS}"}},
    )
    yield
    ray.shutdown()


@pytest.mark.usefixtures("_ray")
def test_a_suite_through_ray(suite_file: Write, tmp_path: Path):
    models = {"a": {}, "b": {"shared": True}, "raises": {"fault": "raise"}, "dies": {"fault": "kill"}}
    path = suite_file(models, seeds=[0])
    plan = make_plan(load_suite(path), tmp_path)
    request = replace(REQUEST, results=plan.results)
    executor = RayExecutor(request, None, "cpu")
    assert executor.slots == 2
    after = run_plan(plan, executor, request, Watcher())
    assert {cell.name.model: cell.state for cell in after.cells} == {
        "a": "complete", "b": "complete", "raises": "failed", "dies": "failed"
    }  # fmt: skip
    records = {record.model: record for record in iter_records(tmp_path)}
    assert records["raises"].error is not None
    assert records["raises"].error.message == "the loss is not finite"
    assert records["dies"].error is not None
    assert "its Ray worker ended" in records["dies"].error.message
    assert records["a"].key == plan.cells[0].key
    assert make_plan(load_suite(path), tmp_path).counts() == after.counts()
