"""What is known of a data set before an image is decoded: its classes, its labels, and how an image is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from trionet_bench.data.values import ValueRange
from trionet_bench.units import counted

if TYPE_CHECKING:
    from PIL.Image import Image

# What a data set is known by: every byte of its files, or their names and sizes and the bytes of a sample.
Identity = Literal["content", "sample"]


@dataclass(frozen=True)
class Content:
    """The files whose bytes a data set is computed on.

    Args:
        root: folder that the paths start from.
        paths: with slashes, in the order that images are numbered in.
        formats: positions in ``decoders.FORMATS`` of the images inside the files; None where each file is an image, so
            that its format is seen when it is read.
        identity: how the files are known.
        digest: SHA-256 over what they are known by; empty before ``content.read_content`` has read them.
        decoders: library and version for each format whose decoding may differ.
    """

    root: Path
    paths: tuple[str, ...]
    formats: tuple[int, ...] | None = None
    identity: Identity = "content"
    digest: str = ""
    decoders: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """Files of a data set that are used for nothing.

    Args:
        suffix: in lower case with its dot, such as ".txt"; empty for names without one.
        reason: why they are left out.
        count: how many of this suffix and reason.
        example: the path of one.
    """

    suffix: str
    reason: str
    count: int
    example: str

    def __str__(self) -> str:
        """In words: ``2 files .txt: no image, such as notes.txt``."""
        name = self.suffix or "without suffix"
        return f"{counted(self.count, 'file')} {name}: {self.reason}, such as {self.example}"


class Reader(Protocol):
    """Access to the images of a source. Readers are pickled and sent to worker processes."""

    def read(self, part: str, position: int) -> "Image":
        """One image in the mode and size that it is stored in; a file may be opened lazily."""

    def item(self, part: str, position: int) -> str:
        """How messages name an image: its relative path, or its number."""

    def arrays(self, part: str) -> np.ndarray | None:
        """All images as uint8 (N, H, W, C) where the source holds an array, else None."""

    def digests(self, part: str) -> np.ndarray:
        """SHA-256 of the stored content of each image, uint8 (N, 32); zeros for one that cannot be read."""


@dataclass(frozen=True, eq=False)
class Index:
    """A data set without its pixels.

    Args:
        uri: the source as it was given.
        name: short name, for titles and file names.
        classes: names of the classes; a label is a position in it.
        channels: 1 if all images are grey, else 3.
        native_size: side of the images in pixels; the median of the short sides where they differ.
        labels: int64 (N,) for each part. There is a part "train", and "test" or "val" or both.
        reader: reads the images.
        fingerprint: changes when images, labels or classes change; computed without decoding. A source covers what is
            not in the files of ``content``, such as labels and options; ``open_source`` adds their bytes.
        flip_safe: False where a mirrored image has another meaning, as a letter has.
        licence, citation: of a named set.
        warnings: what a person should know of the data, such as a test part that was drawn here.
        content: the files of the images; None where they are generated or ship with a package.
        left_out: the files beside them that are used for nothing.
        value_range: of images that hold numbers, which ``read`` scales by it to 8 bits; None where all are 8-bit.
    """

    uri: str
    name: str
    classes: tuple[str, ...]
    channels: int
    native_size: int
    labels: Mapping[str, np.ndarray]
    reader: Reader
    fingerprint: str
    flip_safe: bool = True
    licence: str | None = None
    citation: str | None = None
    warnings: tuple[str, ...] = ()
    content: Content | None = None
    left_out: tuple[LeftOut, ...] = ()
    value_range: ValueRange | None = None

    @property
    def identity(self) -> Identity:
        """How the data set is known."""
        return "content" if self.content is None else self.content.identity

    @property
    def decoders(self) -> tuple[str, ...]:
        """Library and version for each format of its images whose decoding may differ."""
        return () if self.content is None else self.content.decoders

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of images in each part."""
        return {part: len(labels) for part, labels in self.labels.items()}

    def read(self, part: str, position: int) -> "Image":
        """See ``Reader.read``; an image that holds numbers is scaled by ``value_range``."""
        image = self.reader.read(part, position)
        if self.value_range is None:
            return image
        from trionet_bench.data.images import holds_numbers, scale_numbers  # plans open sources but read no image

        if not holds_numbers(image):
            return image
        with image:
            return scale_numbers(image, self.value_range)

    def item(self, part: str, position: int) -> str:
        """See ``Reader.item``."""
        return self.reader.item(part, position)

    def arrays(self, part: str) -> np.ndarray | None:
        """See ``Reader.arrays``."""
        return self.reader.arrays(part)
