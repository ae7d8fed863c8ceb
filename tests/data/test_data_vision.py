"""Every named set from a miniature in its real layout, against what torchvision's own class reads from it."""

import csv
import gzip
import json
import pickle
import struct
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torchvision
from PIL import Image
from scipy.io import savemat
from support.damage import outcomes

from trionet_bench.data.pipeline.memory import decode_index
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.vision import READERS
from trionet_bench.data.sources.vision_files import IMAGENETTE_NAMES
from trionet_bench.errors import DataError, UsageError

RANDOM = np.random.default_rng(0)
PARTS = ("train", "test")


def photo(path: Path) -> str:
    """Writes an image that no other equals; gives back its name without suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RANDOM.integers(0, 256, (9, 7, 3), dtype=np.uint8)).save(path, quality=95)
    return path.stem


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def cifar(root: Path, files: dict[str, int], labels: str, meta: tuple[str, str]) -> None:
    root.mkdir()
    for name, count in files.items():
        images = RANDOM.integers(0, 256, (count, 3072), dtype=np.uint8)
        content = {"data": images, labels: [i % 3 for i in range(count)]}
        (root / name).write_bytes(pickle.dumps(content, protocol=2))
    (root / meta[0]).write_bytes(pickle.dumps({meta[1]: ["ant", "bee", "cow"]}, protocol=2))


def write_cifar10(root: Path) -> None:
    files = {**{f"data_batch_{i}": 4 for i in range(1, 6)}, "test_batch": 5}
    cifar(root / "cifar-10-batches-py", files, "labels", ("batches.meta", "label_names"))


def write_cifar100(root: Path) -> None:
    cifar(root / "cifar-100-python", {"train": 7, "test": 5}, "fine_labels", ("meta", "fine_label_names"))


def write_svhn(root: Path) -> None:
    for part, count in (("train", 12), ("test", 5)):
        images = RANDOM.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8)[:, None] % 10 + 1
        savemat(root / f"{part}_32x32.mat", {"X": images, "y": labels})


def write_stl10(root: Path) -> None:
    folder = root / "stl10_binary"
    folder.mkdir()
    for part, count in (("train", 6), ("test", 4)):
        RANDOM.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8).tofile(folder / f"{part}_X.bin")
        (np.arange(count, dtype=np.uint8) % 3 + 1).tofile(folder / f"{part}_y.bin")
    (folder / "class_names.txt").write_text("airplane\nbird\ncar\n")


def write_idx(root: Path, name: str, packed: bool) -> None:
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    for prefix, count in (("train", 12), ("t10k", 5)):
        images = RANDOM.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(count, dtype=np.uint8) % 10)):
            content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
            path = folder / f"{prefix}-{kind}-ubyte"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content))
            else:
                path.write_bytes(content)


def write_flowers(root: Path) -> None:
    folder = root / "flowers-102"
    for number in range(1, 13):
        photo(folder / f"jpg/image_{number:05d}.jpg")
    savemat(folder / "imagelabels.mat", {"labels": np.array([[1, 1, 2, 2, 102, 102] * 2], np.uint8)})
    ids = {"trnid": [[1, 3, 5]], "valid": [[2, 4, 6]], "tstid": [[7, 8, 9, 10, 11, 12]]}
    savemat(folder / "setid.mat", {name: np.array(of_part, np.uint16) for name, of_part in ids.items()})


def write_aircraft(root: Path) -> None:
    folder = root / "fgvc-aircraft-2013b" / "data"
    write(folder / "variants.txt", "707-320\nA340 200\nF/A-18\n")
    lines: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    for number in range(9):
        part, variant = ("train", "val", "test")[number % 3], ("707-320", "A340 200", "F/A-18")[number // 3]
        lines[part].append(f"{photo(folder / f'images/{number:07d}.jpg')} {variant}\n")
    for part, of_part in {**lines, "trainval": lines["train"] + lines["val"]}.items():
        write(folder / f"images_variant_{part}.txt", "".join(of_part))


def write_cars(root: Path) -> None:
    folder = root / "stanford_cars"
    (folder / "devkit").mkdir(parents=True)
    savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(["AM General Hummer", "Acura RL"], object)})
    kinds = [("bbox_x1", "O"), ("class", "O"), ("fname", "O")]
    for part, path in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        rows = [(1, i % 2 + 1, photo(folder / f"cars_{part}/{i:05d}.jpg") + ".jpg") for i in range(4)]
        savemat(folder / path, {"annotations": np.array([rows], dtype=kinds)})


def write_caltech(root: Path) -> None:
    folder = root / "caltech101" / "101_ObjectCategories"
    for name, count in (("Faces", 33), ("ant", 31), ("BACKGROUND_Google", 2)):
        for number in range(1, count + 1):
            photo(folder / name / f"image_{number:04d}.jpg")


def write_dtd(root: Path) -> None:
    folder = root / "dtd" / "dtd"
    for partition in (1, 2):
        for part in ("train", "val", "test"):
            paths = [f"{name}/{name}_{partition}{part}.jpg" for name in ("banded", "woven")]
            for path in paths:
                photo(folder / "images" / path)
            write(folder / f"labels/{part}{partition}.txt", "\n".join(paths) + "\n")


def write_pets(root: Path) -> None:
    folder = root / "oxford-iiit-pet"
    for part in ("trainval", "test"):
        names = [("Abyssinian", 1), ("american_bulldog", 2), ("Abyssinian", 1)]
        images = [(photo(folder / f"images/{name}_{part}{i}.jpg"), label) for i, (name, label) in enumerate(names)]
        write(folder / f"annotations/{part}.txt", "".join(f"{image} {label} 1 1\n" for image, label in images))


def write_food(root: Path) -> None:
    folder = root / "food-101"
    for part in PARTS:
        by_class = {}
        for name in ("waffles", "apple_pie"):
            by_class[name] = [f"{name}/{photo(folder / f'images/{name}/{part}{i}.jpg')}" for i in range(3)]
        write(folder / f"meta/{part}.json", json.dumps(by_class))


def write_gtsrb(root: Path) -> None:
    folder = root / "gtsrb"
    for label in range(3):
        for number in range(2):
            photo(folder / f"GTSRB/Training/{label:05d}/{label:05d}_{number:05d}.ppm")
    images = [photo(folder / f"GTSRB/Final_Test/Images/{number:05d}.ppm") for number in range(4)]
    rows = [{"Filename": f"{image}.ppm", "ClassId": number % 3} for number, image in enumerate(images)]
    with (folder / "GT-final_test.csv").open("w", newline="") as table:
        writer = csv.DictWriter(table, ["Filename", "ClassId"], delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


def write_eurosat(root: Path) -> None:
    for name in ("AnnualCrop", "River"):
        for number in range(5):
            photo(root / f"eurosat/2750/{name}/{name}_{number}.jpg")


def write_imagenette(root: Path) -> None:
    for part, count in (("train", 3), ("val", 2)):
        for wnid in IMAGENETTE_NAMES:
            for number in range(count):
                photo(root / f"imagenette2/{part}/{wnid}/{wnid}_{part}{number}.JPEG")


MINIATURES: dict[str, Callable[[Path], None]] = {
    "CIFAR10": write_cifar10,
    "CIFAR100": write_cifar100,
    "SVHN": write_svhn,
    "STL10": write_stl10,
    "MNIST": lambda root: write_idx(root, "MNIST", packed=False),
    "FashionMNIST": lambda root: write_idx(root, "FashionMNIST", packed=False),
    "Flowers102": write_flowers,
    "FGVCAircraft": write_aircraft,
    "StanfordCars": write_cars,
    "Caltech101": write_caltech,
    "DTD": write_dtd,
    "OxfordIIITPet": write_pets,
    "Food101": write_food,
    "GTSRB": write_gtsrb,
    "EuroSAT": write_eurosat,
    "Imagenette": write_imagenette,
}
# torchvision's argument for each of our parts; sets without official parts are read whole by it.
Arguments = dict[str, dict[str, object]]
BY_FLAG: Arguments = {"train": {"train": True}, "test": {"train": False}}
BY_SPLIT: Arguments = {"train": {"split": "train"}, "test": {"split": "test"}}
WITH_VAL: Arguments = {**BY_SPLIT, "val": {"split": "val"}}
WHOLE: Arguments = {"train+test": {}}
THEIR_PARTS: dict[str, Arguments] = {
    **dict.fromkeys(("CIFAR10", "CIFAR100", "MNIST", "FashionMNIST"), BY_FLAG),
    **dict.fromkeys(("SVHN", "STL10", "StanfordCars", "Food101", "GTSRB"), BY_SPLIT),
    **dict.fromkeys(("Flowers102", "FGVCAircraft", "DTD"), WITH_VAL),
    **dict.fromkeys(("Caltech101", "EuroSAT"), WHOLE),
    "OxfordIIITPet": {"train": {"split": "trainval"}, "test": {"split": "test"}},
    "Imagenette": {"train": {"split": "train"}, "val": {"split": "val"}},
}


def test_every_named_set_has_a_miniature_and_facts():
    assert set(MINIATURES) == set(READERS) == set(THEIR_PARTS)
    assert set(READERS) <= set(named_sets())


@pytest.mark.parametrize("name", MINIATURES)
def test_labels_and_pixels_equal_those_of_torchvision(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for module in ("cifar", "svhn", "stl10", "flowers102"):  # miniatures have not the published checksums
        monkeypatch.setattr(f"torchvision.datasets.{module}.check_integrity", lambda *args: True)
    MINIATURES[name](tmp_path)
    index = open_source(f"torchvision:{name}?subset=1", data_root=tmp_path)
    for parts, arguments in THEIR_PARTS[name].items():
        theirs = getattr(torchvision.datasets, name)(str(tmp_path), **arguments)
        expected = sorted((int(label), np.asarray(image).tobytes()) for image, label in theirs)
        ours = []
        for part in parts.split("+"):
            for position, label in enumerate(index.labels[part]):
                ours.append((int(label), np.asarray(index.read(part, position)).tobytes()))
        assert sorted(ours) == expected
    assert index.licence == named_sets()[name].licence


@pytest.mark.parametrize("name", MINIATURES)
def test_counts_are_asserted_with_both_numbers(name: str, tmp_path: Path):
    MINIATURES[name](tmp_path)
    published = named_sets()[name].counts["train"]["train"]
    with pytest.raises(DataError, match=rf"train has \d+ images, where {name} has {published}\. .*subset=1"):
        open_source(f"torchvision:{name}", data_root=tmp_path)


@pytest.mark.parametrize("opened_first", [False, True])
@pytest.mark.parametrize("name", MINIATURES)
def test_a_damaged_file_is_an_error_that_names_it_or_its_set(name: str, opened_first: bool, tmp_path: Path):
    def build(root: Path) -> str:
        MINIATURES[name](root)
        return f"torchvision:{name}?subset=1"

    for what, message in outcomes(build, tmp_path, opened_first):
        assert any(words in message for words in (str(tmp_path), Path(what.partition(" ")[0]).name, name))


STL10, AIRCRAFT = "stl10_binary", "fgvc-aircraft-2013b/data"


@pytest.mark.parametrize(
    ("name", "file", "content", "words"),
    [
        ("STL10", f"{STL10}/train_y.bin", b"\1\2\x09\1\1\1", "the label of train image 2 is class number 8"),
        ("STL10", f"{STL10}/test_X.bin", bytes(3 * 96 * 96), r"test holds images of shape \(1, 96, 96, 3\), and 4 lab"),
        ("Food101", "food-101/meta/train.json", b"[1]", r"meta/train\.json cannot be read: .* Unpack the archive"),
        ("FGVCAircraft", f"{AIRCRAFT}/images_variant_val.txt", b"1\n", r"images_variant_val\.txt cannot be read"),
    ],
)
def test_lists_and_arrays_that_do_not_fit_are_named(name: str, file: str, content: bytes, words: str, tmp_path: Path):
    MINIATURES[name](tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=words):
        decode_index(open_source(f"torchvision:{name}?subset=1", data_root=tmp_path), 8, None)


@pytest.mark.parametrize("name", MINIATURES)
def test_a_missing_set_says_what_to_do(name: str, tmp_path: Path):
    with pytest.raises(DataError) as caught:
        open_source(f"torchvision:{name}", data_root=tmp_path)
    facts = named_sets()[name]
    assert all(words in str(caught.value) for words in (str(tmp_path), facts.needs[0], facts.layout.splitlines()[0]))
    assert (facts.manual or f"trionet-bench data fetch {name}") in str(caught.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "train", "test"), [("Flowers102", 6, 6), ("FGVCAircraft", 6, 3), ("DTD", 4, 2)])
def test_train_and_val_join_on_request(name: str, train: int, test: int, tmp_path: Path):
    MINIATURES[name](tmp_path)
    index = open_source(f"torchvision:{name}?subset=1&train=trainval", data_root=tmp_path)
    assert index.counts == {"train": train, "test": test}
    with pytest.raises(UsageError, match="train cannot be"):
        open_source(f"torchvision:{name}?train=everything", data_root=tmp_path)


def test_dtd_has_ten_partitions(tmp_path: Path):
    write_dtd(tmp_path)
    second = open_source("torchvision:DTD?subset=1&partition=2", data_root=tmp_path)
    assert second.item("val", 0) == "images/banded/banded_2val.jpg"


def test_caltech_trains_on_thirty_images_of_each_class(tmp_path: Path):
    write_caltech(tmp_path)
    index = open_source("torchvision:Caltech101?subset=1", data_root=tmp_path)
    assert index.classes == ("Faces", "ant")
    assert np.bincount(index.labels["train"]).tolist() == [30, 30]
    assert np.bincount(index.labels["test"]).tolist() == [3, 1]


def test_packed_idx_files_are_read_in_place(tmp_path: Path):
    write_idx(tmp_path / "fashion_mnist", "FashionMNIST", packed=True)  # in a folder of its own name
    before = sorted(tmp_path.rglob("*"))
    index = open_source("torchvision:FashionMNIST?subset=1", data_root=tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of arrays that it cannot write to
        assert decode_index(index, 14, None)[0].shape == (17, 1, 14, 14)
    assert index.arrays("train").shape == (12, 28, 28, 1)
    assert index.classes[9] == "Ankle boot"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_listed_image_that_is_gone_is_named(tmp_path: Path):
    write_flowers(tmp_path)
    (tmp_path / "flowers-102/jpg/image_00003.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 3 listed images .*jpg/image_00003\.jpg"):
        open_source("torchvision:Flowers102?subset=1", data_root=tmp_path)


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path):
    write_cifar100(tmp_path)
    (tmp_path / "cifar-100-python/meta").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(DataError, match=r"os\.system has no place in a file of images"):
        open_source("torchvision:CIFAR100?subset=1", data_root=tmp_path)


def test_signs_and_digits_are_not_flip_safe():
    unsafe = {name for name, facts in named_sets().items() if not facts.flip_safe}
    # of a texture, and of what stands in a cued image, the direction is the class; noise has the same images
    assert unsafe == {"SVHN", "MNIST", "GTSRB", "digits", "texture", "noise", "cued"}
