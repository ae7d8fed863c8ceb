from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from support.tiny import FOUR_STAGES, TINY, all_networks, cell

from trionet_bench.errors import UsageError
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.records.layout import format_budget
from trionet_bench.spaces.choice import Genes
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO
from trionet_bench.spaces.resnet import Block, ResNetSpace
from trionet_bench.systems.cell import option_fields
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.scaling import scale_to_budget
from trionet_bench.systems.standalone.system import Options

OPERATORS = pytest.mark.parametrize("operator", ["conv", "local", "axial"])


def cost_in(space: ResNetSpace) -> Callable[[Genes], int]:
    return lambda genes: architecture_macs(space.decode(genes), 10, 1, space.resolution)


def scaled(space: ResNetSpace, budget: int, operator: str, **options: float) -> tuple[list[Block], int]:
    """All blocks, and the MACs."""
    genes = scale_to_budget(space, (operator,), options, cost_in(space), budget)
    blocks = [block for stage in space.decode(genes).stages for block in stage.blocks]
    return blocks, cost_in(space)(genes)


@OPERATORS
@pytest.mark.parametrize("budget", [2_500_000, 3_000_000, 4_000_000, 6_000_000])
def test_networks_of_one_operator_spend_nearly_all_of_the_budget(operator: str, budget: int):
    blocks, macs = scaled(RESNET_NANO, budget, operator=operator)
    assert {block.operator for block in blocks} == {operator}
    assert 0.95 * budget <= macs <= budget


@OPERATORS
def test_imagenet_networks_spend_nearly_all_of_the_budget(operator: str):
    _, macs = scaled(RESNET_IMAGENET, 2_300_000_000, operator=operator)
    assert 0.95 * 2_300_000_000 <= macs <= 2_300_000_000


@OPERATORS
def test_no_single_step_up_fits(operator: str):
    budget, cost = 3_000_000, cost_in(RESNET_NANO)
    genes = scale_to_budget(RESNET_NANO, (operator,), {}, cost, budget)
    existing = {position for _, _, position in RESNET_NANO.blocks(genes)}
    narrowest = (genes[4], 0, *genes[6:11])  # a further block: options like the first one's, smallest expansion
    steps = 0
    for position, choice in enumerate(RESNET_NANO.choices):
        scales = choice.group == "shape" or (choice.field == "expansion" and position - 1 in existing)
        if scales and choice.field != "local_terms" and genes[position] + 1 < len(choice.values):
            taller = [*genes]
            taller[position] += 1
            for _, _, block in RESNET_NANO.blocks(tuple(taller)):
                if block not in existing:
                    taller[block : block + 7] = narrowest
            assert cost(RESNET_NANO.canonical(tuple(taller))) > budget
            steps += 1
    assert steps > 3


@OPERATORS
def test_boundless_budget_gives_the_biggest_network(operator: str):
    genes = scale_to_budget(FOUR_STAGES, (operator,), {}, cost_in(FOUR_STAGES), 10**12)
    network = FOUR_STAGES.decode(genes)
    assert network.stem_width == 16
    assert [len(stage.blocks) for stage in network.stages] == [2, 2, 1, 2]
    assert [stage.width for stage in network.stages] == [24, 32, 32, 48]
    assert {block.expansion for stage in network.stages for block in stage.blocks} == {0.5}


@OPERATORS
def test_smallest_network_of_an_operator_is_the_limit(operator: str):
    cost = cost_in(TINY)
    of_operator = [
        cost(genes)
        for genes in all_networks(TINY)
        if all(TINY.operators[genes[position]] == operator for _, _, position in TINY.blocks(genes))
        # the usual window, the largest of at most 7
        and all(operator != "local" or genes[position + 3] == 1 for _, _, position in TINY.blocks(genes))
    ]
    assert scaled(TINY, min(of_operator), operator=operator)[1] == min(of_operator)
    with pytest.raises(UsageError) as caught:
        scaled(TINY, min(of_operator) - 1, operator=operator)
    smallest, budget = (format_budget(macs) for macs in (min(of_operator), min(of_operator) - 1))
    assert str(caught.value) == (
        f"No {operator} network of tiny fits {budget} MACs: the smallest needs {smallest}. Raise the budget or choose "
        "another space."
    )


@pytest.mark.parametrize(
    ("space", "operator", "expected"),
    [
        # of each paper: 3x3; window 7, 8 heads, full size; 8 heads, queries of half size
        (RESNET_IMAGENET, "conv", {"kernel": 3}),
        (RESNET_IMAGENET, "local", {"window": 7, "heads": 8, "qk": 1.0, "v": 1.0}),
        (RESNET_IMAGENET, "axial", {"heads": 8, "qk": 0.5, "v": 1.0}),
        # where the space lacks it, the largest below
        (RESNET_NANO, "local", {"window": 7, "heads": 2, "qk": 1.0, "v": 1.0}),
        (TINY, "local", {"window": 5, "heads": 2, "qk": 0.5, "v": 1.0}),
        # where it has nothing below either, the smallest
        (FOUR_STAGES.with_dimensions(qk=[0.75, 1.0]), "axial", {"heads": 4, "qk": 0.75, "v": 1.0}),
    ],
)
def test_usual_options(space: ResNetSpace, operator: str, expected: dict[str, Any]):
    blocks, _ = scaled(space, 10**12, operator=operator)
    for block in blocks:
        assert block.options == expected


def test_plain_local_attention_where_the_space_has_it():
    genes = scale_to_budget(RESNET_IMAGENET, ("local",), {}, cost_in(RESNET_IMAGENET), 10**12)
    assert RESNET_IMAGENET.decode(genes).local_terms == "plain"


def test_options_of_a_model_are_followed():
    blocks, macs = scaled(RESNET_NANO, 4_000_000, operator="local", window=3, heads=2, qk=0.5)
    assert all(block.options == {"window": 3, "heads": 2, "qk": 0.5, "v": 1.0} for block in blocks)
    assert macs <= 4_000_000


def test_option_that_the_space_lacks():
    with pytest.raises(UsageError, match="space resnet-nano has no window 9; allowed are 3, 5, 7"):
        scaled(RESNET_NANO, 10**12, operator="local", window=9)


def test_operator_that_the_space_lacks():
    with pytest.raises(UsageError, match='space tiny has no operator "axial"; allowed are conv, local'):
        scaled(TINY.with_dimensions(operators=["conv", "local"]), 10**12, operator="axial")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operator": "conv", "window": 7}, "conv networks have no window"),
        ({"operator": "axial", "window": 7}, "axial networks have no window"),
        ({"operator": "local", "kernel": 3}, "local networks have no kernel"),
        ({"operator": "pool"}, "operator"),
        ({"operator": "conv", "widow": 7}, "widow"),
    ],
)
def test_option_that_the_operator_lacks(options: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        Options(**options)


def test_options_enter_a_key_as_they_always_did():
    every = {"operator": "local", "kernel": None, "window": 7, "heads": None, "qk": None, "v": 0.5}
    assert option_fields(Options(operator="local", v=0.5, window=7)) == every


@pytest.mark.parametrize(("system", "options"), [("standalone", {"operator": "axial"}), ("trionet", {})])
def test_budgets_are_checked_before_anything_runs(system: str, options: dict[str, Any]):
    SYSTEMS.get(system).check(cell(system, **options))
    with pytest.raises(UsageError, match=r"tiny fits 30K MACs: the smallest needs [\d.]+K"):
        SYSTEMS.get(system).check(cell(system, budget=30_000, **options))


@pytest.mark.parametrize(("system", "options"), [("standalone", {"operator": "axial"}), ("trionet", {})])
def test_space_of_another_kind_is_refused(system: str, options: dict[str, Any]):
    class OtherSpace:
        name = "glit-small"

    other: Any = OtherSpace()
    with pytest.raises(UsageError, match=f'model "{system}": system {system} needs a resnet space, not glit-small'):
        SYSTEMS.get(system).check(replace(cell(system, **options), space=other))


def test_systems_by_name():
    with pytest.raises(UsageError, match='unknown system "trionett"; did you mean "trionet"'):
        SYSTEMS.get("trionett")
    with pytest.raises(UsageError, match='unknown system "retraining"'):
        SYSTEMS.get("retraining")


def test_one_operator_for_each_stage():
    # CAFormer's placement: convolution below, attention above.
    space = RESNET_NANO
    genes = scale_to_budget(space, ("conv", "conv", "axial"), {"heads": 2}, cost_in(space), 3_000_000)
    stages = [{block.operator for block in stage.blocks} for stage in space.decode(genes).stages]
    assert stages == [{"conv"}, {"conv"}, {"axial"}]
    assert all(block.options["heads"] == 2 for block in space.decode(genes).stages[2].blocks)
    assert 0.95 * 3_000_000 <= cost_in(space)(genes) <= 3_000_000


def test_as_many_operators_as_stages_or_one():
    with pytest.raises(UsageError, match=r"has 3 stages, but 2 operators are given: conv, axial\. Give one for all"):
        scale_to_budget(RESNET_NANO, ("conv", "axial"), {}, cost_in(RESNET_NANO), 3_000_000)


@pytest.mark.parametrize("terms", ["plain", "position_sensitive"])
def test_terms_of_local_attention_can_be_asked_for(terms: str):
    space = RESNET_NANO.with_dimensions(local_terms=["plain", "position_sensitive"])
    genes = scale_to_budget(space, ("local",), {}, cost_in(space), 3_000_000, terms)
    assert space.decode(genes).local_terms == terms


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operator": ["conv", "axail"]}, 'unknown operator "axail"; did you mean "axial"'),
        ({"operator": "conv", "local_terms": "plain"}, "conv networks have no local_terms"),
        ({"operator": ["conv", "conv", "axial"], "window": 3}, "conv-conv-axial networks have no window"),
    ],
)
def test_options_that_no_operator_has_are_refused(options: dict[str, Any], message: str):
    with pytest.raises(ValidationError, match=message):
        Options(**options)
