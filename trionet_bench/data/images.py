"""Stored images of any mode, bit depth and orientation to upright 8-bit grey or RGB."""

import io
import threading
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError, features

from trionet_bench.data.reading import check_regular
from trionet_bench.data.values import ValueRange, to_bytes

NUMERIC_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")
GREY_MODES = ("1", "L", "LA", "La", *NUMERIC_MODES)
# Suffixes of the formats that Pillow decodes, those of optional libraries apart.
_OPTIONAL = {
    "webp": (".webp",),
    "avif": (".avif", ".avifs"),
    "jpg_2000": (".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
}
IMAGE_SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
        *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".pcx", ".dds", ".ico", ".icns", ".psd", ".sgi", ".qoi"),
        *(suffix for library, suffixes in _OPTIONAL.items() if features.check(library) for suffix in suffixes),
    )
)
# Suffixes of images that need another program to decode.
UNDECODED_SUFFIXES = frozenset(
    (
        *(".heic", ".heif", ".jxl", ".svg", ".svgz", ".eps", ".exr", ".hdr", ".dcm", ".nii", ".fits", ".czi", ".svs"),
        *(".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf"),
        *(suffix for suffixes in _OPTIONAL.values() for suffix in suffixes),
    )
)

# Above the 108 million of a large camera. What has more may be made to fill the memory: conversion holds up to 16 bytes
# a pixel, 1.9 GB here. Pillow's own bound is higher, and below it comes a warning that names no file.
PIXELS_AT_MOST = 120_000_000
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
# Of damaged EXIF data beside sound pixels it warns too, naming no file.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")
_unlimited = threading.Lock()


class ImageTooLargeError(ValueError):
    """An image has more pixels than are decoded here."""


def open_image(source: Path | BinaryIO) -> Image.Image:
    """An image whose header was read and whose pixels were not.

    Raises:
        ImageTooLargeError: names width and height of an image of more than ``PIXELS_AT_MOST`` pixels.
        Exception: of any type, which decoders choose, for a file that cannot be read or is no image.
    """
    if isinstance(source, Path):
        check_regular(source)
    try:
        image: Image.Image = Image.open(source)
    except Image.DecompressionBombError:
        image = _open_without_limit(source)
    except UnidentifiedImageError as error:
        raise OSError(_why_unidentified(source)) from error
    width, height = image.size
    if width * height > PIXELS_AT_MOST:
        image.close()
        raise ImageTooLargeError(
            f"it has {width} x {height} pixels, more than {PIXELS_AT_MOST // 10**6} million; "
            "save it smaller, as training sees a few hundred pixels a side"
        )
    return image


def _why_unidentified(source: Path | BinaryIO) -> str:
    size = source.stat().st_size if isinstance(source, Path) else source.seek(0, io.SEEK_END)
    return "it is no image of a format that is decoded here" if size else "it is empty"


def _open_without_limit(source: Path | BinaryIO) -> Image.Image:
    """As ``Image.open`` of an image of any size, whose header has it."""
    with _unlimited:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(source)
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def to_grey_or_rgb(image: Image.Image, channels: int) -> Image.Image:
    """The image upright by its EXIF orientation, in mode L (``channels`` 1) or RGB (3).

    Transparent pixels become white. Of 16-bit values the high byte is kept.

    Raises:
        ValueError: for an image of floats, whose range must be known: see ``scale_numbers``.
    """
    upright = _upright(image)
    if upright.mode.startswith("I"):
        upright = Image.fromarray((np.clip(np.asarray(upright), 0, 65535) // 256).astype(np.uint8))
    elif upright.mode == "F":
        raise ValueError("it holds floats, and their range is not known; give it as ?range=LOW,HIGH of the source")
    elif upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        with_alpha = upright if upright.mode == "RGBA" else upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", with_alpha.size, "white"), with_alpha)
    return upright.convert("L" if channels == 1 else "RGB")


def _upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation says; itself where it is upright, as a copy of a large one costs its memory."""
    image.load()  # a PNG file may have its orientation behind its pixels
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return image if orientation == 1 else ImageOps.exif_transpose(image)


def holds_numbers(image: Image.Image) -> bool:
    """Whether the values of an image are 16-bit or larger integers, or floats."""
    return image.mode in NUMERIC_MODES


def cut_to_high_byte(image: Image.Image) -> bool:
    """Whether an image, opened and not yet decoded, stores 16-bit colours: decoding keeps the high byte of each."""
    return (
        isinstance(image, ImageFile.ImageFile)
        and not holds_numbers(image)
        and any(";16" in str(tile.args) for tile in image.tile)
    )


def holds_several(image: Image.Image) -> bool:
    """Whether a file holds several pages or frames; decoding gives the first.

    A photo of a telephone (MPO) has previews behind it, which are no pages.
    """
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def scale_numbers(image: Image.Image, value_range: ValueRange) -> Image.Image:
    """An image that holds numbers as an upright 8-bit grey one, in which ``value_range`` is 0 to 255."""
    return Image.fromarray(to_bytes(np.asarray(_upright(image)), value_range))


def centre_square(image: Image.Image, side: int, channels: int) -> np.ndarray:
    """The largest central square of the image, resized to uint8 (C, side, side).

    A JPEG file that was not read yet is decoded at a fraction of its size, in place.
    """
    # Decoding keeps at least twice the wanted side, as in Pillow's own thumbnails.
    image.draft(None, (2 * side, 2 * side))
    fitted = ImageOps.fit(to_grey_or_rgb(image, channels), (side, side), Image.Resampling.BILINEAR)
    return to_planes(fitted)


def to_planes(image: Image.Image) -> np.ndarray:
    """uint8 (C, H, W) of an image in mode L or RGB."""
    pixels = np.array(image)  # (H, W) or (H, W, 3)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def read_header(image: Image.Image) -> tuple[int, bool]:
    """Short side in pixels and whether the image is grey, from the header of its file."""
    return min(image.size), image.mode in GREY_MODES
