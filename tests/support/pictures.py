"""Pictures whose files have one size whatever they show, and changes of a file that its size and date do not tell."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 12
# Formats that store pixels as they are, so that all pictures of one shape give files of one size.
RAW = {"bmp": "BMP", "pgm": "PPM", "tif": "TIFF"}


def encoded(suffix: str, shade: int) -> bytes:
    """A grey picture of one shade as a file of a raw format, with a mark that makes it no constant image."""
    pixels = np.full((SIDE, SIDE), shade, np.uint8)
    pixels[0, 0] = 255 - shade
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, RAW[suffix])
    return buffer.getvalue()


def pngs(count: int, first: int = 0) -> list[bytes]:
    """Encoded pictures of 8x8 pixels, each of another red."""
    pictures = []
    for number in range(first, first + count):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (number, 0, 0)).save(buffer, "PNG")
        pictures.append(buffer.getvalue())
    return pictures


def write_set(root: Path, suffix: str, count: int = 6) -> list[Path]:
    """A folder source of two classes with ``count`` train and 2 test images each, all of different shades."""
    paths = [
        root / part / name / f"{number}.{suffix}"
        for part, images in (("train", count), ("test", 2))
        for name in ("a", "b")
        for number in range(images)
    ]
    for shade, path in enumerate(paths, start=1):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(suffix, 7 * shade))
    return paths


def rewrite(path: Path, content: bytes) -> None:
    """New bytes in the same file, which keeps its inode and its time of modification.

    It is written again until the operating system's time of change has moved on, since the clock of a file system ticks
    only every few milliseconds.
    """
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        with path.open("r+b") as file:
            file.truncate(len(content))
            file.write(content)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path: Path, content: bytes) -> None:
    """Another file of the same name with these bytes and the same time of modification, as a copying program leaves."""
    before = path.stat()
    other = path.with_name(f"{path.name}.new")
    other.write_bytes(content)
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(other, path)
