"""Variables of MATLAB files, in which several named sets store their labels."""

from pathlib import Path

import numpy as np

from trionet_bench.data.reading import UNPACK, reading


def load_variable(path: Path, name: str, squeeze: bool = False) -> np.ndarray:
    """One variable of a file; ``squeeze`` removes dimensions of size 1, also within records.

    DataError where the file is missing or damaged.
    """
    from scipy.io import loadmat  # a tenth of a second that most sources do not need

    with reading(path, UNPACK):
        variable: np.ndarray = loadmat(path, variable_names=[name], squeeze_me=squeeze)[name]
    return variable
