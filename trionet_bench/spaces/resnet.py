"""The TrioNet space: a ResNet whose every 3x3 convolution becomes a choice of convolution, local or axial attention.

Known of the paper (Pi et al. 2021, arXiv 2111.07547): the three operators; two 1x1 convolutions shared between them;
expansions 1/8, 1/4, 1/2; windows, heads and query/key/value sizes are searched. The lists of depths, widths, windows
and heads are our choice, made so that ResNet, stand-alone local attention (arXiv 1906.05909) and Axial-ResNet (arXiv
2003.07853) are members at 224 pixels.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from itertools import pairwise, product
from typing import Any, ClassVar, Literal

from trionet_bench.errors import UsageError, nearest
from trionet_bench.spaces.choice import Choice, Genes, Space
from trionet_bench.spaces.plain import as_lists, as_tuples, read_entries, read_fields

OPERATORS = ("conv", "local", "axial")
STEMS = ("conv7-pool", "conv3-pool", "conv3")
LOCAL_TERMS = ("plain", "position_sensitive")


@dataclass(frozen=True)
class Block:
    """One bottleneck block. ``expansion`` is mid width over output width; options that the operator lacks are None."""

    operator: Literal["conv", "local", "axial"]
    expansion: float
    kernel: int | None = None  # convolution only, in pixels
    window: int | None = None  # local attention only, in pixels
    heads: int | None = None  # attention only
    qk: float | None = None  # query and key size over mid width
    v: float | None = None  # value size over mid width


@dataclass(frozen=True)
class Stage:
    """Blocks of one output width; the first has the stride."""

    width: int
    stride: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class ResNetArchitecture:
    """A whole network but for its classes and input size.

    Args:
        stem: ``conv7-pool`` (stride 4, ImageNet), ``conv3-pool`` (stride 2) or ``conv3`` (stride 1).
        stem_width: channels that enter the first stage.
        local_terms: ``plain`` stand-alone local attention, or ``position_sensitive`` with the axial operator's terms
            and normalisation.
    """

    stem: str
    stem_width: int
    local_terms: str
    stages: tuple[Stage, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, options that do not apply left out."""
        value = asdict(self)
        for stage in value["stages"]:
            stage["blocks"] = [{k: v for k, v in block.items() if v is not None} for block in stage["blocks"]]
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> "ResNetArchitecture":
        """The inverse of ``to_dict``; UsageError where a key is unknown or missing. Values are for a space to check."""
        stages = []
        for s, entry in enumerate(read_entries(read_fields(cls, value, "the architecture"), "stages")):
            stage = read_fields(Stage, entry, f"stages.{s}")
            blocks = enumerate(read_entries(stage, "blocks"))
            read = tuple(Block(**read_fields(Block, block, f"stages.{s}.blocks.{b}")) for b, block in blocks)
            stages.append(Stage(**{**stage, "blocks": read}))
        return cls(**{**value, "stages": tuple(stages)})


@dataclass(frozen=True)
class StageChoices:
    """What a stage may be: how many blocks, how wide; its stride is fixed."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    stride: int


@dataclass(frozen=True)
class ResNetSpace(Space):
    """All networks of one ResNet-like skeleton. Lists are ordered from cheapest to dearest.

    Genes: stem width, local terms; per stage depth and width; per block operator, expansion, kernel, window, heads, qk,
    v.
    """

    kind: ClassVar[str] = "resnet"

    name: str
    resolution: int
    stem: str
    stem_widths: tuple[int, ...]
    stages: tuple[StageChoices, ...]
    operators: tuple[str, ...] = OPERATORS
    expansions: tuple[float, ...] = (0.125, 0.25, 0.5)
    kernels: tuple[int, ...] = (3,)
    windows: tuple[int, ...] = (3, 5, 7)
    heads: tuple[int, ...] = (4, 8)
    qk: tuple[float, ...] = (0.5, 1.0)
    v: tuple[float, ...] = (0.5, 1.0)
    local_terms: tuple[str, ...] = ("position_sensitive",)

    BLOCK_GENES = ("operator", "expansion", "kernel", "window", "heads", "qk", "v")

    def __post_init__(self) -> None:
        self._check_names("stem", (self.stem,), STEMS)
        self._check_names("operators", self.operators, OPERATORS)
        self._check_names("local_terms", self.local_terms, LOCAL_TERMS)
        if type(self.resolution) is not int or self.resolution < 1:
            raise UsageError(f"space {self.name}: resolution must be a number of pixels, not {self.resolution}.")
        for name in ("stem_widths", "heads"):
            self._check_numbers(name, getattr(self, name))
        for name in ("kernels", "windows"):
            self._check_numbers(name, getattr(self, name), "odd numbers")
        for name in ("expansions", "qk", "v"):
            self._check_numbers(name, getattr(self, name), "numbers")
        if not self.stages:
            raise UsageError(f"space {self.name} has no stages; give at least one.")
        for s, stage in enumerate(self.stages):
            self._check_numbers(f"stages.{s}.depths", stage.depths)
            self._check_numbers(f"stages.{s}.widths", stage.widths)
            if stage.stride not in (1, 2):
                raise UsageError(f"space {self.name}: stages.{s}.stride is {stage.stride}; allowed are 1, 2.")

    def _check_names(self, dimension: str, values: Any, allowed: tuple[str, ...]) -> None:
        if not isinstance(values, tuple) or not values or len({*map(str, values)}) < len(values):
            raise UsageError(
                f"space {self.name}: {dimension} must be a list of different names, not {as_lists(values)}; "
                f"allowed are {', '.join(allowed)}."
            )
        for value in values:
            if value not in allowed:
                raise UsageError(f'space {self.name}: unknown {dimension} "{value}"; {nearest(str(value), allowed)}')

    def _check_numbers(self, dimension: str, values: Any, kind: str = "whole numbers") -> None:
        def fits(value: Any) -> bool:
            types = (int, float) if kind == "numbers" else (int,)
            return type(value) in types and value > 0 and (kind != "odd numbers" or value % 2 == 1)

        if not isinstance(values, tuple) or not values or not all(map(fits, values)) or sorted({*values}) != [*values]:
            raise UsageError(
                f"space {self.name}: {dimension} must be a list of {kind} above 0, from small to large, "
                f"not {as_lists(values)}."
            )

    @cached_property
    def _block_options(self) -> dict[str, tuple[Any, ...]]:
        return {
            "operator": self.operators,
            "expansion": self.expansions,
            "kernel": self.kernels,
            "window": self.windows,
            "heads": self.heads,
            "qk": self.qk,
            "v": self.v,
        }

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """Stem and local terms, then per stage its shape and the genes of its deepest form."""
        choices = [
            Choice("stem_width", self.stem_widths, "shape"),
            Choice("local_terms", self.local_terms, "shape"),
        ]
        for s, stage in enumerate(self.stages):
            choices.append(Choice(f"stages.{s}.depth", stage.depths, "shape"))
            choices.append(Choice(f"stages.{s}.width", stage.widths, "shape"))
            for b in range(stage.depths[-1]):
                for gene, values in self._block_options.items():
                    group = "operator" if gene == "operator" else "detail"
                    choices.append(Choice(f"stages.{s}.blocks.{b}.{gene}", values, group))
        return tuple(choices)

    @cached_property
    def _stage_starts(self) -> tuple[int, ...]:
        starts, position = [], 2
        for stage in self.stages:
            starts.append(position)
            position += 2 + stage.depths[-1] * len(self.BLOCK_GENES)
        return tuple(starts)

    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """The blocks within each stage's depth."""
        return [
            (s, b, start + 2 + b * len(self.BLOCK_GENES))
            for s, start in enumerate(self._stage_starts)
            for b in range(self.stages[s].depths[genes[start]])
        ]

    def dependents(self, operator_position: int) -> Iterable[int]:
        """The other genes of the same block."""
        return range(operator_position + 1, operator_position + len(self.BLOCK_GENES))

    @cached_property
    def _active(self) -> tuple[tuple[bool, ...], ...]:
        """Per operator: which of a block's genes have an effect."""
        by_operator = {
            "conv": ("operator", "expansion", "kernel"),
            "local": ("operator", "expansion", "window", "heads", "qk", "v"),
            "axial": ("operator", "expansion", "heads", "qk", "v"),
        }
        return tuple(tuple(gene in by_operator[o] for gene in self.BLOCK_GENES) for o in self.operators)

    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """Products of the operator's own options; expansion is common to all and left out."""
        counts = [len(options) for options in self._block_options.values()]
        own = [[n for n, active in zip(counts[2:], actives[2:], strict=True) if active] for actives in self._active]
        return tuple(math.prod(options) for options in own)

    def canonical(self, genes: Genes) -> Genes:
        """Zero for genes of blocks beyond the depth, for options that the operator lacks, for local terms without local
        blocks.
        """
        result = [0] * len(genes)
        result[0] = genes[0]
        for start in self._stage_starts:
            result[start : start + 2] = genes[start : start + 2]
        for _, _, position in self.blocks(genes):
            operator = genes[position]
            if self.operators[operator] == "local":
                result[1] = genes[1]
            for offset, active in enumerate(self._active[operator]):
                if active:
                    result[position + offset] = genes[position + offset]
        return tuple(result)

    def decode(self, genes: Genes) -> ResNetArchitecture:
        """The network; genes need not be canonical."""
        stages, terms, length = [], 0, len(self.BLOCK_GENES)
        for choices, start in zip(self.stages, self._stage_starts, strict=True):
            first, depth = start + 2, choices.depths[genes[start]]
            blocks = tuple([self._block(genes[p : p + length]) for p in range(first, first + depth * length, length)])
            if any(block.operator == "local" for block in blocks):
                terms = genes[1]
            stages.append(Stage(choices.widths[genes[start + 1]], choices.stride, blocks))
        return ResNetArchitecture(self.stem, self.stem_widths[genes[0]], self.local_terms[terms], tuple(stages))

    @cached_property
    def _known_blocks(self) -> dict[Genes, Block]:
        return {}

    def _block(self, genes: Genes) -> Block:
        """The block that some genes stand for, made once: a search decodes the same few a million times."""
        found = self._known_blocks.get(genes)
        if found is None:
            named = zip(self._block_options.items(), genes, self._active[genes[0]], strict=True)
            found = Block(**{gene: options[option] for (gene, options), option, active in named if active})
            self._known_blocks[genes] = found
        return found

    def encode(self, architecture: ResNetArchitecture) -> Genes:
        """Canonical genes; UsageError naming the first value outside the space."""
        if architecture.stem != self.stem:
            raise UsageError(f"the architecture's stem is {architecture.stem}, but {self.name} has {self.stem}.")
        if len(architecture.stages) != len(self.stages):
            raise UsageError(
                f"the architecture has {len(architecture.stages)} stages, {self.name} has {len(self.stages)}."
            )
        genes = [0] * len(self.choices)
        has_local = any(block.operator == "local" for stage in architecture.stages for block in stage.blocks)
        genes[0] = self.option(0, architecture.stem_width)
        genes[1] = self.option(1, architecture.local_terms) if has_local else 0
        for stage, choices, start in zip(architecture.stages, self.stages, self._stage_starts, strict=True):
            if stage.stride != choices.stride:
                raise UsageError(
                    f"{self.choices[start].name[:-6]}: stride {stage.stride}, {self.name} has {choices.stride}."
                )
            genes[start] = self.option(start, len(stage.blocks))
            genes[start + 1] = self.option(start + 1, stage.width)
            for b, block in enumerate(stage.blocks):
                position = start + 2 + b * len(self.BLOCK_GENES)
                operator = self.option(position, block.operator)
                for offset, (gene, active) in enumerate(zip(self.BLOCK_GENES, self._active[operator], strict=True)):
                    value = getattr(block, gene)
                    if active:
                        genes[position + offset] = self.option(position + offset, value)
                    elif value is not None:
                        name = self.choices[position + offset].name
                        raise UsageError(f"{name} is {value}, but a {block.operator} block has no {gene}.")
        return tuple(genes)

    def from_dict(self, value: Mapping[str, Any]) -> ResNetArchitecture:
        """Read and check membership; what comes back is the space's own value for this network."""
        return self.decode(self.encode(ResNetArchitecture.from_dict(value)))

    def to_dict(self) -> dict[str, Any]:
        """The dimensions, with lists for tuples."""
        return {"kind": self.kind, **as_lists(asdict(self))}

    def cover(self) -> Iterator[ResNetArchitecture]:
        """Per operator the biggest network, with every head count (fewer heads are larger ones) and in every form of
        local attention; and networks whose shortcuts have weights where the biggest one's are plain.
        """
        for operator in self.operators:
            biggest = self.extreme(self.operators_set_to(operator), biggest=True)
            head_counts = range(len(self.heads) if operator != "conv" else 1)
            for option, terms in product(head_counts, range(len(self.local_terms) if operator == "local" else 1)):
                genes = [*biggest]
                genes[1] = terms
                for _, _, position in self.blocks(biggest):
                    genes[position + self.BLOCK_GENES.index("heads")] = option
                yield self.decode(tuple(genes))
        width_genes = (0, *(start + 1 for start in self._stage_starts))
        for (before, here), stage in zip(pairwise(width_genes), self.stages, strict=True):
            widths_before, widths_here = self.choices[before].values, self.choices[here].values
            if stage.stride == 1 and not {*widths_before}.isdisjoint(widths_here):
                # The two largest options each hold the widest pair that differs.
                for first, second in product(range(len(widths_before))[-2:], range(len(widths_here))[-2:]):
                    yield self.decode(self.extreme({before: first, here: second}, biggest=True))

    def with_dimensions(self, **dimensions: Any) -> "ResNetSpace":
        """A copy with other lists; UsageError for a dimension that does not exist."""
        allowed = [field.name for field in fields(self)]
        for name in dimensions:
            if name not in allowed:
                raise UsageError(f'unknown dimension "{name}" of a resnet space; {nearest(name, allowed)}')
        values = {name: as_tuples(value) for name, value in dimensions.items()}
        if "stages" in values:
            try:
                values["stages"] = tuple(
                    StageChoices(**{k: as_tuples(v) for k, v in stage.items()}) for stage in dimensions["stages"]
                )
            except (TypeError, AttributeError) as error:
                raise UsageError(
                    f"each stage of a space is {{depths: [...], widths: [...], stride: n}}: {error}"
                ) from error
        return replace(self, **values)
