"""ResNet-like architectures as values: stages of bottleneck blocks, each with one spatial operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import shown
from trionet_bench.spaces import plain
from trionet_bench.spaces.operators import operators_for, options_of


@dataclass(frozen=True, init=False)
class Block:
    """One bottleneck block: ``Block("local", 0.25, window=7, heads=8, qk=1.0, v=1.0)``.

    Args:
        operator: name of a registered operator.
        expansion: mid width over output width.
        options: values of the operator's options.
    """

    operator: str
    expansion: float
    options: Mapping[str, float]

    def __init__(self, operator: str, expansion: float, **options: float) -> None:
        vars(self).update(operator=operator, expansion=expansion, options=options)

    @cached_property
    def _hash(self) -> int:
        return hash((self.expansion, *self.options.values()))  # of numbers alone: the same in every process

    def __hash__(self) -> int:
        return self._hash  # computed once: a search looks up millions

    def to_dict(self) -> JsonObject:
        """One flat mapping of plain JSON types."""
        return {"operator": self.operator, "expansion": self.expansion, **self.options}

    @classmethod
    def from_dict(cls, value: object, place: str) -> "Block":
        """The inverse of ``to_dict``; UsageError naming ``place`` for keys that are unknown or missing."""
        required = ["operator", "expansion"]
        read = plain.read_mapping(value, place, [*required, *options_of(operators_for("resnet"))], required)
        if read["expansion"] is None:
            raise UsageError(f'{place} has no "expansion".')
        if not isinstance(read["operator"], str):
            raise UsageError(f"{place}: the operator is {shown(read['operator'])}, not a name.")
        return cls(**{name: item for name, item in read.items() if item is not None})


@dataclass(frozen=True)
class Stage:
    """Blocks of one output width; the first has the stride."""

    width: int
    stride: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class ResNetArchitecture:
    """A network without its number of classes and its input size.

    Args:
        stem: ``conv7-pool`` (stride 4, ImageNet), ``conv3-pool`` (stride 2) or ``conv3`` (stride 1); or attention
            within blocks of 4 x 4 pixels, ``attention-pool4`` (stride 4) or ``attention-pool2`` (stride 2).
        stem_width: channels that enter the first stage.
        local_terms: ``plain`` stand-alone local attention, or ``position_sensitive`` with the axial operator's terms
            and normalisation.
    """

    stem: str
    stem_width: int
    local_terms: str
    stages: tuple[Stage, ...]

    def to_dict(self) -> JsonObject:
        """Plain JSON types, options that do not apply left out."""
        stages = [
            {"width": stage.width, "stride": stage.stride, "blocks": [block.to_dict() for block in stage.blocks]}
            for stage in self.stages
        ]
        terms = {"local_terms": self.local_terms}
        return {"stem": self.stem, "stem_width": self.stem_width, **terms, "stages": stages}

    @classmethod
    def from_dict(cls, value: object) -> "ResNetArchitecture":
        """The inverse of ``to_dict``; UsageError where a key is unknown or missing. Values are for a space to check."""
        read, stages = plain.read_fields(cls, value, "the architecture"), []
        for s, entry in enumerate(plain.read_entries(read, "stages")):
            stage = plain.read_fields(Stage, entry, f"stages.{s}")
            blocks = enumerate(plain.read_entries(stage, "blocks"))
            built = tuple(Block.from_dict(block, f"stages.{s}.blocks.{b}") for b, block in blocks)
            stages.append(Stage(**{**stage, "blocks": built}))
        return cls(**{**read, "stages": tuple(stages)})
