"""The space of FAB-NAS (reconstruction): a ResNet of attention alone, whose stages offer different operators.

Zhou et al. 2021, "Full-attention based neural architecture search using context auto-regression" (arXiv 2111.07139).
Known,
from the abstract alone: the space is stage-wise, and different layers may take different attention operations. All else
is our choice: the bottleneck skeleton and the attention stem of stand-alone self-attention (Ramachandran et al. 2019,
arXiv 1906.05909), the operators and the stages that offer them, full-size queries, keys and values, 8 heads.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import ClassVar

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_BLOCKS, MOST_CHANNELS, MOST_PIXELS, MOST_STAGES, shown
from trionet_bench.spaces.choice import Architecture, Choice, Genes, Space
from trionet_bench.spaces.operators import AXIAL, CRISSCROSS, LOCAL, NONLOCAL, OperatorSpec
from trionet_bench.spaces.plain import (
    as_lists,
    as_tuples,
    check_blocks,
    check_name,
    check_names,
    check_number,
    check_numbers,
)
from trionet_bench.spaces.resnet import STEMS
from trionet_bench.spaces.resnet_architecture import Block, ResNetArchitecture, Stage

_SPECS: Mapping[str, OperatorSpec] = {spec.name: spec for spec in (LOCAL, AXIAL, CRISSCROSS, NONLOCAL)}
_LOCAL = re.compile(f"{LOCAL.name}([3579])")  # with the side of its window in pixels


@dataclass(frozen=True)
class FabSpace(Space):
    """All networks of one skeleton. Genes: the scale, then the operator of each block.

    Args:
        stem, stem_width: see ``ResNetArchitecture``.
        depths, widths, strides: blocks, output channels and stride of each stage.
        stages: for each stage what its blocks may hold, from cheapest to most expensive: ``local3`` to ``local9``,
            ``axial``, ``crisscross``, ``nonlocal``.
        heads: of every operator.
        expansion: channels between the 1x1 convolutions of a block over its output channels.
        scales: factors of all widths; several only to fit a budget, a search knows one, see ``at_scale``.

    UsageError naming the first value that is impossible.
    """

    kind: ClassVar[str] = "fab"

    name: str
    resolution: int
    stem: str
    stem_width: int
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    stages: tuple[tuple[str, ...], ...]
    heads: int = 8
    expansion: float = 0.25
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        check_name(self.name)
        check_names(self.name, "stem", (self.stem,), STEMS)
        check_number(self.name, "resolution", self.resolution, MOST_PIXELS)
        for name, value in {"stem_width": self.stem_width, "heads": self.heads}.items():
            check_number(self.name, name, value, MOST_CHANNELS)
        check_numbers(self.name, "scales", self.scales, "numbers")
        check_numbers(self.name, "expansion", (self.expansion,), "numbers")
        lists = {"depths": self.depths, "widths": self.widths, "strides": self.strides, "stages": self.stages}
        for name, values in lists.items():
            if not isinstance(values, tuple) or not 0 < len(values) <= MOST_STAGES or len(values) != len(self.depths):
                raise UsageError(f"space {self.name}: {name} must be a list with an entry for each stage.")
        for s, (depth, width, stride, options) in enumerate(zip(*lists.values(), strict=True)):
            check_number(self.name, f"depths.{s}", depth, MOST_BLOCKS)
            check_number(self.name, f"widths.{s}", width, MOST_CHANNELS)
            if stride not in (1, 2):
                raise UsageError(f"space {self.name}: strides.{s} is {shown(stride)}; allowed are 1, 2.")
            check_names(self.name, f"stages.{s}", options, [*(f"local{k}" for k in (3, 5, 7, 9)), *[*_SPECS][1:]])
        check_blocks(self.name, self.depths)

    @property
    def operators(self) -> tuple[str, ...]:
        """The operators that some stage offers, whatever their windows."""
        offered = {_operator_of(option) for options in self.stages for option in options}
        return tuple(name for name in _SPECS if name in offered)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The scale, then the operator of each block."""
        return (
            Choice("scale", self.scales, "shape"),
            *(
                Choice("operator", options, "operator", s, b)
                for s, (depth, options) in enumerate(zip(self.depths, self.stages, strict=True))
                for b in range(depth)
            ),
        )

    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """All blocks."""
        places = [(s, b) for s, depth in enumerate(self.depths) for b in range(depth)]
        return [(s, b, position) for position, (s, b) in enumerate(places, start=1)]

    def dependents(self, operator_position: int) -> Iterable[int]:
        """None."""
        return ()

    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """One for each option."""
        return (1,) * len(self.choices[operator_position].values)

    def parts(self, operator: str) -> dict[str, float]:
        """Its operator, whatever its window."""
        return {_operator_of(operator): 1.0}

    def code(self, operator: str) -> str:
        """The window of local attention, else the code of the operator."""
        window = _LOCAL.fullmatch(operator)
        return window[1] if window else super().code(operator)

    def canonical(self, genes: Genes) -> Genes:
        """Every gene has an effect."""
        return genes

    def decode(self, genes: Genes) -> ResNetArchitecture:
        """The network."""
        stem_width, shape = self._shape(self.scales[genes[0]])
        options = iter(self.operators_in(genes))
        stages = tuple(
            Stage(width, stride, tuple(self._blocks[next(options)] for _ in range(depth)))
            for width, stride, depth in shape
        )
        return ResNetArchitecture(self.stem, stem_width, "plain", stages)

    def _shape(self, scale: float) -> tuple[int, tuple[tuple[int, int, int], ...]]:
        """The width of the stem; width, stride and depth of each stage."""
        stages = zip(self.widths, self.strides, self.depths, strict=True)
        scaled = tuple((_scaled(width, scale), stride, depth) for width, stride, depth in stages)
        return _scaled(self.stem_width, scale), scaled

    @cached_property
    def _blocks(self) -> dict[str, Block]:
        """The block of each option."""
        blocks = {}
        for option in {option for options in self.stages for option in options}:
            window = _LOCAL.fullmatch(option)
            details = {"window": int(window[1])} if window else {}
            sizes = {"heads": self.heads, "qk": 1.0, "v": 1.0}
            blocks[option] = Block(_operator_of(option), self.expansion, **details, **sizes)
        return blocks

    def encode(self, architecture: Architecture) -> Genes:
        """The genes of an architecture; UsageError naming the first value outside the space."""
        if not isinstance(architecture, ResNetArchitecture):
            raise UsageError(f"{self.name} holds no {type(architecture).__name__}.")
        shapes = {self._shape(scale): number for number, scale in enumerate(self.scales)}
        stages = tuple((stage.width, stage.stride, len(stage.blocks)) for stage in architecture.stages)
        if (architecture.stem_width, stages) not in shapes:
            raise UsageError(
                f"the architecture's stages are {as_lists(stages)} (width, stride, depth) after a stem of "
                f"{architecture.stem_width}, which {self.name} does not hold."
            )
        if (architecture.stem, architecture.local_terms) != (self.stem, "plain"):
            raise UsageError(
                f"the architecture's stem is {architecture.stem} with {architecture.local_terms} local terms, "
                f"but {self.name} has {self.stem} with plain ones."
            )
        options = {block: option for option, block in self._blocks.items()}
        blocks = [block for stage in architecture.stages for block in stage.blocks]
        return shapes[architecture.stem_width, stages], *(
            self.option(position, options.get(block, f"{block.operator} {dict(block.options)}"))
            for position, block in enumerate(blocks, start=1)
        )

    def from_dict(self, value: object) -> ResNetArchitecture:
        """Read an architecture back; UsageError where it is not in this space."""
        return self.decode(self.encode(ResNetArchitecture.from_dict(value)))

    def to_dict(self) -> JsonObject:
        """The dimensions, with lists for tuples."""
        return {"kind": self.kind, **{name: as_lists(value) for name, value in asdict(self).items()}}

    def with_dimensions(self, **dimensions: object) -> "FabSpace":
        """A copy with other values; UsageError for a dimension that does not exist."""
        allowed = [field.name for field in fields(self)]
        for name in dimensions:
            if name not in allowed:
                raise UsageError(f'unknown dimension "{name}" of a fab space; {nearest(name, allowed)}')
        return replace(self, **{name: as_tuples(value) for name, value in dimensions.items()})

    def at_scale(self, scale: float) -> "FabSpace":
        """The networks of one scale."""
        return replace(self, scales=(scale,))

    def all_local(self, scale: float) -> ResNetArchitecture:
        """Local attention everywhere, with the largest window that all stages offer: stand-alone self-attention.
        UsageError where stages have no window in common.
        """
        windows = [option for option in self.everywhere if _LOCAL.fullmatch(option)]
        if not windows:
            raise UsageError(f"the stages of {self.name} have no window of local attention in common.")
        return self.at_scale(scale).decode(self.at_scale(scale).extreme(self.operators_set_to(max(windows)), True))

    def cover(self) -> Iterator[ResNetArchitecture]:
        """Networks in which every option of every block occurs, at every scale."""
        for scale in range(len(self.scales)):
            for number in range(max(map(len, self.stages))):
                options = (number % len(options) for options, depth in zip(self.stages, self.depths, strict=True)
                           for _ in range(depth))  # fmt: skip
                yield self.decode((scale, *options))


def _operator_of(option: str) -> str:
    return LOCAL.name if _LOCAL.fullmatch(option) else option


def _scaled(width: int, scale: float) -> int:
    """A width in whole multiples of 4 channels, so that heads stay even."""
    return max(4, 4 * int(width * scale / 4 + 0.5))
