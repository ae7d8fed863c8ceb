"""What every system must keep to, on the sixty tiny images of ``support.tiny``."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.carried import phase_folders, record
from support.tiny import TINY

from trionet_bench.errors import UsageError
from trionet_bench.networks.mac_totals import count_again
from trionet_bench.networks.skeletons import build_network
from trionet_bench.records.record import CellResult
from trionet_bench.spaces.choice import Space
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.spaces.presets import GLIT_NANO
from trionet_bench.systems.base import AnySystem, RunContext
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.registry import SYSTEMS

Case = tuple[AnyCell, AnyCell]


class Interrupted(Exception):
    pass


def system_of(case: Case) -> AnySystem:
    return SYSTEMS.get(case[0].system)


def check_options_survive_their_record(case: Case, folder: Path) -> None:
    options = case[0].options
    again = type(options).model_validate(json.loads(options.model_dump_json()))
    assert again == options
    assert system_of(case).options_type is type(options)
    assert system_of(case).options_type.model_json_schema()["type"] == "object"


def check_reports_can_say_how_its_networks_come_about(case: Case, folder: Path) -> None:
    summary = system_of(case).summary
    assert summary
    assert not summary.endswith(".")  # a clause in a table
    assert "\n" not in summary


def check_keys_depend_on_what_matters(case: Case, folder: Path) -> None:
    of, _ = case
    key = of.key({})
    assert replace(of, suite="other", model="other").key({}) == key
    others = [replace(of, seed=of.seed + 1), replace(of, budget=of.budget + 1), replace(of, resolution=16)]
    assert len({key, of.key({"input": "content"}), *(other.key({}) for other in others)}) == 5


def check_phases_are_named_once_and_need_those_before(case: Case, folder: Path) -> None:
    of, _ = case
    phases = system_of(case).phases(of)
    names = [phase.name for phase in phases]
    assert len({*names}) == len(names)
    for number, phase in enumerate(phases):
        assert {*(phase.needs or ())} <= {*names[:number]}
    assert [phase.key for phase in system_of(case).phases(of)] == [phase.key for phase in phases]
    assert [phase.key for phase in system_of(case).phases(replace(of, suite="other", model="other"))] == [
        phase.key for phase in phases
    ]
    json.dumps([dict(phase.spec) for phase in phases])


def check_what_cannot_be_is_refused(case: Case, folder: Path) -> None:
    of, impossible = case
    system = system_of(case)
    system.check(of)
    with pytest.raises(UsageError, match="MACs"):
        system.check(impossible)
    if system.space_kind is None:
        return
    other: Space = TINY if isinstance(of.space, GLiTSpace) else GLIT_NANO
    with pytest.raises(UsageError, match=f"system {system.name} needs a {system.space_kind} space, not {other.name}"):
        system.check(replace(of, space=other))


def check_compute_is_estimated(case: Case, folder: Path) -> None:
    of, _ = case
    runner = system_of(case).runner
    work = [*runner.work(of)]
    for phase in system_of(case).phases(of):
        work += runner.phase_work(phase, of) or []
    assert work
    assert all(part.images > 0 and part.macs > 0 and part.total_macs >= part.images * part.macs for part in work)


def check_a_cell_gives_a_record_within_its_budget(case: Case, folder: Path) -> None:
    of, _ = case
    result = carried_out(of, folder)
    whole = record(of, result)
    assert whole.counts is not None
    if whole.ranked:
        assert all(entry.macs <= of.budget for entry in whole.ranked)
        return
    assert whole.macs is not None
    assert whole.macs <= of.budget
    assert whole.macs == sum(whole.macs_by_operator.values()) == sum(whole.macs_by_stage.values())
    index, architecture = of.data.index, of.space.from_dict(result.architecture)
    with torch.device("meta"):
        network = build_network(architecture, of.data.task.outputs(index), index.channels, of.resolution)
    count_again(network, whole.macs, of.resolution, index.channels)  # raises where the counter disagrees
    primary = of.data.task.primary.name
    assert {f"test_{primary}", f"val_{primary}"} <= whole.metrics.keys()


def check_an_interrupted_cell_ends_with_the_same_bits(case: Case, folder: Path) -> None:
    of, _ = case
    undisturbed = carried_out(of, folder)
    steps: list[int] = []

    def interrupt(done: int, total: int, text: str) -> None:
        steps.append(done)
        if len(steps) == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        carried_out(of, folder, "torn", interrupt)
    resumed = carried_out(of, folder, "torn")
    assert resumed.model_copy(update={"timings": {}}) == undisturbed.model_copy(update={"timings": {}})
    for path in (folder / "cell").glob("*.safetensors"):
        assert path.read_bytes() == (folder / "torn" / path.name).read_bytes()


def carried_out(
    of: AnyCell, folder: Path, name: str = "cell", progress: Callable[[int, int, str], None] = lambda *_: None
) -> CellResult:
    """The cell, after its phases, with a checkpoint at every epoch."""
    inputs = phase_folders(of, folder / "phases")
    (folder / name).mkdir(exist_ok=True)
    context = RunContext(folder / name, inputs, progress=progress, checkpoint_seconds=0)
    return SYSTEMS.get(of.system).runner.run_cell(of, context)


SYSTEM_CHECKS: tuple[Callable[[Case, Path], None], ...] = (
    check_options_survive_their_record,
    check_reports_can_say_how_its_networks_come_about,
    check_keys_depend_on_what_matters,
    check_phases_are_named_once_and_need_those_before,
    check_what_cannot_be_is_refused,
    check_compute_is_estimated,
    check_a_cell_gives_a_record_within_its_budget,
    check_an_interrupted_cell_ends_with_the_same_bits,
)
