"""The TrioNet space: a ResNet whose every 3x3 convolution becomes a choice of convolution, local or axial attention.

Known of the paper (Pi et al. 2021, arXiv 2111.07547): the three operators; two 1x1 convolutions shared between them;
expansions 1/8, 1/4, 1/2; windows, heads and query/key/value sizes are searched. The lists of depths, widths, windows
and heads are our choice, made so that ResNet, stand-alone local attention (arXiv 1906.05909) and Axial-ResNet (arXiv
2003.07853) are among the architectures at 224 pixels.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import Any, ClassVar

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_BLOCKS, MOST_PIXELS, MOST_STAGES, shown
from trionet_bench.spaces import plain
from trionet_bench.spaces.choice import Architecture, Choice, Genes, Space, Value
from trionet_bench.spaces.operators import OPERATORS, OperatorSpec, Option, operators_for, options_of
from trionet_bench.spaces.resnet_architecture import Block, ResNetArchitecture, Stage

TRIO = ("conv", "local", "axial")  # of the paper; a space may hold others that are registered
STEMS = ("conv7-pool", "conv3-pool", "conv3", "attention-pool4", "attention-pool2")
LOCAL_TERMS = ("plain", "position_sensitive")
# Dimensions of every space.
_FIXED = ("name", "resolution", "stem", "stem_widths", "stages", "operators", "expansions", "local_terms")


@dataclass(frozen=True)
class StageChoices:
    """The choices of a stage, depth in blocks and width in channels, and its fixed stride."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    stride: int


@dataclass(frozen=True, init=False)
class ResNetSpace(Space):
    """All networks of one ResNet-like skeleton. Lists are ordered from cheapest to most expensive.

    Genes: stem width, local terms; per stage depth and width; per block operator, expansion and the operators' options.
    The options of the paper's three operators are always among the genes, so that spaces of a subset of these have
    equal genes; the options of other operators follow.

    Args:
        resolution: side of the images in pixels.
        stem, stem_widths, local_terms: see ``ResNetArchitecture``.
        operators: names of registered operators.
        expansions: mid width of a block over its output width.
        dimensions: values of the operators' options by ``Option.dimension``, such as ``windows=(3, 5)``; by default
            ``Option.values``.

    UsageError naming the first dimension that is unknown or has impossible values.
    """

    kind: ClassVar[str] = "resnet"

    name: str
    resolution: int
    stem: str
    stem_widths: tuple[int, ...]
    stages: tuple[StageChoices, ...]
    expansions: tuple[float, ...]
    dimensions: Mapping[str, tuple[float, ...]]
    local_terms: tuple[str, ...]
    operators: tuple[str, ...] = TRIO

    def __init__(
        self,
        name: str,
        resolution: int,
        stem: str,
        stem_widths: tuple[int, ...],
        stages: tuple[StageChoices, ...],
        operators: tuple[str, ...] = TRIO,
        expansions: tuple[float, ...] = (0.125, 0.25, 0.5),
        local_terms: tuple[str, ...] = ("position_sensitive",),
        **dimensions: tuple[float, ...],
    ) -> None:
        fixed = name, resolution, stem, stem_widths, stages, operators, expansions, local_terms
        vars(self).update(zip(_FIXED, fixed, strict=True))
        plain.check_name(name)
        plain.check_names(name, "stem", (stem,), STEMS)
        plain.check_names(name, "operators", operators, [spec.name for spec in operators_for(self.kind)])
        plain.check_names(name, "local_terms", local_terms, LOCAL_TERMS)
        known = {option.dimension: option for option in self.options.values()}
        for dimension in dimensions:
            if dimension not in known:
                allowed = [*_FIXED, *known]
                raise UsageError(f'unknown dimension "{dimension}" of a resnet space; {nearest(dimension, allowed)}')
        lists = {dimension: dimensions.get(dimension, option.values) for dimension, option in known.items()}
        vars(self).update(dimensions=lists)
        if type(resolution) is not int or not 0 < resolution <= MOST_PIXELS:
            given = shown(resolution).strip("'")
            raise UsageError(
                f"space {name}: resolution must be a number of pixels, not {given}. The limit is {MOST_PIXELS}."
            )
        plain.check_numbers(name, "stem_widths", stem_widths)
        plain.check_numbers(name, "expansions", expansions, "numbers")
        for dimension, values in lists.items():
            plain.check_numbers(name, dimension, values, known[dimension].kind)
        if not stages:
            raise UsageError(f"space {name} has no stages; give at least one.")
        if len(stages) > MOST_STAGES:
            raise UsageError(f"space {name} has {len(stages)} stages; the limit is {MOST_STAGES}.")
        for s, stage in enumerate(stages):
            plain.check_numbers(name, f"stages.{s}.depths", stage.depths, most=MOST_BLOCKS)
            plain.check_numbers(name, f"stages.{s}.widths", stage.widths)
            if stage.stride not in (1, 2):
                raise UsageError(f"space {name}: stages.{s}.stride is {shown(stage.stride)}; allowed are 1, 2.")
        plain.check_blocks(name, (stage.depths[-1] for stage in stages))

    def __hash__(self) -> int:
        return hash((self.name, self.stages, self.operators, *self.dimensions.items()))

    @property
    def specs(self) -> tuple[OperatorSpec, ...]:
        """The declarations of the operators, in the order of ``operators``."""
        return tuple(map(OPERATORS.get, self.operators))

    @cached_property
    def options(self) -> dict[str, Option]:
        """The options among the genes of a block by name, in the order of the genes."""
        return options_of([*map(OPERATORS.get, TRIO), *self.specs])

    @cached_property
    def _block_genes(self) -> dict[str, tuple[Value, ...]]:
        """Name and values of the genes of a block, in order."""
        details = {name: self.dimensions[option.dimension] for name, option in self.options.items()}
        return {"operator": self.operators, "expansion": self.expansions, **details}

    @cached_property
    def _block_length(self) -> int:
        return len(self._block_genes)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """Stem width and local terms; then per stage depth, width, and the genes of all blocks of the largest depth."""
        choices = [Choice("stem_width", self.stem_widths, "shape"), Choice("local_terms", self.local_terms, "shape")]
        for s, stage in enumerate(self.stages):
            choices += [Choice("depth", stage.depths, "shape", s), Choice("width", stage.widths, "shape", s)]
            for b in range(stage.depths[-1]):
                for gene, values in self._block_genes.items():
                    choices.append(Choice(gene, values, "operator" if gene == "operator" else "detail", s, b))
        return tuple(choices)

    @cached_property
    def _stage_starts(self) -> tuple[int, ...]:
        starts, position = [], 2
        for stage in self.stages:
            starts.append(position)
            position += 2 + stage.depths[-1] * self._block_length
        return tuple(starts)

    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """The blocks within each stage's depth."""
        return [
            (s, b, start + 2 + b * self._block_length)
            for s, start in enumerate(self._stage_starts)
            for b in range(self.stages[s].depths[genes[start]])
        ]

    def dependents(self, operator_position: int) -> Iterable[int]:
        """The other genes of the same block."""
        return range(operator_position + 1, operator_position + self._block_length)

    @cached_property
    def _active(self) -> tuple[tuple[bool, ...], ...]:
        """Per operator: which of a block's genes have an effect."""
        used = [{"operator", "expansion", *options_of([spec])} for spec in self.specs]
        return tuple(tuple(gene in names for gene in self._block_genes) for names in used)

    @cached_property
    def _with_local_terms(self) -> frozenset[str]:
        return frozenset(spec.name for spec in self.specs if spec.uses_local_terms)

    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """For each operator, the number of combinations of its options, without expansion, which all have."""
        return tuple(math.prod(len(self.dimensions[o.dimension]) for o in spec.options) for spec in self.specs)

    def canonical(self, genes: Genes) -> Genes:
        """Zero for blocks beyond the depth, options that the operator lacks, and local terms that no block uses."""
        result = [0] * len(genes)
        result[0] = genes[0]
        for start in self._stage_starts:
            result[start : start + 2] = genes[start : start + 2]
        for _, _, position in self.blocks(genes):
            operator = genes[position]
            if self.operators[operator] in self._with_local_terms:
                result[1] = genes[1]
            for offset, active in enumerate(self._active[operator]):
                if active:
                    result[position + offset] = genes[position + offset]
        return tuple(result)

    def decode(self, genes: Genes) -> ResNetArchitecture:
        """The network; genes need not be canonical."""
        stages, terms, length = [], 0, self._block_length
        for choices, start in zip(self.stages, self._stage_starts, strict=True):
            first, depth = start + 2, choices.depths[genes[start]]
            blocks = tuple([self._block(genes[p : p + length]) for p in range(first, first + depth * length, length)])
            if not self._with_local_terms.isdisjoint([block.operator for block in blocks]):
                terms = genes[1]
            stages.append(Stage(choices.widths[genes[start + 1]], choices.stride, blocks))
        return ResNetArchitecture(self.stem, self.stem_widths[genes[0]], self.local_terms[terms], tuple(stages))

    @cached_property
    def _known_blocks(self) -> dict[Genes, Block]:
        return {}

    def _block(self, genes: Genes) -> Block:
        """The block that these genes stand for, made once: a search decodes the same few a million times."""
        block = self._known_blocks.get(genes)
        if block is None:
            active = self._active[genes[0]]
            details = {
                name: self.dimensions[option.dimension][gene]
                for (name, option), gene, has in zip(self.options.items(), genes[2:], active[2:], strict=True)
                if has
            }
            block = Block(self.operators[genes[0]], self.expansions[genes[1]], **details)
            self._known_blocks[genes] = block
        return block

    def encode(self, architecture: Architecture) -> Genes:
        """Canonical genes of an architecture; UsageError naming the first value outside the space."""
        if not isinstance(architecture, ResNetArchitecture):
            raise UsageError(f"{self.name} holds no {type(architecture).__name__}.")
        if architecture.stem != self.stem:
            raise UsageError(f"the architecture's stem is {architecture.stem}, but {self.name} has {self.stem}.")
        if len(architecture.stages) != len(self.stages):
            raise UsageError(
                f"the architecture has {len(architecture.stages)} stages, {self.name} has {len(self.stages)}."
            )
        genes = [0] * len(self.choices)
        operators = [block.operator for stage in architecture.stages for block in stage.blocks]
        genes[0] = self.option(0, architecture.stem_width)
        genes[1] = 0 if self._with_local_terms.isdisjoint(operators) else self.option(1, architecture.local_terms)
        for s, (stage, choices, start) in enumerate(
            zip(architecture.stages, self.stages, self._stage_starts, strict=True)
        ):
            if stage.stride != choices.stride:
                raise UsageError(f"stages.{s}: stride {stage.stride}, {self.name} has {choices.stride}.")
            genes[start] = self.option(start, len(stage.blocks))
            genes[start + 1] = self.option(start + 1, stage.width)
            for b, block in enumerate(stage.blocks):
                position = start + 2 + b * self._block_length
                genes[position : position + self._block_length] = self._block_options(block, position)
        return tuple(genes)

    def _block_options(self, block: Block, position: int) -> list[int]:
        """The genes of a block whose operator gene is at ``position``."""
        operator = self.option(position, block.operator)
        genes = [operator, self.option(position + 1, block.expansion)]
        for at, (name, active) in enumerate(zip(self.options, self._active[operator][2:], strict=True), position + 2):
            value = block.options.get(name)
            if not active and value is not None:
                has_no = f"but a {block.operator} block has no {name}."
                raise UsageError(f"{self.choices[at].name} is {value}, {has_no}")
            genes.append(self.option(at, value) if active else 0)
        for name, value in block.options.items():
            if name not in self.options:
                raise UsageError(f"a {block.operator} block has no {name}, but the architecture has {name} {value}.")
        return genes

    def from_dict(self, value: object) -> ResNetArchitecture:
        """Read an architecture back, in the canonical form of this space; UsageError where it is not in the space."""
        return self.decode(self.encode(ResNetArchitecture.from_dict(value)))

    def to_dict(self) -> JsonObject:
        """All dimensions, with lists for tuples."""
        stages = [{"depths": s.depths, "widths": s.widths, "stride": s.stride} for s in self.stages]
        fixed = {"name": self.name, "resolution": self.resolution, "stem": self.stem, "stem_widths": self.stem_widths}
        lists = {"operators": self.operators, "expansions": self.expansions, **self.dimensions}
        values = {"kind": self.kind, **fixed, "stages": stages, **lists, "local_terms": self.local_terms}
        return {name: plain.as_lists(value) for name, value in values.items()}

    def cover(self) -> Iterator[ResNetArchitecture]:
        """For each operator its biggest network, at every value of options that are not nested and of local terms.

        Also networks with a projection shortcut where that of the biggest network is the identity.
        """
        genes_of_block = [*self._block_genes]
        for spec in self.specs:
            biggest = self.extreme(self.operators_set_to(spec.name), biggest=True)
            varied = {genes_of_block.index(o.name): o.dimension for o in spec.options if not o.nested}
            counts = [range(len(self.dimensions[dimension])) for dimension in varied.values()]
            terms = range(len(self.local_terms) if spec.uses_local_terms else 1)
            for *details, term in product(*counts, terms):
                genes = [*biggest]
                genes[1] = term
                for _, _, position in self.blocks(biggest):
                    for offset, detail in zip(varied, details, strict=True):
                        genes[position + offset] = detail
                yield self.decode(tuple(genes))
        width_genes = (0, *(start + 1 for start in self._stage_starts))
        for (before, here), stage in zip(pairwise(width_genes), self.stages, strict=True):
            widths_before, widths_here = self.choices[before].values, self.choices[here].values
            if stage.stride == 1 and not {*widths_before}.isdisjoint(widths_here):
                # The two largest options each hold the widest pair that differs.
                for first, second in product(range(len(widths_before))[-2:], range(len(widths_here))[-2:]):
                    yield self.decode(self.extreme({before: first, here: second}, biggest=True))

    def with_dimensions(self, **dimensions: Any) -> "ResNetSpace":
        """A copy with some dimensions replaced; UsageError for an unknown dimension.

        Dimensions of operators that are not in the copy are dropped.
        """
        values = {name: plain.as_tuples(value) for name, value in dimensions.items()}
        if "stages" in values:
            try:
                values["stages"] = tuple(
                    StageChoices(**{k: plain.as_tuples(v) for k, v in stage.items()}) for stage in dimensions["stages"]
                )
            except (TypeError, AttributeError) as error:
                raise UsageError(
                    f"each stage of a space is {{depths: [...], widths: [...], stride: n}}: {error}"
                ) from error
        asked = values.get("operators")
        names = asked if isinstance(asked, tuple) else self.operators
        held = [spec for spec in OPERATORS if spec.name in (*TRIO, *names)]
        known = {option.dimension for option in options_of(held).values()}
        kept = {dimension: lists for dimension, lists in self.dimensions.items() if dimension in known}
        return ResNetSpace(**{**{name: vars(self)[name] for name in _FIXED}, **kept, **values})
