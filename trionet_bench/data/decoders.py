"""Formats of image files by their first bytes, and the versions of the libraries that decode those with a choice.

Two decoders of PNG, BMP, GIF or PNM give the same pixels. Decoders of JPEG, WebP, AVIF and JPEG 2000 may round
differently, so that the version of the library belongs to what a network was trained on.
"""

from collections.abc import Iterable

from PIL import __version__

HEAD_BYTES = 16  # what ``format_code`` looks at
FORMATS = ("other", "exact", "JPEG", "WEBP", "AVIF", "JPEG2000", "TIFF")  # stored by position: only append
# Feature of Pillow that tells the version of the library; the first that this build has.
_LIBRARIES = {
    "JPEG": ("libjpeg_turbo", "jpg"),
    "WEBP": ("webp",),
    "AVIF": ("avif",),
    "JPEG2000": ("jpg_2000",),
    "TIFF": ("libtiff",),
}
_EXACT_STARTS = (b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM", *(b"P%d" % number for number in range(1, 7)))
_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x00\x00\x00\x0cjP  ": "JPEG2000",
    b"\xff\x4f\xff\x51": "JPEG2000",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
}
_BRANDS = (b"avif", b"avis")


def format_code(head: bytes) -> int:
    """Position in ``FORMATS`` of the format that a file with these first bytes has."""
    if head.startswith(_EXACT_STARTS):
        return FORMATS.index("exact")
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return FORMATS.index("WEBP")
    if head[4:8] == b"ftyp" and head[8:12] in _BRANDS:
        return FORMATS.index("AVIF")
    return FORMATS.index(next((name for start, name in _STARTS.items() if head.startswith(start)), "other"))


def code_of_name(name: str | None) -> int:
    """Position in ``FORMATS`` of a format by Pillow's name of it."""
    if name in ("PNG", "BMP", "GIF", "PPM"):
        return FORMATS.index("exact")
    known = "JPEG" if name == "MPO" else name
    return FORMATS.index(known) if known in FORMATS else FORMATS.index("other")


def decoder_versions(codes: Iterable[int]) -> tuple[str, ...]:
    """The library and version for each format of ``codes`` whose decoding may differ, such as "JPEG libjpeg_turbo 3.1".

    Formats that are not known here are taken to depend on the version of Pillow.
    """
    return tuple(_version(FORMATS[code]) for code in sorted(set(codes)) if FORMATS[code] != "exact")


def every_decoder() -> str:
    """Versions of all libraries that decode images here, also of those with equal results."""
    return " ".join([f"Pillow {__version__}", *(_version(name) for name in _LIBRARIES)])


def _version(name: str) -> str:
    from PIL import features  # loads all of Pillow, which a plan over generated images does not need

    for feature in _LIBRARIES.get(name, ()):
        if version := features.version(feature):
            return f"{name} {feature} {version}"
    return f"{name} Pillow {__version__}"
