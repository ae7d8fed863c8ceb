"""Every kind of image file becomes the 8-bit picture that a person sees in it."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trionet_bench.data.images import centre_square, to_grey_or_rgb

SIZE = (6, 4)


def stored(image: Image.Image, kind: str, **options: object) -> Image.Image:
    """The image as it comes back from a file of this kind."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(buffer)


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (stored(Image.new("1", SIZE, 1), "PNG"), 255),
        (stored(Image.new("L", SIZE, 90), "PNG"), 90),
        (stored(Image.new("LA", SIZE, (90, 255)), "PNG"), 90),
        (stored(Image.new("LA", SIZE, (90, 0)), "PNG"), 255),  # the page is white
        (stored(Image.new("P", SIZE, 1), "PNG"), None),
        (stored(Image.fromarray(np.full((4, 6), 40 * 256 + 7, np.uint16)), "PNG"), 40),  # high byte of 16 bits
        (stored(Image.fromarray(np.full((4, 6), 40 * 256 + 7, np.uint16)), "TIFF"), 40),
        (Image.new("I", SIZE, 70000), 255),
        (stored(Image.new("RGB", SIZE, (60, 60, 60)), "PNG"), 60),
        (stored(Image.new("RGBA", SIZE, (60, 60, 60, 0)), "PNG"), 255),
        (stored(Image.new("CMYK", SIZE, (0, 0, 0, 155)), "TIFF"), 100),  # 255 - 155
        (stored(Image.new("YCbCr", SIZE, (80, 128, 128)), "JPEG"), 80),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_mode_becomes_eight_bit_grey_or_rgb(image: Image.Image, grey: int | None, channels: int):
    shown = to_grey_or_rgb(image, channels)
    assert (shown.mode, shown.size) == ("L" if channels == 1 else "RGB", SIZE)
    if grey is not None:
        assert np.abs(np.asarray(shown).astype(int) - grey).max() <= 1


def test_a_palette_keeps_its_colours_and_its_transparent_entry_turns_white():
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 20, 0, 0, 0])
    image.putdata([0, 1])
    assert np.asarray(to_grey_or_rgb(stored(image, "PNG", transparency=1), 3)).tolist() == [
        [[200, 10, 20], [255, 255, 255]]
    ]


def test_a_photograph_taken_sideways_is_turned_upright():
    image = Image.new("RGB", (32, 16), "black")
    image.paste("white", (0, 0, 16, 16))  # the left half is white
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees clockwise to view"
    upright = to_grey_or_rgb(stored(image, "JPEG", exif=exif), 1)
    assert upright.size == (16, 32)
    assert (upright.getpixel((8, 4)), upright.getpixel((8, 28))) == (255, 0)


@pytest.mark.parametrize(
    "metadata",
    [
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01\x03\0"},  # a table longer than the block
        {"exif": b"Exif\0\0no such thing"},
        {"xmp": b"<x:xmpmeta>\xff\xfe not UTF-8 tiff:Orientation</x:xmpmeta>"},
    ],
    ids=["torn exif", "odd exif", "xmp"],
)
def test_damaged_metadata_leave_the_pixels_as_they_are(metadata: dict[str, bytes]):
    image = Image.new("RGB", (32, 16), (200, 100, 50))
    plain, damaged = (to_grey_or_rgb(stored(image, "JPEG", **more), 3) for more in ({}, metadata))
    assert np.array_equal(np.asarray(plain), np.asarray(damaged))


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (2000, 5), (3000, 2000)])
def test_any_shape_fills_the_square(size: tuple[int, int]):
    pixels = centre_square(stored(Image.new("RGB", size, (10, 20, 30)), "PNG"), 16, 3)
    assert pixels.shape == (3, 16, 16)
    assert pixels.reshape(3, -1).T.tolist() == [[10, 20, 30]] * 256


def test_an_oblong_image_gives_its_middle():
    image = Image.new("L", (30, 10), 0)
    image.paste(200, (10, 0, 20, 10))
    assert centre_square(image, 10, 1).tolist() == [[[200] * 10] * 10]


def test_a_big_photograph_is_read_at_a_fraction_of_its_size_and_looks_the_same():
    y, x = np.mgrid[0:1024, 0:1024]
    image = Image.fromarray(((np.sin(x / 90) + np.cos(y / 70)) * 60 + 128).astype(np.uint8))
    fast = centre_square(stored(image, "JPEG", quality=95), 32, 1)
    assert np.abs(fast.astype(int) - centre_square(image, 32, 1)).max() <= 3


# Prints by how many bytes a pixel the memory of a process grows while it decodes an image.
PEAK = """
import sys
from pathlib import Path
from PIL import Image
from trionet_bench.data.images import centre_square, open_image
def kilobytes(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))
with open_image(Path(sys.argv[1])) as image:
    before = kilobytes("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")  # the peak so far is forgotten
    centre_square(image, 8, 3)
    print((kilobytes("VmHWM") - before) * 1024 / (image.width * image.height))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize(("mode", "most"), [("RGB", 8.5), ("RGBA", 12.5), ("LA", 16.5), ("I;16", 7.5)])
def test_an_image_needs_no_more_memory_a_pixel_than_the_bound_on_pixels_counts_on(
    mode: str, most: float, tmp_path: Path
):
    path = tmp_path / "large.png"
    Image.new(mode, (4000, 4000)).save(path, compress_level=1)
    done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
    assert 1 < float(done.stdout) < most
