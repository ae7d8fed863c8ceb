"""What every spatial operator must do: checks that take its declaration, and fail with an assertion."""

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.layers import initialise, strided
from trionet_bench.networks.mac_totals import counted_macs
from trionet_bench.networks.operators.base import SpatialOperator, build_operator
from trionet_bench.networks.sharing import SHARINGS
from trionet_bench.networks.skeletons import architecture_macs, build_network
from trionet_bench.records.record import Placement
from trionet_bench.spaces.choice import Architecture, Space
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.spaces.glit_architecture import GLiTBlock
from trionet_bench.spaces.operators import OPERATORS, OperatorSpec, Option, operators_for, options_of
from trionet_bench.spaces.resnet import LOCAL_TERMS, ResNetSpace, StageChoices
from trionet_bench.spaces.resnet_architecture import Block
from trionet_bench.systems.scaling import scale_to_budget

CHANNELS = 64  # enough for 8 heads of different sizes
SIZES = [(8, 8), (7, 5), (1, 1), (3, 9)]
CLASSES = 5


@contextmanager
def registered(*specs: OperatorSpec) -> Iterator[None]:
    """Operators that are registered for as long as this lasts."""
    for spec in specs:
        OPERATORS.register(spec)
    try:
        yield
    finally:
        for spec in specs:
            OPERATORS.unregister(spec.name)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers in float64."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def another(option: Option, value: float) -> float:
    """A valid value of an option beside ``value``."""
    return {"odd numbers": value + 2, "whole numbers": value * 2, "numbers": value / 2}[option.kind]


def usual_block(spec: OperatorSpec, **changes: float) -> Block:
    """A block of a ResNet operator with its usual options."""
    return Block(spec.name, 0.5, **({option.name: value for option, value in spec.options.items()} | changes))


def built(block: Block, stride: int = 1, size: tuple[int, int] = (8, 8), terms: str = "plain") -> SpatialOperator:
    """An operator with initial weights, in float64."""
    return initialise(build_operator(block, CHANNELS, stride, size, terms), 0).double()


def variants(spec: OperatorSpec) -> list[tuple[Block, str]]:
    """Blocks with the smallest and the largest value of each option, in every form that it has."""
    values = [sorted({option.values[0], option.values[-1]}) for option in spec.options]
    names = [option.name for option in spec.options]
    blocks = [Block(spec.name, 0.5, **dict(zip(names, chosen, strict=True))) for chosen in product(*values)]
    return [(block, terms) for block in blocks for terms in (LOCAL_TERMS if spec.uses_local_terms else LOCAL_TERMS[:1])]


def check_marks_are_its_own(spec: OperatorSpec) -> None:
    """No other operator has its code, colour, hatch or marker."""
    others = [other for other in OPERATORS if other is not spec]
    assert spec.code not in [other.code for other in others]
    assert spec.colour not in [other.colour for other in others]
    assert (spec.hatch, spec.marker) not in [(other.hatch, other.marker) for other in others]


def check_shapes(spec: OperatorSpec) -> None:
    """The output has the channels that ``outputs`` says, and is strided as by a convolution."""
    for (block, terms), stride, size in product(variants(spec), (1, 2), SIZES):
        operator = built(block, stride, size, terms)
        out = operator(drawn(2, CHANNELS, *size))
        assert out.shape == (2, operator.outputs.size, strided(size[0], stride), strided(size[1], stride)), block


def check_closed_form_is_the_count(spec: OperatorSpec) -> None:
    """``macs`` is what an operator-level counter sees."""
    for (block, terms), stride, size in product(variants(spec), (1, 2), [*SIZES, (32, 31)]):
        with torch.device("meta"):
            operator = build_operator(block, CHANNELS, stride, size, terms)
        assert operator.macs(*size) == counted_macs(operator, *size, input_channels=CHANNELS), (block, size)


def check_gradients(spec: OperatorSpec) -> None:
    """Input and every parameter have a gradient; a parameter without one has no effect."""
    for block, terms in variants(spec):
        operator, x = built(block, 1, (8, 8), terms), drawn(2, CHANNELS, 8, 8).requires_grad_()
        _check_gradients(operator, x, lambda: operator(x))  # noqa: B023


def _check_gradients(module: nn.Module, x: Tensor, run: Callable[[], Tensor]) -> None:
    for parameter in module.parameters():  # where a bias of 0 or a scale of 1 would hide a path
        parameter.data += 0.1 * drawn(*parameter.shape, seed=1)
    out = run()
    (out * drawn(*out.shape, seed=2)).sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and x.grad.any()
    for name, parameter in module.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            parameter.data += 1
            torch.testing.assert_close(run(), out, msg=f"{name} has no gradient")
        else:
            assert parameter.grad.isfinite().all(), name


def check_repeatable(spec: OperatorSpec) -> None:
    """Weights are a function of the seed, outputs one of weights and input, to the bit."""
    block, x = usual_block(spec), drawn(2, CHANNELS, 8, 8)
    first, again, other = built(block), built(block), initialise(built(block), 1)
    assert torch.equal(first(x), again(x)) and torch.equal(first(x), again(x))
    drawn_weights = [parameter for parameter in first.parameters() if parameter.std() > 0]
    assert not drawn_weights or not torch.equal(first(x), other(x))


def check_options(spec: OperatorSpec) -> None:
    """Each of its options changes MACs, parameters or output, and those of other operators change nothing."""
    usual = _observed(built(usual_block(spec)))
    for option, value in spec.options.items():
        assert not _same(_observed(built(usual_block(spec, **{option.name: another(option, value)}))), usual), option
    for name, option in options_of(operators_for("resnet")).items():
        if name not in options_of([spec]):
            assert _same(_observed(built(usual_block(spec, **{name: option.values[0]}))), usual), name
    sensitive = _observed(built(usual_block(spec), terms="position_sensitive"))
    assert _same(sensitive, usual) != spec.uses_local_terms


def _observed(operator: SpatialOperator) -> tuple[int, int, Tensor]:
    parameters = sum(parameter.numel() for parameter in operator.parameters())
    return operator.macs(8, 8), parameters, operator(drawn(2, CHANNELS, 8, 8))


def _same(one: tuple[int, int, Tensor], other: tuple[int, int, Tensor]) -> bool:
    return one[:2] == other[:2] and torch.equal(one[2], other[2])


def space_of(spec: OperatorSpec) -> ResNetSpace:
    """A small space of one operator, with two values of each of its options."""
    pairs = {option.dimension: sorted({option.values[0], another(option, option.values[0])}) for option in spec.options}
    stages = (StageChoices((1, 2), (16, 24), 1), StageChoices((1,), (24,), 2))
    lists: dict[str, Any] = {dimension: tuple(values) for dimension, values in pairs.items()}
    return ResNetSpace("of-one", 12, "conv3", (8,), stages, (spec.name,), (0.25, 0.5), LOCAL_TERMS, **lists)


def check_space(spec: OperatorSpec) -> None:
    """A space of it alone keeps its architectures through genes and JSON."""
    check_architectures(space_of(spec), 20)


def check_supernet(spec: OperatorSpec) -> None:
    """A child in the supernet gives the logits of the network that is extracted from it, to the bit."""
    check_children(space_of(spec), 3)


def check_standalone(spec: OperatorSpec) -> None:
    """A network of it alone is scaled to a budget, counts the same in both ways and can be placed in a record."""
    space = space_of(spec)
    biggest = space.decode(space.extreme({}, biggest=True))
    budget = _macs(space, biggest) * 2 // 3
    asked = {option.name: another(option, option.values[0]) for option in spec.options}
    network = space.decode(scale_to_budget(space, (spec.name,), asked, lambda g: _macs(space, space.decode(g)), budget))
    assert _macs(space, network) <= budget
    for stage in network.stages:
        assert all(block == Block(spec.name, block.expansion, **asked) for block in stage.blocks)
    check_both_counts(space, network)
    with torch.device("meta"):
        entries = build_network(network, CLASSES, 2, space.resolution).placement(space.resolution)
    for entry in entries:
        placed = Placement(**entry, macs=0)
        fields = placed.model_dump()
        assert {name: fields.get(name, placed.options.get(name)) for name in asked} == asked


def check_architectures(space: Space, count: int) -> None:
    """Genes, networks and JSON say the same, and equal canonical genes are equal networks."""
    generator = np.random.default_rng(0)
    by_genes: dict[tuple[int, ...], Architecture] = {}
    for _ in range(count):
        raw = tuple(int(gene) for gene in generator.integers(space.gene_counts))
        genes, network = space.canonical(raw), space.decode(raw)
        assert space.canonical(genes) == genes
        assert space.decode(genes) == network and hash(space.decode(genes)) == hash(network)
        assert space.encode(network) == genes
        assert space.from_dict(network.to_dict()) == network
        assert len(space.codes(genes)) == len(space.blocks(genes)) == len(space.operators_in(genes))
        sent = pickle.loads(pickle.dumps((space, network)))  # as processes get it
        assert sent == (space, network) and [*map(hash, sent)] == [hash(space), hash(network)]
        by_genes[genes] = network
    assert len(set(by_genes.values())) == len(by_genes)


def check_both_counts(space: Space, network: Architecture) -> None:
    """The closed form of a network is its operator-level count."""
    with torch.device("meta"):
        skeleton = build_network(network, CLASSES, 2, space.resolution)
    assert counted_macs(skeleton, space.resolution, space.resolution, 2) == _macs(space, network)
    assert sum(cost.macs for cost in skeleton.costs(space.resolution, space.resolution)) == _macs(space, network)


def _macs(space: Space, network: Architecture) -> int:
    return architecture_macs(network, CLASSES, 2, space.resolution)


def check_children(space: Space, count: int) -> None:
    """Random children of a supernet are the networks that are extracted, under every rule of sharing."""
    generator, size = np.random.default_rng(0), space.resolution
    images = drawn(3, 2, size, size).float()
    for rule in SHARINGS.values():
        net = Supernet(space, lambda network: build_network(network, CLASSES, 2, size), rule(), 0)
        for _ in range(count):
            child = space.decode(space.random(generator))
            for training in (True, False):
                net.train(training)
                assert torch.equal(net(images, child), net.extract(child)(images)), child


GLIT = GLiTSpace("little", resolution=8, patch=4, widths=(12,), heads=3, depth=2, kernels=(3, 5, 7))


class OverTokens(nn.Module):
    """A token operator as a map of images, for the counter."""

    def __init__(self, operator: nn.Module) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, images: Tensor) -> Tensor:
        tokens: Tensor = self.operator(images.flatten(2).transpose(1, 2))
        return tokens


def built_for_tokens(spec: OperatorSpec, **changes: float) -> Any:
    """An operator of transformers for all 12 channels, with initial weights, in float64."""
    options = {option.name: value for option, value in spec.options.items()} | changes
    block: Any = GLiTBlock(0, **options)  # type: ignore[arg-type]
    operator = spec.build(block, 12, 12, 3)
    assert isinstance(operator, nn.Module)
    return initialise(operator, 0).double()


def check_tokens(spec: OperatorSpec) -> None:
    """(B, T, C) to (B, T, C), at a cost that the counter sees too; each option changes something."""
    for tokens in (1, 2, 7):
        operator = built_for_tokens(spec)
        assert operator(drawn(2, tokens, 12)).shape == (2, tokens, 12)
        assert operator.macs(tokens) == counted_macs(OverTokens(operator), 1, tokens, input_channels=12)
    usual = built_for_tokens(spec)
    for option, value in spec.options.items():
        other = built_for_tokens(spec, **{option.name: another(option, value)})
        assert other.macs(9) != usual.macs(9) or not torch.equal(other(drawn(2, 9, 12)), usual(drawn(2, 9, 12)))


def check_token_gradients(spec: OperatorSpec) -> None:
    """As ``check_gradients``."""
    operator, x = built_for_tokens(spec), drawn(2, 9, 12).requires_grad_()
    _check_gradients(operator, x, lambda: operator(x))


def check_token_repeatable(spec: OperatorSpec) -> None:
    """As ``check_repeatable``."""
    x = drawn(2, 9, 12)
    assert torch.equal(built_for_tokens(spec)(x), built_for_tokens(spec)(x))
    assert not torch.equal(built_for_tokens(spec)(x), initialise(built_for_tokens(spec), 1)(x))


def check_transformer(spec: OperatorSpec) -> None:
    """A supernet of transformers in which all blocks have it."""
    check_children(GLIT.second_level([GLIT.divisions.index(spec.name)] * GLIT.depth), 3)


CHECKS: dict[str, list[Callable[[OperatorSpec], None]]] = {
    "resnet": [
        check_marks_are_its_own,
        check_shapes,
        check_closed_form_is_the_count,
        check_gradients,
        check_repeatable,
        check_options,
        check_space,
        check_supernet,
        check_standalone,
    ],
    "glit": [
        check_marks_are_its_own,
        check_tokens,
        check_token_gradients,
        check_token_repeatable,
        check_transformer,
    ],
}
