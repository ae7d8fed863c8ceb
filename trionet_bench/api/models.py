"""Networks by name for anybody's training loop, and trained ones."""

from fnmatch import fnmatchcase
from pathlib import Path

import torch

from trionet_bench.errors import UsageError
from trionet_bench.networks.attention.layers import freeze_unused
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.named import subject
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.records.layout import WEIGHTS
from trionet_bench.records.store import find_cell, network_file
from trionet_bench.spaces.published import PUBLISHED
from trionet_bench.systems.trained import TrainedNetwork, load_network
from trionet_bench.training.checkpoint import load_weights

HEAD = "classifier."


def list_models(pattern: str = "*") -> list[str]:
    """Names that ``create_model`` knows, those that a shell pattern matches.

    Examples:
        >>> list_models("axial_resnet26*")
        ['axial_resnet26_l', 'axial_resnet26_m', 'axial_resnet26_s']
        >>> list_models("vgg*")
        []
    """
    return sorted(name for name in PUBLISHED if fnmatchcase(name, pattern))


def create_model(
    name: str | Path,
    num_classes: int | None = None,
    weights: str | Path | None = None,
    *,
    in_channels: int | None = None,
    resolution: int | None = None,
    results: str | Path = "results",
) -> Skeleton:
    """A network from images (B, in_channels, H, W) to logits (B, num_classes), in training mode.

    Args:
        name: one of ``list_models()``, at 224 pixels unless said otherwise; or an ``architecture.json``, the folder of
            a cell or of an exported network that holds one, or a cell's name, ``quickstart:digits/trionet/3M-s0``,
            with that file's image size, channels and classes.
        num_classes: outputs; 1000, or as many as the file names.
        weights: a safetensors file of this network, or the folder of a cell. Without any, initial weights are drawn
            from torch's generator. A head for another number of classes begins anew.
        in_channels: 3 for colour, 1 for grey.
        resolution: largest height and width of the images in pixels.
        results: the folder of results in which a cell's name is looked up.

    UsageError for an unknown name, or weights of another network; StoreError for damaged weights.

    Examples:
        >>> import torch
        >>> network = create_model("axial_resnet26_s", num_classes=10, resolution=64)
        >>> network(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 10])
        >>> create_model("axial_resnet27_s")
        Traceback (most recent call last):
        trionet_bench.errors.UsageError: unknown network "axial_resnet27_s"; did you mean "axial_resnet26_s"?
    """
    of = subject(network_file(str(name), Path(results)), resolution, num_classes, in_channels)
    network = initialise(of.build(), int(torch.randint(2**62, ()).item()))
    freeze_unused(network)
    if weights is not None:
        _load(network, Path(weights))
    return network


def load(cell: str | Path, device: str | torch.device = "cpu", results: str | Path = "results") -> TrainedNetwork:
    """The network that a cell trained, ready to classify images.

    Args:
        cell: its name, ``quickstart:digits/trionet/3M-s0``; its folder, or a file in it; or the folder that
            ``trionet-bench export --format folder`` wrote.
        device: where it will run.
        results: the folder of results in which a name is looked up.

    UsageError where there is none, where the cell left no network, or where its files do not fit together; StoreError
    for damaged weights.
    """
    path = Path(cell)
    return load_network(path if path.exists() else find_cell(str(cell), Path(results)), device)


def _load(network: Skeleton, path: Path) -> None:
    """Copy weights into a network, apart from a head for another number of classes."""
    path = path / WEIGHTS if path.is_dir() else path
    found, own = load_weights(path), network.state_dict()
    kept = {
        name: value
        for name, value in found.items()
        if not (name.startswith(HEAD) and name in own and own[name].shape != value.shape)
    }
    heads = {name: own[name] for name in found.keys() - kept.keys()}
    try:
        network.load_state_dict(kept | heads)
    except RuntimeError as error:
        raise UsageError(f"{path} holds the weights of another network: {error}") from error
