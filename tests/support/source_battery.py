"""What holds for every data source, as checks of one case each. A new source is to pass all of them."""

import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from support.damage import outcomes
from support.source_cases import SourceCase

from trionet_bench.data.images import to_grey_or_rgb
from trionet_bench.data.index import Index
from trionet_bench.data.pipeline.splits import make_splits
from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import DataError, UsageError


def opened(case: SourceCase, root: Path, variant: int = 0) -> Index:
    root.mkdir(parents=True)
    return open_source(case.build(root, variant), root, root)


def check_labels_classes_and_counts_agree(case: SourceCase, root: Path) -> None:
    index = opened(case, root / "a")
    assert "train" in index.labels
    assert {"val", "test"} & set(index.labels)
    assert set(index.labels) <= {"train", "val", "test"}
    assert len(set(index.classes)) == len(index.classes) >= 2
    for part, labels in index.labels.items():
        assert (labels.dtype, labels.ndim) == (np.int64, 1)
        assert set(labels.tolist()) <= set(range(len(index.classes)))
        assert index.counts[part] == len(labels) > 0
    assert index.channels in (1, 3)
    assert index.native_size > 0
    assert index.name


def check_images_can_be_read(case: SourceCase, root: Path) -> None:
    index = opened(case, root / "a")
    for part, count in index.counts.items():
        arrays = index.arrays(part)
        if arrays is not None:
            assert (arrays.dtype, len(arrays), arrays.shape[3]) == (np.uint8, count, index.channels)
        for position in (0, count - 1):
            with index.read(part, position) as image:
                pixels = np.asarray(to_grey_or_rgb(image, index.channels))
            assert min(pixels.shape[:2]) == index.native_size
            if arrays is not None:
                assert np.array_equal(pixels, arrays[position].reshape(pixels.shape))
        assert len({index.item(part, position) for position in range(count)}) == count


def check_the_fingerprint_follows_the_content(case: SourceCase, root: Path) -> None:
    first, again = opened(case, root / "a"), opened(case, root / "b")
    assert len(first.fingerprint) == 64
    assert first.fingerprint == again.fingerprint  # wherever the files are
    assert first.identity == "content"
    assert (first.content is not None) == case.files  # a source names the files that it reads
    if not case.fixed:
        assert first.fingerprint != opened(case, root / "c", variant=1).fingerprint


def check_options(case: SourceCase, root: Path) -> None:
    (root / "a").mkdir()
    uri = case.build(root / "a", 0)
    joint = "&" if "?" in uri else "?"
    with pytest.raises(UsageError, match='unknown option "flop" of the source; did you mean "flip"'):
        open_source(f"{uri}{joint}flop=1", root / "a", root / "a")
    mirrored, fixed = (open_source(f"{uri}{joint}flip={flip}", root / "a", root / "a") for flip in (1, 0))
    assert (mirrored.flip_safe, fixed.flip_safe) == (True, False)
    assert mirrored.fingerprint != fixed.fingerprint


def check_an_index_can_be_sent_to_another_process(case: SourceCase, root: Path) -> None:
    index = opened(case, root / "a")
    copy = pickle.loads(pickle.dumps(index))
    assert copy.fingerprint == index.fingerprint
    for part in index.labels:
        with index.read(part, 0) as here, copy.read(part, 0) as there:
            assert np.array_equal(np.asarray(here), np.asarray(there))


def check_it_can_be_split(case: SourceCase, root: Path) -> None:
    index = opened(case, root / "a")
    splits = make_splits(index, seed=0)
    assert all(splits.counts.values())
    assert splits.hash == make_splits(opened(case, root / "b"), seed=0).hash


def check_opening_writes_nothing(case: SourceCase, root: Path) -> None:
    (root / "a").mkdir()
    uri = case.build(root / "a", 0)
    before = sorted(root.rglob("*"))
    open_source(uri, root / "a", root / "a")
    assert sorted(root.rglob("*")) == before


def check_missing_files_are_a_data_error(case: SourceCase, root: Path) -> None:
    if not case.files:
        return
    (root / "a").mkdir()
    uri = case.build(root / "a", 0)
    (root / "b").mkdir()
    with pytest.raises(DataError, match=uri.partition("?")[0]):
        open_source(uri, root / "b", root / "b")


def check_damaged_files_are_an_error_of_ours(case: SourceCase, root: Path) -> None:
    for opened_first in (False, True) if case.files else ():
        below = root / f"{opened_first}"
        below.mkdir()
        said = outcomes(lambda place: case.build(place, 0), below, opened_first)
        assert said
        for what, message in said:
            assert str(below) in message or what.partition(" ")[0].rpartition("/")[2] in message, what


SOURCE_CHECKS: tuple[Callable[[SourceCase, Path], None], ...] = (
    check_labels_classes_and_counts_agree,
    check_images_can_be_read,
    check_the_fingerprint_follows_the_content,
    check_options,
    check_an_index_can_be_sent_to_another_process,
    check_it_can_be_split,
    check_opening_writes_nothing,
    check_missing_files_are_a_data_error,
    check_damaged_files_are_an_error_of_ours,
)


def torch_was_imported(uris: Sequence[str], root: Path, imports: Sequence[str] = ()) -> bool:
    """Whether opening these sources below ``root``, in a new process after ``imports``, imports torch."""
    code = (
        "import importlib, sys\n"
        "from pathlib import Path\n"
        "from trionet_bench.data.sources.opening import open_source\n"
        f"for module in {list(imports)!r}:\n"
        "    importlib.import_module(module)\n"
        f"for uri in {list(uris)!r}:\n"
        f"    open_source(uri, Path({str(root)!r}), Path({str(root)!r}))\n"
        "print('torch' in sys.modules)\n"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return process.stdout.splitlines()[-1] == "True"
