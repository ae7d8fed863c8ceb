"""The GLiT space: a vision transformer whose every block divides its channels between attention and convolution.

Chen et al. 2021, "GLiT" (arXiv 2107.02960), with the candidates of the released code. A block has N groups of channels;
the first G attend globally, the others pass the locality module. The space has two levels: the distribution of G over
the blocks, with all details at their usual values, and the details under one distribution; a search may also take both
at once. Known: N = 3, twelve blocks, kernels 17, 31, 45, expansions 1, 2, 4, head sizes 0.5, 1, 2 times the usual,
feed-forward sizes 2, 4, 6. Only the width of Tiny (192) is known; that Small and Base have those of DeiT (384, 768),
and all of the nano space, is our choice.
"""

import math
import string
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from itertools import product
from typing import ClassVar, Literal

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_BLOCKS, MOST_PIXELS
from trionet_bench.spaces.choice import Architecture, Choice, Genes, Space
from trionet_bench.spaces.glit_architecture import GLiTArchitecture, GLiTBlock
from trionet_bench.spaces.operators import GLOBAL, LOCALITY, OperatorSpec
from trionet_bench.spaces.plain import as_lists, as_tuples, check_name, check_number, check_numbers

DETAILS = ("kernel", "expansion", "ratio", "mlp")
_DIGITS = string.digits + string.ascii_uppercase  # the codes of operators are lower-case letters


@dataclass(frozen=True)
class GLiTSpace(Space):
    """All networks of one transformer skeleton. Lists are ordered from cheapest to most expensive.

    Genes: the width; per block its division, kernel, expansion, ratio and mlp.

    Args:
        patch: side of an image patch in pixels.
        widths: several only to fit a budget (our choice); a search knows one, see ``at_width``.
        heads: over the full width.
        depth: number of blocks.
        groups: N, the parts of the width that attend or are convolved.
        kernels, expansions, ratios, mlps: values of the details, see ``GLiTBlock``.
        candidates_of: ``released``, two details for each kind of block: kernel and expansion where all channels are
            convolved, ratio and mlp where all attend, expansion and mlp in mixed blocks; or ``paper``, all details with
            an effect. What is not searched has its usual value, see ``usual``.
        details: whether details are searched; False on the first level of a search.
        distribution: attending groups of each block where they are fixed, as on the second level.

    UsageError naming the first value that is impossible.
    """

    kind: ClassVar[str] = "glit"

    name: str
    resolution: int
    patch: int
    widths: tuple[int, ...]
    heads: int
    depth: int = 12
    groups: int = 3
    kernels: tuple[int, ...] = (17, 31, 45)
    expansions: tuple[int, ...] = (1, 2, 4)
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    mlps: tuple[int, ...] = (2, 4, 6)
    candidates_of: Literal["released", "paper"] = "released"
    details: bool = True
    distribution: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        for name, value in {"resolution": self.resolution, "patch": self.patch}.items():
            check_number(self.name, name, value, MOST_PIXELS)
        for name, value in {"heads": self.heads, "depth": self.depth, "groups": self.groups}.items():
            check_number(self.name, name, value, MOST_BLOCKS)
        for name, values in {"widths": self.widths, "expansions": self.expansions, "mlps": self.mlps}.items():
            check_numbers(self.name, name, values)
        check_numbers(self.name, "kernels", self.kernels, "odd numbers")
        check_numbers(self.name, "ratios", self.ratios, "numbers")
        if 1.0 not in self.ratios:
            raise UsageError(f"space {self.name}: ratios must hold 1, the usual size of a head.")
        if self.heads % self.groups or any(width % self.heads for width in self.widths):
            raise UsageError(f"space {self.name}: {self.groups} groups must divide the heads, the heads each width.")
        if self.candidates_of not in ("released", "paper"):
            raise UsageError(f"space {self.name}: candidates_of must be released or paper.")
        if self.distribution is not None and not (
            isinstance(self.distribution, tuple)
            and len(self.distribution) == self.depth
            and all(type(attending) is int and 0 <= attending <= self.groups for attending in self.distribution)
        ):
            raise UsageError(f"space {self.name}: distribution must have {self.depth} numbers from 0 to {self.groups}.")

    @property
    def operators(self) -> tuple[str, ...]:
        """``global`` and ``locality``, in every space."""
        return (GLOBAL.name, LOCALITY.name)

    @property
    def usual(self) -> JsonObject:
        """The values of details that are not searched: the middle kernel and mlp, the smallest expansion, ratio 1.

        Of the lists of the paper these are the values of the released code.
        """
        return {
            "kernel": self.kernels[len(self.kernels) // 2],
            "expansion": self.expansions[0],
            "ratio": 1.0,
            "mlp": self.mlps[len(self.mlps) // 2],
        }

    @cached_property
    def divisions(self) -> tuple[str, ...]:
        """The names of the divisions of a block by its number of attending groups G, from G = 0."""
        mixed = (f"{attending} of {self.groups} global" for attending in range(1, self.groups))
        return (LOCALITY.name, *mixed, GLOBAL.name)

    def code(self, operator: str) -> str:
        """The code of the operator, or a digit for the number of attending groups in a block of both."""
        attending = self.divisions.index(operator)
        return _DIGITS[attending] if 0 < attending < self.groups else super().code(operator)

    @cached_property
    def choices(self) -> tuple[Choice, ...]:
        """The width, then five genes for each block; what is not searched is a choice of one value."""
        lists = {"kernel": self.kernels, "expansion": self.expansions, "ratio": self.ratios, "mlp": self.mlps}
        choices = [Choice("width", self.widths, "shape")]
        for b in range(self.depth):
            options = self._attending_options(b)
            searched = {detail for attending in options for detail in self.searched(attending)}
            divisions = tuple(self.divisions[attending] for attending in options)
            choices.append(Choice("division", divisions, "operator", block=b))
            for detail, values in lists.items():
                allowed = values if detail in searched else (self.usual[detail],)
                choices.append(Choice(detail, allowed, "detail", block=b))
        return tuple(choices)

    def _attending_options(self, block: int) -> tuple[int, ...]:
        """The numbers of attending groups that a block may have, in the order of its division gene."""
        return tuple(range(self.groups + 1)) if self.distribution is None else (self.distribution[block],)

    def searched(self, attending: int) -> tuple[str, ...]:
        """The details that are searched in a block with this number of attending groups."""
        if not self.details:
            return ()
        if self.candidates_of == "paper":
            return self._used(attending)
        if attending == 0:
            return ("kernel", "expansion")
        return ("ratio", "mlp") if attending == self.groups else ("expansion", "mlp")

    def _used(self, attending: int) -> tuple[str, ...]:
        """The details that have an effect in a block with this number of attending groups, searched or not."""
        parts: tuple[tuple[OperatorSpec, bool], ...] = ((LOCALITY, attending < self.groups), (GLOBAL, attending > 0))
        return (*(option.name for spec, is_there in parts if is_there for option in spec.options), "mlp")

    def _attending_groups(self, genes: Genes) -> Iterator[tuple[int, int]]:
        """For each block the position of its division gene, and its number of attending groups."""
        for _, b, position in self.blocks(genes):
            yield position, self._attending_options(b)[genes[position]]

    def blocks(self, genes: Genes) -> list[tuple[int, int, int]]:
        """All blocks, in one stage."""
        return [(0, b, 1 + b * (1 + len(DETAILS))) for b in range(self.depth)]

    def dependents(self, operator_position: int) -> Iterable[int]:
        """The details of the same block."""
        return range(operator_position + 1, operator_position + 1 + len(DETAILS))

    def candidates(self, operator_position: int) -> tuple[int, ...]:
        """For each division, the number of combinations of the details that are searched under it."""
        positions = zip(DETAILS, self.dependents(operator_position), strict=True)
        counts = {detail: len(self.choices[at].values) for detail, at in positions}
        options = self._attending_options(self.operator_positions.index(operator_position))
        return tuple(math.prod(counts[detail] for detail in self.searched(attending)) for attending in options)

    def parts(self, operator: str) -> dict[str, float]:
        """Share of the channels that attend, and of those that are convolved."""
        share = self.divisions.index(operator) / self.groups
        return {name: part for name, part in zip(self.operators, (share, 1 - share), strict=True) if part}

    def canonical(self, genes: Genes) -> Genes:
        """Zero for details that are not searched under the block's division."""
        result = [genes[0], *[0] * (len(genes) - 1)]
        for position, attending in self._attending_groups(genes):
            result[position] = genes[position]
            for detail, at in zip(DETAILS, self.dependents(position), strict=True):
                if detail in self.searched(attending):
                    result[at] = genes[at]
        return tuple(result)

    def decode(self, genes: Genes) -> GLiTArchitecture:
        """The network; genes need not be canonical."""
        known, length = self._decoded, 1 + len(DETAILS)
        blocks = []
        for position in self.operator_positions:
            key = (position, *genes[position : position + length])
            if key not in known:
                known[key] = self._block(*key)
            blocks.append(known[key])
        return GLiTArchitecture(self.patch, self.widths[genes[0]], self.heads, self.groups, tuple(blocks))

    @cached_property
    def _decoded(self) -> dict[Genes, GLiTBlock]:
        """Blocks by position and genes, made once: a search decodes thousands of networks of the same blocks."""
        return {}

    def _block(self, position: int, division: int, *details: int) -> GLiTBlock:
        attending = self._attending_options(self.operator_positions.index(position))[division]
        chosen = {
            detail: self.choices[at].values[gene]
            for detail, at, gene in zip(DETAILS, self.dependents(position), details, strict=True)
            if detail in self.searched(attending)
        }
        return GLiTBlock(attending, **({detail: self.usual[detail] for detail in self._used(attending)} | chosen))

    def encode(self, architecture: Architecture) -> Genes:
        """Canonical genes; UsageError naming the first value outside the space."""
        if not isinstance(architecture, GLiTArchitecture):
            raise UsageError(f"{self.name} holds no {type(architecture).__name__}.")
        for name in ("patch", "heads", "groups"):
            given, expected = vars(architecture)[name], vars(self)[name]
            if given != expected:
                raise UsageError(f"the architecture's {name} is {given}, {self.name} has {expected}.")
        if len(architecture.blocks) != self.depth:
            raise UsageError(f"the architecture has {len(architecture.blocks)} blocks, {self.name} has {self.depth}.")
        genes = [self.option(0, architecture.width), *[0] * (len(self.choices) - 1)]
        for (_, b, position), block in zip(self.blocks(()), architecture.blocks, strict=True):
            options = self._attending_options(b)
            if block.attending not in options:
                allowed = ", ".join(map(str, options))
                raise UsageError(f"blocks.{b}.attending is {block.attending}; {self.name} allows {allowed}.")
            genes[position] = options.index(block.attending)
            for detail, at in zip(DETAILS, self.dependents(position), strict=True):
                value = vars(block)[detail]
                if detail in self.searched(block.attending):
                    genes[at] = self.option(at, value)
                elif value != (self.usual[detail] if detail in self._used(block.attending) else None):
                    raise UsageError(f"blocks.{b}.{detail} is {value}, which {self.name} does not search there.")
        return tuple(genes)

    def from_dict(self, value: object) -> GLiTArchitecture:
        """Read an architecture back; UsageError where it is not in this space."""
        return self.decode(self.encode(GLiTArchitecture.from_dict(value)))

    def from_released(self, distribution: Sequence[int], indices: Sequence[int]) -> GLiTArchitecture:
        """The network of the released encoding, which has two numbers for each block.

        Args:
            distribution: attending groups.
            indices: 3 i + j, where i and j index the values of the two searched details in their order.
        """
        genes = [0] * len(self.choices)
        for (_, b, position), attending, index in zip(self.blocks(()), distribution, indices, strict=True):
            genes[position] = self._attending_options(b).index(attending)
            for detail in reversed(self.searched(attending)):
                at = position + 1 + DETAILS.index(detail)
                index, genes[at] = divmod(index, len(self.choices[at].values))
        return self.decode(tuple(genes))

    def to_dict(self) -> JsonObject:
        """The dimensions, with lists for tuples."""
        return {"kind": self.kind, **{name: as_lists(value) for name, value in asdict(self).items()}}

    def with_dimensions(self, **dimensions: object) -> "GLiTSpace":
        """A copy with other values; UsageError for a dimension that does not exist."""
        allowed = [field.name for field in fields(self)]
        for name in dimensions:
            if name not in allowed:
                raise UsageError(f'unknown dimension "{name}" of a glit space; {nearest(name, allowed)}')
        return replace(self, **{name: as_tuples(value) for name, value in dimensions.items()})

    def at_width(self, width: int) -> "GLiTSpace":
        """The networks of one width."""
        return replace(self, widths=(width,))

    def first_level(self) -> "GLiTSpace":
        """The distributions of attending groups over blocks, every detail at its usual value."""
        return replace(self, details=False)

    def second_level(self, distribution: Sequence[int]) -> "GLiTSpace":
        """The details, with the attending groups of each block fixed."""
        return replace(self, distribution=tuple(distribution))

    def plain_transformer(self, width: int) -> GLiTArchitecture:
        """The ViT or DeiT of this width: all blocks global, with their usual details."""
        block = GLiTBlock(self.groups, ratio=1.0, mlp=self.usual["mlp"])
        return GLiTArchitecture(self.patch, width, self.heads, self.groups, (block,) * self.depth)

    def cover(self) -> Iterator[GLiTArchitecture]:
        """Networks in which every candidate of every block occurs, at every width."""
        by_block = [self._candidates_of_block(position) for position in self.operator_positions]
        for width in range(len(self.widths)):
            for number in range(max(map(len, by_block))):
                yield self.decode((width, *(gene for block in by_block for gene in block[number % len(block)])))

    def _candidates_of_block(self, position: int) -> list[Genes]:
        """Genes of one block, each candidate once."""
        candidates: list[Genes] = []
        for option, attending in enumerate(self._attending_options(self.operator_positions.index(position))):
            lengths = [
                len(self.choices[at].values) if detail in self.searched(attending) else 1
                for detail, at in zip(DETAILS, self.dependents(position), strict=True)
            ]
            candidates += [(option, *details) for details in product(*map(range, lengths))]
        return candidates
