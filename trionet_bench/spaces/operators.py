"""Declarations of the spatial operators: all that spaces, systems, records and reports need without building one.

Their implementations are in ``networks/operators/`` and load torch on first use. An operator outside the package is
registered by ``OPERATORS.register(SPEC)``, see ``docs/adding-operator.md``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from trionet_bench.errors import UsageError
from trionet_bench.registry import Registry, resolve

LineStyle = str | tuple[float, tuple[float, ...]]  # as matplotlib takes it

# Reserved names: parts of a network, fields of a block or of a suite's model, dimensions of a space.
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
        name: name in architectures, suites and records.
        dimension: name of the list of its values in a space.
        values: default of that list, from cheapest to most expensive.
        kind: which numbers are valid; all are above 0.
        nested: whether the weights at the largest value contain those at any other. A supernet then takes its shapes
            from the largest value alone, else from every value.
        abbreviation: prefix of the value where a network is printed; empty where it is not printed.
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
        name: name in spaces, suites and records, and of its module within a block.
        code: one lower-case letter, for networks written with one character a block.
        label: name in legends.
        skeleton: kind of its spaces and networks: ``resnet`` or ``glit``.
        builder: ``module:function``, imported on first use, or the function; see ``networks.operators.base``.
        options: its options, each with the value of stand-alone networks.
        uses_local_terms: whether ``local_terms`` of a ResNet architecture has an effect on it.
        channels_last: whether it trains faster on a CPU in the memory format channels last.
        colour, hatch, marker, line: how figures draw it; ``colour`` is ``#rrggbb``, the others are matplotlib's.
        dark_colour: replaces ``colour`` on dark pages; empty where ``colour`` is light enough.

    UsageError where the name or the code is malformed, or a name is reserved.
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
        """The builder, imported where it is a reference; TypeError where that names no function."""
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
    for option in new.options if new.skeleton == old.skeleton else ():
        for other in old.options:
            if option != other and (option.name == other.name or option.dimension == other.dimension):
                return f'its option "{other.name}" is another one; share the declaration, or take another name.'
    return None


KERNEL = Option("kernel", "kernels", (3,), "odd numbers", abbreviation="k")  # side in pixels
WINDOW = Option("window", "windows", (3, 5, 7), "odd numbers", abbreviation="w")  # side in pixels
# Not nested: at one width fewer heads have more dimensions each.
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
IDENTITY = OperatorSpec(
    name="identity",
    code="i",
    label="no spatial operator",
    skeleton="resnet",
    builder="trionet_bench.networks.operators.identity:build",
    colour="#3a322b",
    dark_colour="#c9bfb4",
    hatch="...",
    marker="X",
    line=(0, (1, 3)),
)
CRISSCROSS = OperatorSpec(
    name="crisscross",
    code="x",
    label="criss-cross attention",
    skeleton="resnet",
    builder="trionet_bench.networks.operators.crisscross:build",
    colour="#f0e442",
    hatch="||--",
    marker="d",
    line=(0, (6, 1, 2, 1)),
    options={HEADS: 8, QK: 1.0, V: 1.0},
)
NONLOCAL = OperatorSpec(
    name="nonlocal",
    code="n",
    label="non-local (global) attention",
    skeleton="resnet",
    builder="trionet_bench.networks.operators.nonlocal_attention:build",
    colour="#2b1055",
    dark_colour="#b79ff0",
    hatch="OO",
    marker="H",
    line=(0, (8, 2, 2, 2)),
    options={HEADS: 8, QK: 1.0, V: 1.0},
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

OPERATORS: Registry[OperatorSpec] = Registry(
    "operator", (CONV, LOCAL, AXIAL, IDENTITY, CRISSCROSS, NONLOCAL, GLOBAL, LOCALITY), _clash
)


def operators_for(skeleton: str) -> list[OperatorSpec]:
    """The registered operators of one kind of space, in the order of registration."""
    return [spec for spec in OPERATORS if spec.skeleton == skeleton]


def options_of(specs: Iterable[OperatorSpec]) -> dict[str, Option]:
    """The options of some operators by name, each once, in the order of first appearance."""
    options: dict[str, Option] = {}
    for spec in specs:
        for option in spec.options:
            options.setdefault(option.name, option)
    return options
