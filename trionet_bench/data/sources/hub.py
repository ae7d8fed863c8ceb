"""``hf:NAME@REVISION``, or ``hf:PATH`` of a folder: sets in the Hugging Face manner, read through ``datasets``.

A folder holds Parquet files, an image folder, or what ``save_to_disk`` wrote. A name means the snapshot that
``trionet-bench data fetch`` left in the Hugging Face cache; nothing is looked up on the network. The image and label
columns are found by their type, or named by ``?image=`` and ``?label=``; ``?config=`` chooses one of several
configurations.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trionet_bench.data.pipeline.splits import stratified
from trionet_bench.data.sources.base import Index, Places, Uri, sha256, unknown_classes
from trionet_bench.data.sources.files import SPLIT_SEED, survey
from trionet_bench.errors import DataError, UsageError
from trionet_bench.randomness import derived_generator

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
LABEL_NAMES = ("label", "labels", "class", "target")
TEST_SHARE = 0.2


@dataclass(frozen=True, eq=False)
class HubReader:
    """Encoded images in a column of Arrow tables, by part."""

    tables: Mapping[str, Any]
    column: str
    rows: Mapping[str, np.ndarray]

    def read(self, part: str, position: int) -> Image.Image:
        cell = self.tables[part][int(self.rows[part][position])][self.column]
        return Image.open(io.BytesIO(cell["bytes"]) if cell["bytes"] is not None else cell["path"])

    def item(self, part: str, position: int) -> str:
        return f"{part} row {int(self.rows[part][position])}"

    def arrays(self, part: str) -> None:
        return None


def open_index(uri: Uri, places: Places) -> Index:
    uri.check_options("image", "label", "config")
    folder = places.resolve(uri.path)
    if not folder.is_dir():
        folder = cached_snapshot(uri)
    tables = _tables(uri, folder)
    features = tables["train"].features
    image = _column(uri, features, "image", [name for name, kind in features.items() if _kind(kind) == "Image"])
    typed = [name for name, kind in features.items() if _kind(kind) == "ClassLabel"]
    label = _column(uri, features, "label", typed or [name for name in LABEL_NAMES if name in features])

    values = {part: np.asarray(table.with_format("numpy")[label][:]) for part, table in tables.items()}
    classes, labels = _labels(uri, values, getattr(features[label], "names", None))
    rows = {part: np.arange(len(of_part)) for part, of_part in labels.items()}
    warnings = []
    if set(labels) == {"train"}:
        warnings.append(f"no test split: {TEST_SHARE:.0%} of each class are held out as test, the same in every run")
        draw = derived_generator(SPLIT_SEED, "test")
        rows["test"] = stratified(labels["train"], round(TEST_SHARE * len(labels["train"])), draw)
        rows["train"] = np.setdiff1d(rows["train"], rows["test"])
        labels = {part: labels["train"][rows[part]] for part in ("train", "test")}
        tables = dict.fromkeys(("train", "test"), tables["train"])
    encoded = {part: table.select_columns([image]).cast_column(image, _undecoded()) for part, table in tables.items()}
    reader = HubReader(encoded, image, rows)
    native_size, channels = survey(uri, reader, len(rows["train"]))
    content = [f"{part} {labels[part].tolist()} {_sizes(encoded[part], image)[rows[part]].tolist()}" for part in labels]
    return Index(
        uri=uri.text,
        name=uri.path.rstrip("/").rsplit("/", 1)[-1].partition("@")[0],
        classes=classes,
        channels=channels,
        native_size=native_size,
        labels=labels,
        reader=reader,
        fingerprint=sha256(*content, *classes),
        warnings=tuple(warnings),
    )


def cached_snapshot(uri: Uri) -> Path:
    """Where the Hugging Face cache has this set at this revision; found without importing anything, to be quick."""
    name, at, revision = uri.path.partition("@")
    if not at or not revision:
        raise DataError(
            f"{uri.text}: {name} is not a folder here. For a set of the Hugging Face hub write hf:NAME@REVISION, "
            f"where the revision is a tag or commit, so that everyone gets the same images."
        )
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser() / f"datasets--{name.replace('/', '--')}"
    reference = cache / "refs" / revision
    snapshot = cache / "snapshots" / (reference.read_text().strip() if reference.is_file() else revision)
    if not snapshot.is_dir():
        raise DataError(
            f"{uri.text} is not in the Hugging Face cache (looked for {snapshot}). "
            f"Get it with `trionet-bench data fetch {uri.text}`, the only command that downloads."
        )
    return snapshot


def _tables(uri: Uri, folder: Path) -> dict[str, Any]:
    """The tables of the folder by our names of the parts."""
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"  # read when datasets is imported
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"{uri.text} needs the package datasets: pip install 'trionet_bench[hf]'") from error
    datasets.disable_progress_bars()
    try:
        if (folder / "dataset_dict.json").is_file():
            found = datasets.load_from_disk(str(folder))
        elif (folder / "state.json").is_file():
            found = {"train": datasets.load_from_disk(str(folder))}
        else:
            found = datasets.load_dataset(str(folder), name=uri.options.get("config"))
    except (OSError, ValueError) as error:
        raise DataError(f"{uri.text}: {folder} cannot be read: {error}") from error
    tables = {PARTS[name]: table for name, table in found.items() if name in PARTS}
    if "train" not in tables:
        raise DataError(f"{uri.text}: the splits of {folder} are {', '.join(found)}; needed is one called train.")
    return tables


def _undecoded() -> Any:
    import datasets

    return datasets.Image(decode=False)


def _kind(feature: Any) -> str:
    return type(feature).__name__


def _column(uri: Uri, features: Mapping[str, Any], what: str, candidates: list[str]) -> str:
    """The column that the options name, or the only candidate."""
    chosen = uri.options.get(what)
    if chosen is None and len(candidates) == 1:
        return candidates[0]
    columns = ", ".join(f"{name} ({_kind(feature)})" for name, feature in features.items())
    if chosen is None:
        found = "several" if candidates else "no"
        raise UsageError(f"{uri.text}: there is {found} {what} column among {columns}; name it with ?{what}=.")
    if chosen not in features:
        raise UsageError(f'{uri.text}: there is no column "{chosen}"; there are {columns}.')
    return chosen


def _labels(
    uri: Uri, values: dict[str, np.ndarray], names: list[str] | None
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Class names and numbers; without names the classes are the values that train has."""
    known = np.arange(len(names)) if names else np.unique(values["train"])
    for part, of_part in values.items():
        if unknown := sorted(set(of_part.tolist()) - set(known.tolist())):
            raise unknown_classes(uri.text, part, [str(value) for value in unknown])
    classes = tuple(names or [str(value) for value in known])
    return classes, {part: np.searchsorted(known, of_part).astype(np.int64) for part, of_part in values.items()}


def _sizes(table: Any, column: str) -> np.ndarray:
    """Bytes of every encoded image, read from Arrow's offsets; of a file where the table has only its path."""
    import pyarrow.compute as pc

    cells = table.with_format("arrow")[:][column]
    lengths = pc.binary_length(pc.struct_field(cells, "bytes")).to_pylist()
    paths = pc.struct_field(cells, "path").to_pylist() if None in lengths else []
    return np.array([os.path.getsize(paths[row]) if size is None else size for row, size in enumerate(lengths)])
