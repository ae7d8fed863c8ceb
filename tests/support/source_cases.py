"""Small data sets, one for each scheme, as files that the source reads."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("heron", "wren")


@dataclass(frozen=True)
class SourceCase:
    """A small data set of one scheme.

    Args:
        build: writes its files below a folder and returns its URI, with paths relative to the folder. With 1 instead of
            0 as the second argument the images differ, and nothing else.
        fixed: whether the content is part of a package, so that there is no other.
        files: whether there are files of its own, without which it cannot be opened.
    """

    build: Callable[[Path, int], str]
    fixed: bool = False
    files: bool = True


def write_image(path: Path, side: int) -> None:
    """A colour image of noise; the file format is that of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _folder(root: Path, variant: int) -> str:
    for part, count in (("train", 10), ("test", 4)):
        for name in CLASSES:
            for number in range(count):
                write_image(root / "folders" / part / name / f"{number}.png", 12 + variant)
    return "folder:folders"


def _table(root: Path, variant: int) -> str:
    rows = ["path,label,split"]
    for number in range(28):
        path = f"images/{number}.png"
        write_image(root / path, 12 + variant)
        rows.append(f"{path},{CLASSES[number % 2]},{'test' if number >= 20 else 'train'}")
    (root / "table.csv").write_text("\n".join(rows) + "\n")
    return "csv:table.csv"


def _npz(root: Path, variant: int) -> str:
    generator = np.random.default_rng(variant)
    np.savez(
        root / "arrays.npz",
        train_images=generator.integers(0, 256, (20, 12, 12, 3), dtype=np.uint8),
        train_labels=np.arange(20) % 2,
        test_images=generator.integers(0, 256, (8, 12, 12, 3), dtype=np.uint8),
        test_labels=np.arange(8) % 2,
    )
    return "npz:arrays.npz"


def _hub(root: Path, variant: int) -> str:
    import datasets

    (root / "parquet").mkdir()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})
    for part, count in (("train", 20), ("test", 8)):
        images = [Image.new("RGB", (12 + variant, 12), (number, 0, 0)) for number in range(count)]
        columns = {"image": images, "label": [number % 2 for number in range(count)]}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(root / "parquet" / f"{part}.parquet")
    return "hf:parquet"


def _imagenet(root: Path, variant: int) -> str:
    for part, count in (("train", 10), ("val", 4)):
        for synset in ("n01440764", "n02012849"):
            for number in range(count):
                write_image(root / "synsets" / part / synset / f"{number}.JPEG", 12 + variant)
    return "imagenet:synsets"


def _torchvision(root: Path, variant: int) -> str:
    folder = root / "cifar-100-python"
    folder.mkdir()
    generator = np.random.default_rng(variant)
    for part, count in (("train", 20), ("test", 8)):
        images = generator.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)
        content = {"data": images, "fine_labels": [number % 2 for number in range(count)]}
        (folder / part).write_bytes(pickle.dumps(content, protocol=2))
    (folder / "meta").write_bytes(pickle.dumps({"fine_label_names": list(CLASSES)}, protocol=2))
    return "torchvision:CIFAR100?subset=1"


SOURCE_CASES = {
    "sklearn": SourceCase(lambda root, variant: "sklearn:digits", fixed=True, files=False),
    "torchvision": SourceCase(_torchvision),
    "hf": SourceCase(_hub),
    "imagenet": SourceCase(_imagenet),
    "csv": SourceCase(_table),
    "npz": SourceCase(_npz),
    "synthetic": SourceCase(lambda root, variant: f"synthetic:texture?n=40&seed={variant}", files=False),
    "folder": SourceCase(_folder),
}
