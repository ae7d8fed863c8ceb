"""``hf:NAME@REVISION``, or ``hf:PATH`` of a folder: data sets in the formats of Hugging Face, read by ``datasets``.

A folder holds Parquet files, an image folder, or what ``save_to_disk`` wrote. A name means the snapshot that
``trionet-bench data fetch`` left in the Hugging Face cache; nothing is looked up on the network. The image and label
columns are recognised by their type, or named by ``?image=`` and ``?label=``; ``?config=`` chooses one of several
configurations. Where there is only a train split, a fifth of each class is held out as test.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trionet_bench.caching import cache_folder
from trionet_bench.data.digest import digest_table, sha256
from trionet_bench.data.file_digests import stamps_of
from trionet_bench.data.holdout import hold_out, hold_out_warning
from trionet_bench.data.images import open_image
from trionet_bench.data.index import Content, Index
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.classes import unknown_classes
from trionet_bench.data.sources.files import fingerprint_of_labels, survey
from trionet_bench.errors import DataError, UsageError

if TYPE_CHECKING:
    from datasets import Dataset, Features
    from PIL.Image import Image

# ``datasets`` takes half a second to import and reads its environment then: functions import it when a set is opened.

PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
DESCRIPTIONS = (".json", ".md", ".txt", ".lock")  # suffixes of files that hold no image
LABEL_NAMES = ("label", "labels", "class", "target")


@dataclass(frozen=True, eq=False)
class HubReader:
    """Reads encoded images from a column of tables.

    Args:
        tables: by part; several parts may share one table.
        column: name of the image column, whose cells are not decoded.
        rows: rows of the table that belong to a part, (N,).
        folder: which relative paths in cells start from.
    """

    tables: "Mapping[str, Dataset]"
    column: str
    rows: Mapping[str, np.ndarray]
    folder: Path

    def read(self, part: str, position: int) -> "Image":
        """One image, opened and not yet decoded."""
        cell = self._cell(part, position)
        return open_image(io.BytesIO(cell) if isinstance(cell, bytes) else cell)

    def item(self, part: str, position: int) -> str:
        """Part and table row of an image."""
        return f"{part} row {int(self.rows[part][position])}"

    def arrays(self, part: str) -> None:
        """None: images are encoded."""
        return

    def digests(self, part: str) -> np.ndarray:
        """SHA-256 of each encoded image, uint8 (N, 32); zeros where there is none."""
        return digest_table(self._content(part, position) for position in range(len(self.rows[part])))

    def _content(self, part: str, position: int) -> bytes | None:
        try:
            cell = self._cell(part, position)
            return cell if isinstance(cell, bytes) else cell.read_bytes()
        except OSError:
            return None  # decoding names it

    def _cell(self, part: str, position: int) -> bytes | Path:
        """The encoded image, or the path of its file; OSError where there is neither."""
        cell = self.tables[part][int(self.rows[part][position])][self.column]
        if cell is None or (cell["bytes"] is None and not cell["path"]):
            raise OSError("the cell is empty")
        content: bytes | None = cell["bytes"]
        return self.folder / cell["path"] if content is None else content


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a folder or snapshot.

    Raises:
        DataError: where it is missing or cannot be read, or a part has labels that train has not.
        UsageError: where columns must be named, or a named one does not exist.
    """
    folder = places.resolve(uri.path)
    if not folder.is_dir():
        folder = cached_snapshot(uri)
    files = _files_below(folder)
    tables = _load_tables(uri, folder, files)
    features = tables["train"].features
    image = _choose_column(uri, features, "image", [name for name in features if _type_name(features, name) == "Image"])
    typed = [name for name in features if _type_name(features, name) == "ClassLabel"]
    label = _choose_column(uri, features, "label", typed or [name for name in LABEL_NAMES if name in features])

    values = {part: np.asarray(table.with_format("numpy")[label][:]) for part, table in tables.items()}
    classes, labels = _encode_labels(uri, values, getattr(features[label], "names", None))
    rows = {part: np.arange(len(of_part)) for part, of_part in labels.items()}
    warnings = []
    if set(labels) == {"train"}:
        warnings.append(hold_out_warning("no test split"))
        rows["train"], rows["test"] = hold_out(labels["train"])
        labels = {part: labels["train"][rows[part]] for part in ("train", "test")}
        tables = dict.fromkeys(("train", "test"), tables["train"])
    encoded = {part: _without_decoding(table, image) for part, table in tables.items()}
    reader = HubReader(encoded, image, rows, folder)
    seen = survey(uri, reader, len(rows["train"]))
    outside = _files_outside(encoded, image, folder)
    return Index(
        uri=uri.text,
        name=uri.path.rstrip("/").rsplit("/", 1)[-1].partition("@")[0],
        classes=classes,
        channels=seen.channels,
        native_size=seen.native_size,
        labels=labels,
        reader=reader,
        fingerprint=fingerprint_of_labels(labels, classes, image, uri.options.get("config", "")),
        warnings=tuple(warnings),
        content=Content(folder, (*files, *outside), formats=seen.formats),
        value_range=seen.value_range,
    )


def cached_snapshot(uri: Uri) -> Path:
    """The folder of a set at its revision in the Hugging Face cache; DataError where it is not there.

    It is located without importing huggingface_hub, which would take longer than opening most sources.
    """
    name, at, revision = uri.path.partition("@")
    if not at or not revision:
        raise DataError(
            f"{uri.text}: {name} is not a folder here. For a set of the Hugging Face hub write hf:NAME@REVISION, "
            f"where the revision is a tag or commit, so that everyone gets the same images."
        )
    home = Path(os.path.expanduser(os.environ.get("HF_HOME", "~/.cache/huggingface")))
    cache = (
        Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE", home / "hub"))) / f"datasets--{name.replace('/', '--')}"
    )
    reference = cache / "refs" / revision
    snapshot = cache / "snapshots" / (reference.read_text().strip() if reference.is_file() else revision)
    if not snapshot.is_dir():
        raise DataError(
            f"{uri.text} is not in the Hugging Face cache (looked for {snapshot}). "
            f"Get it with `trionet-bench data fetch {uri.text}`, the only command that downloads."
        )
    return snapshot


def _files_below(folder: Path) -> list[str]:
    """The files that tables and images are in, below a folder, by name; not what describes them or is hidden."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    hidden = ".", "__"
    return sorted(
        path.as_posix()
        for path in paths
        if path.suffix not in DESCRIPTIONS and not any(part.startswith(hidden) for part in path.parts)
    )


def _load_tables(uri: Uri, folder: Path, files: list[str]) -> "dict[str, Dataset]":
    """The tables of the folder by part; splits of other names are left out.

    What ``datasets`` converts is kept for as long as no file is touched; its own cache goes by name and time alone.
    """
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"{uri.text} needs the package datasets, which is missing: pip install datasets") from error
    datasets.disable_progress_bars()
    try:
        if (folder / "dataset_dict.json").is_file():
            splits = datasets.load_from_disk(str(folder))
        elif (folder / "state.json").is_file():
            splits = {"train": datasets.load_from_disk(str(folder))}
        else:
            stamps = stamps_of(folder, files).values.tobytes()
            cache = cache_folder() / "tables" / sha256(str(folder), *files, stamps)[:24]
            splits = datasets.load_dataset(str(folder), name=uri.options.get("config"), cache_dir=str(cache))
    except (OSError, ValueError) as error:
        raise DataError(f"{uri.text}: {folder} cannot be read: {error}") from error
    tables = {PARTS[name]: table for name, table in splits.items() if name in PARTS}
    if "train" not in tables:
        raise DataError(f"{uri.text}: the splits of {folder} are {', '.join(splits)}; needed is one called train.")
    return tables


def _without_decoding(table: "Dataset", column: str) -> "Dataset":
    """The image column alone, its cells as encoded bytes or paths."""
    import datasets

    return table.select_columns([column]).cast_column(column, datasets.Image(decode=False))


def _type_name(features: "Features", column: str) -> str:
    return type(features[column]).__name__


def _choose_column(uri: Uri, features: "Features", role: str, candidates: list[str]) -> str:
    """The column that the option ``role`` names, or the only candidate; UsageError where there is none or several."""
    chosen = uri.options.get(role)
    if chosen is None and len(candidates) == 1:
        return candidates[0]
    columns = ", ".join(f"{name} ({_type_name(features, name)})" for name in features)
    if chosen is None:
        number = "several" if candidates else "no"
        raise UsageError(f"{uri.text}: there is {number} {role} column among {columns}; name it with ?{role}=.")
    if chosen not in features:
        raise UsageError(f'{uri.text}: there is no column "{chosen}"; there are {columns}.')
    return chosen


def _encode_labels(
    uri: Uri, values: dict[str, np.ndarray], names: list[str] | None
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Class names, and labels as positions in them; without ``names`` the classes are the values that train has."""
    known = np.arange(len(names)) if names else np.unique(values["train"])
    for part, of_part in values.items():
        if unknown := sorted(set(of_part.tolist()) - set(known.tolist())):
            raise unknown_classes(uri.text, part, [str(value) for value in unknown], [str(value) for value in known])
    classes = tuple(names or [str(value) for value in known])
    return classes, {part: np.searchsorted(known, of_part).astype(np.int64) for part, of_part in values.items()}


def _files_outside(encoded: "Mapping[str, Dataset]", column: str, folder: Path) -> list[str]:
    """Paths of the images that tables name and that are not below the folder, in the order of the tables."""
    import pyarrow.compute as pc

    paths: dict[str, None] = {}
    for table in encoded.values():
        cells = table.with_format("arrow")[:][column]
        if pc.any(pc.is_null(pc.struct_field(cells, "bytes"))).as_py():
            paths |= dict.fromkeys(path for path in pc.struct_field(cells, "path").to_pylist() if path)
    return [path for path in paths if Path(path).is_absolute() and not Path(path).is_relative_to(folder)]
