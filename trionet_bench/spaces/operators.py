"""The spatial operators: what spaces, systems, records and reports know of each before one is built.

An operator is declared here and built in ``networks/operators/``, which loads torch with the first network. One that is
not part of the package is declared in a file of its own and registered by ``OPERATORS.register(SPEC)``; see
``docs/adding-operator.md``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from trionet_bench.errors import UsageError
from trionet_bench.registry import Registry, resolve

LineStyle = str | tuple[float, tuple[float, ...]]  # as matplotlib takes it

# Names that mean something else already in a network, its blocks, a suite's models and spaces.
_PARTS = {"reduce", "reduce_norm", "expand", "expand_norm", "shortcut", "shortcut_norm"}
_PARTS |= {"pointwise", "stem", "classifier", "mlp"}
_FIELDS = {"operator", "expansion", "stage", "block", "macs", "share", "resolution", "width", "mid_width", "mlp"}
_FIELDS |= {"system", "recipe", "space", "options"}
_DIMENSIONS = {"kind", "base", "name", "resolution", "stem", "stem_widths", "stages", "operators", "expansions"}
_DIMENSIONS |= {"local_terms"}


@dataclass(frozen=True)
class Option:
    """A setting of an operator that a search chooses, such as the side of a window.

    Args:
        name: in an architecture, a suite and a record.
        dimension: name of the list of its values in a space.
        values: the list of a space that does not give one, from cheapest to most expensive.
        kind: which numbers are valid; all are above 0.
        nested: whether the weights at the largest value hold those at any other. A supernet takes its shapes from the
            largest value alone where they do, else from every value.
        abbreviation: stands before the value where a network is written out; empty where the value is left out there.
    """

    name: str
    dimension: str
    values: tuple[float, ...]
    kind: Literal["whole numbers", "odd numbers", "numbers"] = "whole numbers"
    nested: bool = True
    abbreviation: str = ""


@dataclass(frozen=True, eq=False)
class OperatorSpec:
    """One spatial operator. Specs are compared by identity.

    Args:
        name: in spaces, suites and records; also the name of its module within a block, and so of its weights.
        code: one lower-case letter that stands for it where a network is written with one character a block.
        label: what it is called in a legend.
        skeleton: kind of the spaces and networks that it is for: ``resnet`` or ``glit``.
        builder: ``module:function``, imported on first use, or the function; see ``networks.operators.base``.
        options: settings that change it, each with the value that stand-alone networks take.
        uses_local_terms: whether ``local_terms`` of a ResNet architecture changes it.
        channels_last: whether it trains faster on a CPU when the channels of a pixel lie together in memory.
        colour, hatch, marker, line: how figures draw it; ``colour`` is ``#rrggbb``, the others are matplotlib's.
        dark_colour: replaces ``colour`` on dark pages; empty where ``colour`` is light enough.

    UsageError where the name or the code is malformed, or a name means something else already.
    """

    name: str
    code: str
    label: str
    skeleton: Literal["resnet", "glit"]
    builder: str | Callable[..., object]
    colour: str
    hatch: str
    marker: str
    line: LineStyle
    dark_colour: str = ""
    options: Mapping[Option, float] = field(default_factory=dict)
    uses_local_terms: bool = False
    channels_last: bool = False

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z][a-z0-9_]*", self.name) or self.name in _PARTS:
            reason = "is the name of another part of a network" if self.name in _PARTS else "is not a plain name"
            raise UsageError(f'operator "{self.name}" {reason}; use other small letters, digits and underscores.')
        if not re.fullmatch("[a-z]", self.code):
            raise UsageError(f'operator "{self.name}": its code must be one small letter, not "{self.code}".')
        for option in self.options if self.skeleton == "resnet" else ():
            if option.name in _FIELDS or option.dimension in _DIMENSIONS:
                raise UsageError(f'operator "{self.name}": option "{option.name}" needs another name or dimension.')

    @cached_property
    def build(self) -> Callable[..., object]:
        """The builder itself."""
        if not isinstance(self.builder, str):
            return self.builder
        built = resolve(self.builder)
        if not callable(built):
            raise TypeError(f"{self.builder} is not a function")
        return built


def _clash(new: OperatorSpec, old: OperatorSpec) -> str | None:
    """Why two operators cannot both be registered; None where they can."""
    if new.code == old.code:
        return f'the code "{new.code}" is taken; choose another letter.'
    if new.colour.lower() == old.colour.lower():
        return f"the colour {new.colour} is taken; choose another."
    for ours in new.options if new.skeleton == old.skeleton else ():
        for theirs in old.options:
            if ours != theirs and (ours.name == theirs.name or ours.dimension == theirs.dimension):
                return f'its option "{theirs.name}" is another one; share the declaration, or take another name.'
    return None


KERNEL = Option("kernel", "kernels", (3,), "odd numbers", abbreviation="k")  # side in pixels
WINDOW = Option("window", "windows", (3, 5, 7), "odd numbers", abbreviation="w")  # side in pixels
# At one width fewer heads have more dimensions each.
HEADS = Option("heads", "heads", (4, 8), nested=False, abbreviation="h")
QK = Option("qk", "qk", (0.5, 1.0), "numbers")  # query and key size over mid width
V = Option("v", "v", (0.5, 1.0), "numbers")  # value size over mid width

CONV = OperatorSpec(
    name="conv",
    code="c",
    label="convolution",
    skeleton="resnet",
    builder="trionet_bench.networks.operators.conv:build",
    colour="#0173b2",
    dark_colour="#4aa3e0",
    hatch="",
    marker="o",
    line="-",
    options={KERNEL: 3},
    channels_last=True,
)
LOCAL = OperatorSpec(
    name="local",
    code="l",
    label="local",
    skeleton="resnet",
    builder="trionet_bench.networks.operators.local:build",
    colour="#de8f05",
    hatch="////",
    marker="s",
    line=(0, (5, 1.5)),
    options={WINDOW: 7, HEADS: 8, QK: 1.0, V: 1.0},
    uses_local_terms=True,
)
AXIAL = OperatorSpec(
    name="axial",
    code="a",
    label="axial attention",
    skeleton="resnet",
    builder="trionet_bench.networks.operators.axial:build",
    colour="#029e73",
    dark_colour="#2fbf93",
    hatch="|||",
    marker="^",
    line=(0, (1, 1)),
    options={HEADS: 8, QK: 0.5, V: 1.0},
)
GLOBAL = OperatorSpec(
    name="global",
    code="g",
    label="global attention",
    skeleton="glit",
    builder="trionet_bench.networks.operators.global_attention:build",
    colour="#8c2d3f",
    dark_colour="#d77083",
    hatch="---",
    marker="p",
    line=(0, (4, 1, 1, 1)),
    options={Option("ratio", "ratios", (0.5, 1.0, 2.0), "numbers"): 1.0},
)
LOCALITY = OperatorSpec(
    name="locality",
    code="d",
    label="convolution along the sequence",
    skeleton="glit",
    builder="trionet_bench.networks.operators.locality:build",
    colour="#b9b0ee",
    hatch="\\\\\\\\",
    marker="8",
    line=(0, (2, 1)),
    options={
        Option("kernel", "kernels", (17, 31, 45), "odd numbers", abbreviation="k"): 31,  # in tokens
        Option("expansion", "expansions", (1, 2, 4)): 1,
    },
)

OPERATORS: Registry[OperatorSpec] = Registry("operator", (CONV, LOCAL, AXIAL, GLOBAL, LOCALITY), _clash)


def operators_for(skeleton: str) -> list[OperatorSpec]:
    """All registered operators for one kind of space, in the order of registration."""
    return [spec for spec in OPERATORS if spec.skeleton == skeleton]


def options_of(specs: Iterable[OperatorSpec]) -> dict[str, Option]:
    """The options of some operators by name, those that several share once, in order of first appearance."""
    options: dict[str, Option] = {}
    for spec in specs:
        for option in spec.options:
            options.setdefault(option.name, option)
    return options
