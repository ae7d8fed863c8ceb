"""The file of predictions beside a record: columns of numbers, a row for each test image."""

from pathlib import Path
from zipfile import ZipFile

import numpy as np

from trionet_bench.errors import DamagedFile
from trionet_bench.units import prefixed

_MOST_BYTES = 2**28  # of all columns together
_NUMBERS = "biuf"  # kinds of types


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """Every column by its name, each of equal length; nothing in the file is run.

    DamagedFile where it is something else, or unpacks to more than 256 MiB.
    """
    try:
        with ZipFile(path) as packed:
            size = sum(member.file_size for member in packed.infolist())
        if size > _MOST_BYTES:
            raise ValueError(f"it unpacks to {prefixed(size, separator=' ')}B")
        with np.load(path, allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files}
        for name, column in columns.items():
            if column.ndim == 0 or column.dtype.kind not in _NUMBERS:
                raise ValueError(f"{name} is no column of numbers")
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"its columns have {', '.join(map(str, lengths.values()))} rows")
    except Exception as error:  # zip files and numpy raise errors of many types
        reason = str(error) or type(error).__name__
        raise DamagedFile(f"{path} is not a file of predictions: {reason}. Run its cell again with --force.") from error
    return columns
