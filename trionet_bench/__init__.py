"""Which spatial operator belongs where? Convolution, local and axial self-attention, and searched mixes, compared."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from trionet_bench.systems.trained import TrainedNetwork

__version__ = "0.1.0"


def load(path: str | Path, device: "str | torch.device" = "cpu") -> "TrainedNetwork":
    """The network that a cell trained, ready to classify images; see ``systems.trained``.

    Args:
        path: the folder of a complete cell, ``results/<suite>/<data set>/<model>/<budget>-s<seed>``, or a file in it.
    """
    from trionet_bench.systems.trained import load_network  # torch loads here, not with the package

    return load_network(path, device)
