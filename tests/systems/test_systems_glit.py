"""Whole GLiT cells on sixty tiny images: both levels, their baselines, and what the record says of placement."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.carried import phase_folders, record, result_names
from support.tiny import cell

from trionet_bench.errors import UsageError
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.records.record import CellResult
from trionet_bench.spaces.glit import GLiTArchitecture, GLiTSpace
from trionet_bench.spaces.presets import RESNET_NANO
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.glit.system import CHOICE, FIRST, JOINT, SECOND
from trionet_bench.systems.registry import SYSTEMS

# 8 x 8 images in four patches: five tokens. Three blocks.
TINY_GLIT = GLiTSpace(
    name="tiny-glit",
    resolution=8,
    patch=4,
    widths=(12, 24),
    heads=3,
    depth=3,
    kernels=(3, 5, 7),
)


def glit(budget: int = 40_000, **options: Any) -> AnyCell:
    return replace(cell("glit", budget=budget, **({"retrain": 2} | options)), space=TINY_GLIT)


def carry_out(of: AnyCell, folder: Path) -> CellResult:
    """All phases of a cell, then the cell."""
    folders = phase_folders(of, folder / "phases")
    (folder / "cell").mkdir(parents=True)
    return SYSTEMS.get("glit").runner.run_cell(of, RunContext(folder / "cell", folders))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[CellResult, Path]:
    """The result of a finished cell, and its folder."""
    folder = tmp_path_factory.mktemp("glit")
    return carry_out(glit(), folder), folder


def test_phases_are_two_supernets_and_the_choice_between_them():
    system = SYSTEMS.get("glit")
    first, choice, second = system.phases(glit())
    assert (first.name, choice.name, second.name) == (FIRST, CHOICE, SECOND)
    one_width = [system.phases(replace(glit(budget), space=TINY_GLIT.at_width(12))) for budget in (30_000, 40_000)]
    assert one_width[0][0].key == one_width[1][0].key  # budgets share the first supernet, but nothing after it
    assert {phase.key for phase in one_width[0][1:]}.isdisjoint(phase.key for phase in one_width[1][1:])
    assert system.phases(glit(30_000))[0].key != first.key  # the width may be another one
    assert [phase.name for phase in system.phases(glit(levels="one"))] == [JOINT]
    assert system.phases(glit(levels="none")) == ()


def test_two_levels(finished: tuple[CellResult, Path]):
    done, folder = finished
    of = glit()
    result = record(of, done)
    search = result.search
    assert search is not None
    # 2 generations of 4 children in either level
    assert search.evaluations == len(search.evaluated) == 2 * 8
    assert [child.level for child in search.evaluated] == [1] * 8 + [2] * 8
    assert [(state.level, state.evaluations) for state in search.best_by_generation] == [
        (1, 4),
        (1, 8),
        (2, 12),
        (2, 16),
    ]
    assert all(child.macs <= of.budget for child in search.evaluated)
    # the best two of the first level were trained alone, and the more accurate of them is what the second level refines
    first = sorted((c for c in search.evaluated if c.level == 1), key=lambda c: (-c.fitness, -c.macs))
    assert [(c.operators, c.fitness) for c in search.retrained] == [(c.operators, c.fitness) for c in first[:2]]
    winner = max(search.retrained, key=lambda candidate: candidate.fitness_alone).operators
    assert {child.operators for child in search.evaluated if child.level == 2} == {winner}
    assert result.architecture is not None
    found = TINY_GLIT.from_dict(result.architecture)
    assert TINY_GLIT.codes(TINY_GLIT.encode(found)) == winner
    assert architecture_macs(found, 3, 1, 8) == result.macs
    assert {probe.probe for probe in search.probes if probe.level == 1} >= {"all-global", "all-locality"}
    assert sorted(result.metrics) == [
        "finetuned_test_top1", "inherited_test_top1", "inherited_val_top1", "search_val_top1",
        "test_top1", "test_top5", "val_top1",
    ]  # fmt: skip
    assert {"supernet_s", "search_s", "select_s"} < result.timings.keys()
    assert result_names(folder / "cell") == [
        "architecture.json", "evaluations.jsonl", "history.jsonl", "model.safetensors", "predictions.npz",
    ]  # fmt: skip


def test_placement_has_an_entry_for_each_operator_of_a_block(finished: tuple[CellResult, Path]):
    done, _ = finished
    result = record(glit(), done)
    assert result.architecture is not None
    attending = [block["attending"] for block in result.architecture["blocks"]]
    shares = {(entry.block, entry.operator): entry.share for entry in result.placement}
    expected = {(b, "global"): units / 3 for b, units in enumerate(attending) if units}
    expected |= {(b, "locality"): 1 - units / 3 for b, units in enumerate(attending) if units < 3}
    assert shares == pytest.approx(expected)
    assert sum(entry.macs for entry in result.placement) == result.macs_by_stage["0"]
    for block in range(3):
        assert done.search is not None
        priors = [prior.share for prior in done.search.operator_prior if prior.block == block]
        assert sum(priors) == pytest.approx(1)


def test_same_cell_again_is_the_same_to_the_bit(finished: tuple[CellResult, Path], tmp_path: Path):
    again = carry_out(glit(), tmp_path)
    assert again.model_copy(update={"timings": {}}) == finished[0].model_copy(update={"timings": {}})
    for name in ("model.safetensors", "evaluations.jsonl"):
        assert (tmp_path / "cell" / name).read_bytes() == (finished[1] / "cell" / name).read_bytes()


def test_one_level_and_random_search_score_as_many(finished: tuple[CellResult, Path], tmp_path: Path):
    one = carry_out(glit(levels="one", search="random", sharing="slices"), tmp_path)
    two = finished[0].search
    assert one.search is not None
    assert two is not None
    assert one.search.evaluations == two.evaluations == 16
    assert (one.search.algorithm, one.search.sharing) == ("random", "slices")


def test_without_search_it_is_the_plain_transformer(tmp_path: Path):
    result = carry_out(glit(levels="none"), tmp_path)
    architecture = GLiTArchitecture.from_dict(result.architecture)
    assert [block.attending for block in architecture.blocks] == [3, 3, 3]
    assert result.search is None


@pytest.mark.parametrize(("budget", "width"), [(30_000, 12), (200_000, 24)])
def test_width_is_the_largest_whose_plain_transformer_fits(budget: int, width: int, tmp_path: Path):
    # T = 5 tokens; a block of width d: 5 (4 d d + 8 d d) + 2 * 25 d; embedding 4 * 16 d; classifier 3 d
    costs = {d: 3 * (5 * 12 * d * d + 50 * d) + 64 * d + 3 * d for d in (12, 24)}
    assert (costs[12], costs[24]) == (28_524, 108_888)
    result = carry_out(glit(budget, levels="none"), tmp_path)
    assert result.architecture is not None
    assert (result.architecture["width"], result.macs) == (width, costs[width])


def test_what_cannot_be_is_refused_before_anything_runs():
    system = SYSTEMS.get("glit")
    with pytest.raises(UsageError, match=r"No architecture of tiny-glit fits 5K MACs"):
        system.check(glit(5_000))
    with pytest.raises(UsageError, match="needs a glit space, not resnet-nano"):
        system.check(replace(glit(), space=RESNET_NANO))
