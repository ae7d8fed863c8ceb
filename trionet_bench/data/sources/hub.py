"""``hf:NAME@REVISION``, or ``hf:PATH`` of a folder: data sets in the formats of Hugging Face, read by ``datasets``.

A folder holds Parquet files, an image folder, or what ``save_to_disk`` wrote. A name means the snapshot that
``trionet-bench data fetch`` left in the Hugging Face cache; nothing is looked up on the network. The image and label
columns are recognised by their type, or named by ``?image=`` and ``?label=``; ``?config=`` chooses one of several
configurations. Splits are recognised by common names of parts; ``?train=``, ``?val=`` and ``?test=`` name them, with
``none`` for no such part. Where there is only a train split, a fifth of each class is held out as test.
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
from trionet_bench.data.index import Content, Index, LeftOut
from trionet_bench.data.reading import check_regular, reason_of
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.classes import unknown_classes
from trionet_bench.data.sources.files import fingerprint_of_labels, is_below, survey
from trionet_bench.data.sources.labels import label_values
from trionet_bench.data.sources.names import PARTS, Part, class_name
from trionet_bench.data.sources.parts import NONE, parts_of_names, unused_warning, with_option
from trionet_bench.data.sources.scanning import count_left_out
from trionet_bench.data.sources.snapshots import cached_snapshot, check_card, check_saved
from trionet_bench.errors import DataError, UsageError

if TYPE_CHECKING:
    from datasets import Dataset, Features
    from PIL.Image import Image

# ``datasets`` takes half a second to import and reads its environment then: functions import it when a set is opened.

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
            if isinstance(cell, Path):
                check_regular(cell)
            return cell if isinstance(cell, bytes) else cell.read_bytes()
        except Exception:  # also of pyarrow; decoding names it
            return None

    def _cell(self, part: str, position: int) -> bytes | Path:
        """The encoded image, or the path of its file; OSError where there is neither."""
        cell = self.tables[part][int(self.rows[part][position])][self.column]
        if cell is None or (cell["bytes"] is None and not cell["path"]):
            raise OSError("the cell is empty")
        content: bytes | None = cell["bytes"]
        if content is not None:
            return content
        path = Path(os.path.normpath(self.folder / cell["path"]))
        if not is_below(self.folder, cell["path"]):
            raise OSError(f"{path} lies outside of {self.folder}")
        return path


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a folder or snapshot.

    Raises:
        DataError: where it is missing or cannot be read, or a part has labels that train has not.
        UsageError: where columns must be named, or a named one does not exist.
    """
    folder = places.resolve(uri.path)
    if not folder.is_dir():
        folder = cached_snapshot(uri).resolve()
    check_card(uri, folder)
    check_saved(uri, folder)
    files = _files_below(folder)
    _check_rows(uri, folder, files)
    splits = _load_splits(uri, folder, files)
    names, warnings = _parts(uri, splits)
    tables: dict[str, Dataset] = {part: splits[name] for part, name in names.items()}
    features = tables["train"].features
    image = _choose_column(uri, features, "image", _image_columns(features))
    typed = [name for name in features if _type_name(features, name) == "ClassLabel"]
    label = _choose_column(uri, features, "label", typed or [name for name in LABEL_NAMES if name in features])

    values = {str(part): _labels_of(uri, tables[part], label, part, names) for part in names}
    feature = features[label]
    classes, labels = _encode_labels(uri, values, list(feature.names) if label in typed else None)
    rows = {part: np.arange(len(of_part)) for part, of_part in labels.items()}
    if set(labels) == {"train"}:
        warnings.insert(0, hold_out_warning("no test split"))
        rows["train"], rows["test"] = hold_out(labels["train"])
        labels = {part: labels["train"][rows[part]] for part in ("train", "test")}
        tables = dict.fromkeys(("train", "test"), tables["train"])
    encoded = {part: _without_decoding(uri, table, image) for part, table in tables.items()}
    reader = HubReader(encoded, image, rows, _base_of_paths(encoded["train"], image, folder, files))
    seen = survey(uri, reader, len(rows["train"]))
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
        content=Content(folder, tuple(files), formats=seen.formats),
        left_out=_left_out(folder, files),
        value_range=seen.value_range,
    )


def _files_below(folder: Path) -> list[str]:
    """The files that tables and images are in, below a folder, by name; not what describes them or is hidden."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    hidden = ".", "__"
    return sorted(
        path.as_posix()
        for path in paths
        if path.suffix not in DESCRIPTIONS and not any(part.startswith(hidden) for part in path.parts)
    )


def _check_rows(uri: Uri, folder: Path, files: list[str]) -> None:
    """DataError where a Parquet file claims more rows than it has bytes, as one does that is made to fill a disk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for file in files:
        if file.endswith(".parquet"):
            path = folder / file
            try:
                rows, size = pq.read_metadata(path).num_rows, path.stat().st_size
            except (OSError, pa.ArrowException):  # opening it says why
                continue
            if rows > size:
                raise DataError(
                    f"{uri.text}: {path} has {rows} rows in {size} bytes; no image is that small. Remove it."
                )


def _left_out(folder: Path, files: list[str]) -> tuple[LeftOut, ...]:
    """The files below the folder that are no tables or images."""
    every = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return count_left_out((path, "no table or image") for path in sorted(every.difference(files)))


def _load_splits(uri: Uri, folder: Path, files: list[str]) -> "dict[str, Dataset]":
    """The tables of the folder by the name of their split.

    What ``datasets`` converts is kept for as long as no file is touched; its own cache goes by name and time alone.
    """
    os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
    os.environ["HF_DATASETS_TRUST_REMOTE_CODE"] = "0"  # before version 4 ``datasets`` could run scripts of a set
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"{uri.text} needs the package datasets, which is missing: pip install datasets") from error
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # errors are raised too
    try:
        if (folder / "dataset_dict.json").is_file():
            return dict(datasets.load_from_disk(str(folder)))
        if (folder / "state.json").is_file():
            return {"train": datasets.load_from_disk(str(folder))}
        stamps = stamps_of(folder, files).values.tobytes()
        cache = cache_folder() / "tables" / sha256(str(folder), *files, stamps)[:24]
        return dict(datasets.load_dataset(str(folder), name=uri.options.get("config"), cache_dir=str(cache)))
    except Exception as error:  # pyarrow and datasets raise errors of any type for files that are damaged
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        raise DataError(f"{uri.text}: {folder} cannot be read: {reason_of(cause)}. Write its files again.") from error


def _parts(uri: Uri, splits: "Mapping[str, Dataset]") -> tuple[dict[Part, str], list[str]]:
    """The split of each part, and warnings of those that are not used; a single split of any name is train."""
    names: dict[Part, str] = {"train": next(iter(splits))} if len(splits) == 1 else {}
    if not names or any(part in uri.options for part in PARTS):
        names = parts_of_names(uri, list(splits), "split")
    if "train" not in names:
        raise DataError(
            f"{uri.text}: the splits are {', '.join(splits)}; needed is one called train, or named by ?train=."
        )
    unused = [name for name in splits if name not in names.values()]
    return names, [unused_warning(uri, "split", name) for name in unused]


def _labels_of(uri: Uri, table: "Dataset", column: str, part: Part, names: dict[Part, str]) -> np.ndarray:
    """The labels of a part as numbers or names; DataError with the row where one is missing or of another kind."""
    import pyarrow as pa

    where = f'{uri.text}: column "{column}" of split {names[part]}'
    way = ""
    if part == "test":
        way = f"Write {with_option(uri, 'test', names.get('val', NONE))} to do without this split."
    if column not in table.features:
        raise DataError(f"{where} is not there; there are {', '.join(table.features)}.")
    cells = table.with_format("arrow")[:][column]
    if cells.null_count:
        missing, first = f"{cells.null_count} of {len(cells)} rows have no label", cells.is_null().index(True).as_py()
        raise DataError(f"{where}: {missing}, the first is row {first}. Remove them. {way}".rstrip())
    kind = cells.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lists = cells.to_pylist()
        if len({len(labels) for labels in lists}) != 1 or not lists[0]:
            raise DataError(f"{where} holds lists, several labels for an image (multi-label); choose one for each.")
        return label_values(np.array(lists), where, part, way)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array([class_name(name.strip(), where) for name in cells.to_pylist()])
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise DataError(f"{where} holds {kind}; needed is one number or name for each image. Name another by ?label=.")
    return label_values(np.asarray(cells.to_pylist()), where, part, way)


def _without_decoding(uri: Uri, table: "Dataset", column: str) -> "Dataset":
    """The image column alone, its cells as encoded bytes or paths; DataError where it holds anything else."""
    import datasets

    try:
        return table.select_columns([column]).cast_column(column, datasets.Image(decode=False))
    except (ValueError, TypeError, LookupError) as error:
        raise DataError(
            f'{uri.text}: column "{column}" holds {table.features.get(column)}; needed is one encoded image in each '
            "row. Name another by ?image=, or write one image a row."
        ) from error


def _base_of_paths(table: "Dataset", column: str, folder: Path, files: list[str]) -> Path:
    """The folder that relative paths in the image column start from: the set's, or one that a table lies in."""
    path = next((cell["path"] for cell in table[:1][column] if cell and not cell["bytes"]), None)
    places = [folder, *dict.fromkeys((folder / file).parent for file in files)]
    return next((place for place in places if path and (place / path).is_file()), folder)


def _image_columns(features: "Features") -> list[str]:
    """Columns of images by their type, else those of bytes, or of records of bytes and a path."""
    typed = [name for name in features if _type_name(features, name) == "Image"]
    encoded = [name for name, feature in features.items() if _is_encoded(feature)]
    return typed or encoded


def _is_encoded(feature: object) -> bool:
    if isinstance(feature, Mapping):
        return set(feature) == {"bytes", "path"}
    return repr(feature) in ("Value('binary')", "Value('large_binary')")


def _type_name(features: "Features", column: str) -> str:
    return type(features[column]).__name__


def _choose_column(uri: Uri, features: "Features", role: str, candidates: list[str]) -> str:
    """The column that the option ``role`` names, or the only candidate; UsageError where there is none or several."""
    chosen = uri.options.get(role)
    if chosen is None and len(candidates) == 1:
        return candidates[0]
    columns = ", ".join(f"{name} ({_type_name(features, name)})" for name in features)
    if chosen is None:
        what = f"several columns may be the {role}" if candidates else f"there is no {role} column"
        raise UsageError(f"{uri.text}: {what} among {columns}; name it with ?{role}=. It holds one {role} in each row.")
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
