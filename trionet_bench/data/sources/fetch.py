"""The only code that downloads: named sets through torchvision, hub sets through huggingface_hub, verified by both."""

import os
import shutil
from pathlib import Path
from typing import Any

from trionet_bench.data.sources.base import Index, Places, Uri, open_source, parse_uri
from trionet_bench.data.sources.catalogue import NamedSet, named_sets, source_uri
from trionet_bench.data.sources.imagenet import unpack
from trionet_bench.errors import DataError, UsageError

# What to construct of torchvision's class so that all parts are downloaded.
SPLIT_DOWNLOADS: dict[str, list[dict[str, Any]]] = {
    "SVHN": [{"split": "train"}, {"split": "test"}],
    "GTSRB": [{"split": "train"}, {"split": "test"}],
}


def fetch(name: str, data_root: Path, base: Path | None = None) -> Index:
    """Downloads a set unless it is there, and opens it. The error for one without a download says where it is from.

    Args:
        name: a named set (CIFAR10), or the URI of one, of a hub set (hf:NAME@REVISION) or of a folder with ImageNet's
            archives (imagenet:PATH), which are unpacked.
    """
    uri = parse_uri(source_uri(name))
    facts = named_sets().get(uri.path)
    if uri.scheme == "torchvision" and facts:
        _fetch_vision(uri, facts, data_root)
    elif uri.scheme == "hf":
        _fetch_snapshot(uri)
    elif uri.scheme == "imagenet":
        unpack(Places(data_root, base or Path()).resolve(uri.path))
    return open_source(uri.text, data_root, base)


def _fetch_vision(uri: Uri, facts: NamedSet, data_root: Path) -> None:
    """Downloads below a name of its own, so that what stands in the data root is whole."""
    if facts.manual or not facts.missing(data_root):
        return
    import torchvision

    data_root.mkdir(parents=True, exist_ok=True)
    unfinished = data_root / f".{facts.name}.part"  # kept when interrupted, for the files that are whole
    unfinished.mkdir(exist_ok=True)
    arguments = SPLIT_DOWNLOADS.get(facts.name, [{}])
    if facts.name == "Imagenette":
        size = uri.options.get("size", "full")
        arguments = [{"size": size if size == "full" else f"{size}px"}]
    try:
        for of_part in arguments:
            getattr(torchvision.datasets, facts.name)(str(unfinished), download=True, **of_part)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{facts.name} could not be downloaded to {data_root}: {error}. Try again later.") from error
    for entry in sorted(unfinished.iterdir()):
        if (data_root / entry.name).exists():
            shutil.copytree(entry, data_root / entry.name, dirs_exist_ok=True)
        else:
            entry.rename(data_root / entry.name)
    shutil.rmtree(unfinished)


def _fetch_snapshot(uri: Uri) -> None:
    name, at, revision = uri.path.partition("@")
    if not at or not revision:
        raise UsageError(f"{uri.text}: write hf:NAME@REVISION, where the revision is a tag or commit.")
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):  # read when huggingface_hub is imported
        os.environ.pop(variable, None)
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise DataError(f"{uri.text} needs the package datasets: pip install 'trionet_bench[hf]'") from error
    try:
        snapshot_download(name, repo_type="dataset", revision=revision)
    except (OSError, ValueError) as error:
        raise DataError(f"{uri.text} could not be downloaded: {error}") from error
