"""Whatever lies in an image file, it is decoded or named as broken; nothing hangs, and no other error comes of it.

Longer, on new examples each time: ``pytest tests/properties tests/data/test_data_any.py --hypothesis-profile long``.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.mutations import damaged

from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError

KINDS = {"png": "PNG", "jpg": "JPEG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP", "ppm": "PPM"}


def encoded(kind: str, seed: int, numbers: bool = False) -> bytes:
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 2**16, (9, 9)).astype(np.uint16) if numbers else None
    if pixels is None:
        pixels = generator.integers(0, 256, (9, 9, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


SOUND = [*(encoded(kind, 0) for kind in KINDS.values()), encoded("TIFF", 1, numbers=True), encoded("PNG", 1, True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("images")
    for name in ("a", "b"):
        (root / name).mkdir()
        for number in range(12):
            (root / name / f"{number}.png").write_bytes(encoded("PNG", number))
    return root


@given(content=damaged(*SOUND), suffix=st.sampled_from([*KINDS, "jpeg"]))
@pytest.mark.filterwarnings("ignore")
def test_any_image_is_decoded_or_named(folder: Path, content: bytes, suffix: str):
    path = folder / "a" / f"any.{suffix}"
    path.write_bytes(content)
    try:
        index = open_source(f"folder:{folder}")
        splits = make_splits(index, 0)
        message = _refusal(lambda: load_images(index, splits, 8))
        assert message is None or path.name in message
        assert load_images(index, splits, 8, skip_broken=True).skipped == (message is not None)
    finally:
        path.unlink()


def _refusal(act: Callable[[], object]) -> str | None:
    try:
        act()
    except DataError as error:
        return str(error)
    return None
