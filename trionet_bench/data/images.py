"""Any real image to plain 8-bit grey or RGB, upright: every mode, depth and orientation that files come in."""

import numpy as np
from PIL import Image, ImageOps

GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm")


def plain(image: Image.Image, channels: int) -> Image.Image:
    """Upright, mode L (one channel) or RGB (three). Transparent pixels turn white; 16-bit values keep the high byte."""
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        upright = Image.fromarray((np.clip(np.asarray(upright), 0, 65535) // 256).astype(np.uint8))
    elif upright.mode == "F":
        values = np.nan_to_num(np.asarray(upright))
        scale = 255 if values.max(initial=0) <= 1 else 1
        upright = Image.fromarray(np.clip(values * scale, 0, 255).astype(np.uint8))
    elif upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        seen = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen)
    return upright.convert("L" if channels == 1 else "RGB")


def square(image: Image.Image, side: int, channels: int) -> np.ndarray:
    """The central square of the image at ``side`` pixels, uint8 (C, side, side); its short side is kept whole."""
    # JPEG decodes at a fraction of its size where twice the wanted side is left, as Pillow's own thumbnails do.
    image.draft(None, (2 * side, 2 * side))
    fitted = ImageOps.fit(plain(image, channels), (side, side), Image.Resampling.BILINEAR)
    return planes(fitted)


def planes(image: Image.Image) -> np.ndarray:
    """uint8 (C, H, W) of an L or RGB image."""
    pixels = np.array(image)  # (H, W) or (H, W, 3)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def header(image: Image.Image) -> tuple[int, bool]:
    """Short side and whether the image is grey, from the file's head alone."""
    return min(image.size), image.mode in GREY_MODES
