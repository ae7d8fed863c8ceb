"""GLiT architectures as values: transformer blocks whose channels are divided between attention and convolution."""

from dataclasses import asdict, dataclass

from trionet_bench.jsontypes import JsonObject
from trionet_bench.spaces.plain import read_entries, read_fields


@dataclass(frozen=True)
class GLiTBlock:
    """One transformer block; details without an effect are None."""

    attending: int  # G: groups of channels that attend globally; the others are convolved
    kernel: int | None = None  # along the sequence, in tokens; with convolved channels only
    expansion: int | None = None  # channels inside the locality module over those that enter it
    ratio: float | None = None  # size of a head over the usual one; with attending channels only
    mlp: int = 4  # channels inside the feed-forward part over the width


@dataclass(frozen=True)
class GLiTArchitecture:
    """A transformer without its number of classes and its input size.

    Args:
        patch: side of an image patch in pixels.
        width: channels of every token.
        heads: attention heads over the full width.
        groups: N, the parts of the width; it divides width and heads.
    """

    patch: int
    width: int
    heads: int
    groups: int
    blocks: tuple[GLiTBlock, ...]

    def to_dict(self) -> JsonObject:
        """Plain JSON types, details that do not apply left out."""
        value = asdict(self)
        value["blocks"] = [{k: v for k, v in block.items() if v is not None} for block in value["blocks"]]
        return value

    @classmethod
    def from_dict(cls, value: object) -> "GLiTArchitecture":
        """The inverse of ``to_dict``; UsageError where a key is unknown or missing. Values are for a space to check."""
        read = read_fields(cls, value, "the architecture")
        blocks = (read_fields(GLiTBlock, b, f"blocks.{i}") for i, b in enumerate(read_entries(read, "blocks")))
        return cls(**{**read, "blocks": tuple(GLiTBlock(**block) for block in blocks)})
