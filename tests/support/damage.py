"""Ways in which a file of a data set goes wrong, and what may come of it: an error of ours, or nothing."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from trionet_bench.data.findings import find_problems
from trionet_bench.data.pipeline.loader import load_images
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import BenchError


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut": _cut,
    "empty": lambda path: path.write_bytes(b""),
    "other": lambda path: path.write_bytes(b"<html>404 Not Found</html>\n"),
    "folder": _folder,
    "pipe": _pipe,
    "gone": Path.unlink,
}


def one_of_each_suffix(root: Path) -> list[Path]:
    """Paths below ``root`` of its files: every one without a usual suffix of images, and the first of each of these."""
    images = (".jpg", ".jpeg", ".png", ".ppm")
    files = sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return list({path.suffix if path.suffix.lower() in images else str(path): path for path in files}.values())


def outcomes(build: Callable[[Path], str], root: Path, opened_first: bool) -> list[tuple[str, str]]:
    """(file and damage, message) of all that a set says whose files are damaged one at a time.

    Args:
        build: writes the set below a folder and returns its URI, relative to the folder.
        opened_first: damage a file between opening the set and decoding its images, instead of before.

    Any error that is none of ours is passed on.
    """
    sound = root / "sound"
    sound.mkdir()
    uri = build(sound)
    said = []
    for file in one_of_each_suffix(sound):
        for kind, damage in DAMAGES.items():
            here = root / "damaged"
            shutil.rmtree(here, ignore_errors=True)
            shutil.copytree(sound, here)
            try:
                if not opened_first:
                    damage(here / file)
                index = open_source(uri, here, here)
                if opened_first:
                    damage(here / file)
                splits = make_splits(index, 0)
                find_problems(index, splits)
                load_images(index, splits, 8)
            except BenchError as error:
                said.append((f"{file} {kind}", str(error)))
    return said
