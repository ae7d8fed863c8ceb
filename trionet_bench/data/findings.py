"""What is wrong with a data set though it opens: leaks between parts, constant images, numbers of another range.

``find_problems`` looks at an opened index before anything is trained. It reads each file at most once, by digests that
are remembered, and decodes a few hundred images.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import Splits
from trionet_bench.errors import BenchError

LOOKED_AT = 256  # images of each part that are decoded, spread evenly
DRAFT_SIDE = 64  # pixels; a JPEG file is decoded at about this size
EXAMPLES = 3
CLIPPED = 0.5  # share of the pixels of an image

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """Something that a person should mend or know before training.

    Args:
        severity: no run should start on an "error".
        part: the part, or the split, that it is in.
        classes: names of the classes concerned; empty where it is not about classes.
        count: how many images.
        message: one sentence that says all of it.
    """

    severity: Severity
    part: str
    classes: tuple[str, ...]
    count: int
    message: str


def find_problems(index: Index, splits: Splits | None = None, most: int | None = LOOKED_AT) -> tuple[Finding, ...]:
    """All findings of an opened data set, errors first.

    Args:
        splits: also names the classes that a split drawn from train has no image of.
        most: images of each part that are decoded; all when None.

    Raises:
        DataError: where files are gone or were changed since the index was made.
    """
    findings = [*_lacking_classes(index, splits), *_equal_images(index), *_range(index), *_looks(index, most)]
    return tuple(sorted(findings, key=lambda finding: finding.severity))


def _lacking_classes(index: Index, splits: Splits | None) -> Iterator[Finding]:
    if splits is None:
        return
    cut = [name for name in ("search_val", "val") if "train" in splits[name].by_part and len(splits[name])]
    count_in = {name: np.bincount(splits[name].labels(index), minlength=len(index.classes)) for name in ("train", *cut)}
    sizes = sum(count_in.values(), np.zeros(len(index.classes), np.int64))
    for name in cut:
        drawn = count_in[name]
        if len(absent := np.flatnonzero((drawn == 0) & (sizes > 0))):
            names = tuple(index.classes[label] for label in absent)
            few = int(sizes[absent].min())
            yield Finding(
                "warning",
                name,
                names,
                int(sizes[absent].sum()),
                f"split {name} has no image of {len(names)} classes, such as {_some(names)}: they have few train "
                f"images, the fewest {few}",
            )


def _equal_images(index: Index) -> Iterator[Finding]:
    """Findings on images that are equal to the byte in two parts, or under two labels."""
    if index.identity == "sample":
        return
    rows = [(part, position) for part, count in index.counts.items() for position in range(count)]
    digests = np.concatenate([index.reader.digests(part) for part in index.labels])
    labels = np.concatenate([index.labels[part] for part in index.labels])
    parts = np.repeat(np.arange(len(index.labels)), list(index.counts.values()))
    known = np.flatnonzero(digests.any(axis=1))
    _, group, sizes = np.unique(digests[known], axis=0, return_inverse=True, return_counts=True)
    shared: dict[tuple[str, str], list[int]] = {}
    torn: list[int] = []
    order = known[np.argsort(group, kind="stable")]
    names = list(index.labels)
    for members in np.split(order, np.cumsum(sizes)[:-1]):
        if len(members) < 2:
            continue
        if len(inside := np.unique(parts[members])) > 1:
            for other in inside[1:]:
                shared.setdefault((names[inside[0]], names[other]), []).append(int(members[parts[members] == other][0]))
        if len(np.unique(labels[members])) > 1:
            torn.append(int(members[0]))

    def named(members: Sequence[int]) -> str:
        return _some([index.item(*rows[member]) for member in members])

    for (one, other), of_both in shared.items():
        classes = tuple(index.classes[label] for label in np.unique(labels[of_both]))
        yield Finding(
            "warning",
            other,
            classes,
            len(of_both),
            f"{len(of_both)} images are in {one} and in {other} too, equal to the byte, such as {named(of_both)}: "
            "results on them tell nothing",
        )
    if torn:
        classes = tuple(index.classes[label] for label in np.unique(labels[torn]))
        yield Finding(
            "warning",
            rows[torn[0]][0],
            classes,
            len(torn),
            f"{len(torn)} images have two labels, since equal files stand in two classes, such as {named(torn)}",
        )


def _range(index: Index) -> Iterator[Finding]:
    """What numbers are computed on as black and white, where the images hold numbers."""
    if index.value_range is not None:
        low, high = index.value_range
        message = (
            f"numbers from {low:g} to {high:g} of 16-bit or float images become black to white, and others are "
            "clipped; ?range=LOW,HIGH chooses another range"
        )
        yield Finding("warning", "train", (), index.counts["train"], message)


class _Look(NamedTuple):
    """What an image looks like: its largest value, whether it is of one shade, mostly clipped, of unscaled numbers, the
    first of several in its file, of 16-bit colours.
    """

    highest: int
    constant: bool = False
    clipped: bool = False
    numbers: bool = False
    several: bool = False
    high_byte: bool = False


def _looks(index: Index, most: int | None) -> Iterator[Finding]:
    """Findings on the pixels of some images of each part."""
    highest: dict[str, int] = {}
    for part, count in index.counts.items():
        positions = np.unique(np.linspace(0, count - 1, min(count, most or count)).astype(int)).tolist()
        looks = {position: look for position in positions if (look := _look(index, part, position)) is not None}
        if not looks:
            continue  # broken images are found by decoding all
        highest[part] = max(look.highest for look in looks.values())
        looked = f"of the {len(looks)} {part} images looked at"
        if numbers := [position for position, look in looks.items() if look.numbers]:
            message = (
                f"{len(numbers)} {looked} are 16-bit or floats, such as {{}}, and those of train are 8-bit: "
                "give the range of their numbers as ?range=LOW,HIGH"
            )
            yield _finding(index, "error", part, numbers, message)
        if several := [position for position, look in looks.items() if look.several]:
            message = f"{len(several)} {looked} hold several pages or frames, such as {{}}: the first is computed on"
            yield _finding(index, "warning", part, several, message)
        if high_byte := [position for position, look in looks.items() if look.high_byte]:
            message = (
                f"{len(high_byte)} {looked} are of 16-bit colours, such as {{}}: the high byte of each is computed on, "
                "so that 0 to 65535 become 0 to 255, and range has no effect; save 10 or 12 bits as 8-bit images"
            )
            yield _finding(index, "warning", part, high_byte, message)
        if clipped := [position for position, look in looks.items() if look.clipped]:
            message = f"{len(clipped)} {looked} lie mostly beyond the range {index.value_range}, such as {{}}"
            yield _finding(index, "warning", part, clipped, message)
        if constant := [position for position, look in looks.items() if look.constant]:
            severity: Severity = "error" if part == "train" and len(constant) == len(looks) else "warning"
            message = f"{len(constant)} {looked} are of one shade only, such as {{}}"
            yield _finding(index, severity, part, constant, message)
    for part, value in highest.items():
        if value <= 1 < highest.get("train", 0):
            message = f"{part} images hold only values up to {value}, and those of train up to {highest['train']}"
            yield Finding("error", part, (), index.counts[part], f"{message}: save both in one range")


def _look(index: Index, part: str, position: int) -> _Look | None:
    """One image; None where it cannot be decoded."""
    from trionet_bench.data import images  # decoders load here, as not every plan reads an image

    try:
        with index.reader.read(part, position) as image:
            several, high_byte = images.holds_several(image), images.cut_to_high_byte(image)
            image.draft(None, (DRAFT_SIDE, DRAFT_SIDE))
            if not images.holds_numbers(image):
                pixels = np.asarray(images.to_grey_or_rgb(image, index.channels))
                return _look_at(pixels)._replace(several=several, high_byte=high_byte)
            if index.value_range is None:
                return _Look(highest=0, numbers=True, several=several)
            values, (low, high) = np.asarray(image), index.value_range
            clipped = bool(np.mean((values < low) | (values > high)) > CLIPPED)
            look = _look_at(np.asarray(images.scale_numbers(image, index.value_range)))
            return look._replace(clipped=clipped, several=several)
    except BenchError:
        raise
    except Exception:  # decoders raise errors of any type
        return None


def _look_at(pixels: np.ndarray) -> _Look:
    """uint8 pixels (H, W) or (H, W, C); an image is of one shade where each channel is constant."""
    constant = bool((pixels == pixels[:1, :1]).all())
    return _Look(int(pixels.max()), constant)


def _finding(index: Index, severity: Severity, part: str, positions: Sequence[int], message: str) -> Finding:
    """A finding on some images of a part; ``{}`` in the message becomes the names of the first few."""
    classes = tuple(index.classes[label] for label in np.unique(index.labels[part][list(positions)]))
    items = _some([index.item(part, position) for position in positions])
    return Finding(severity, part, classes, len(positions), message.replace("{}", items))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:EXAMPLES])
