"""The only code that downloads: sets through torchvision and huggingface_hub, verified by their digests."""

import os
import shutil
from pathlib import Path

from trionet_bench.data.index import Index
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets, named_uri
from trionet_bench.data.sources.imagenet import unpack
from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.registry import SOURCES
from trionet_bench.data.sources.snapshots import cached_snapshot, name_and_revision, verify_snapshot
from trionet_bench.data.sources.uri import parse_uri
from trionet_bench.errors import DataError, UsageError

# Arguments with which torchvision's class is constructed, one time after the other, to download all parts.
DOWNLOADS: dict[str, list[dict[str, str]]] = {
    "SVHN": [{"split": "train"}, {"split": "test"}],
    "GTSRB": [{"split": "train"}, {"split": "test"}],
}


def fetch(name: str, data_root: Path, base: Path | None = None) -> Index:
    """Download a data set unless it is there already, and open it.

    Args:
        name: a named set (CIFAR10) or a URI. Sources without a download are only opened.
        data_root: where named sets are put.
        base: folder that relative paths start from; the working directory when not given.

    Raises:
        UsageError: for an unknown name or an incomplete URI.
        DataError: where the download failed, or there is none; it says where the files come from.
    """
    uri = parse_uri(named_uri(name))
    download = SOURCES.get(uri.scheme).fetch
    if download is not None:
        download(uri, Places.of(data_root, base))
    return open_source(uri.text, data_root, base)


def fetch_vision(uri: Uri, places: Places) -> None:
    """Download one of torchvision's sets into the data root, under a temporary name until it is complete."""
    facts = named_sets().get(uri.path)
    data_root = places.data_root
    if facts is None or facts.manual or not facts.missing(data_root):
        return
    import torchvision  # loads torch, which no other download needs

    data_root.mkdir(parents=True, exist_ok=True)
    unfinished = data_root / f".{facts.name}.part"  # kept when interrupted: files in it are not downloaded again
    unfinished.mkdir(exist_ok=True)
    downloads = DOWNLOADS.get(facts.name, [{}])
    if facts.name == "Imagenette":
        size = uri.options.get("size", "full")
        downloads = [{"size": size if size == "full" else f"{size}px"}]
    try:
        for arguments in downloads:
            getattr(torchvision.datasets, facts.name)(str(unfinished), download=True, **arguments)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{facts.name} could not be downloaded to {data_root}: {error}. Try again later.") from error
    for entry in sorted(unfinished.iterdir()):
        if (data_root / entry.name).exists():
            shutil.copytree(entry, data_root / entry.name, dirs_exist_ok=True)
        else:
            entry.rename(data_root / entry.name)
    shutil.rmtree(unfinished)


def fetch_snapshot(uri: Uri, places: Places) -> None:
    """Download a set of the Hugging Face hub, at its revision, into the Hugging Face cache."""
    parts = name_and_revision(uri)
    if parts is None:
        raise UsageError(f"{uri.text}: write hf:NAME@REVISION, where the revision is a tag or commit.")
    for variable in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):  # read when huggingface_hub is imported
        os.environ.pop(variable, None)
    try:
        from huggingface_hub import snapshot_download  # reads the environment that was just changed
    except ImportError as error:
        raise DataError(f"{uri.text} needs huggingface_hub, which is missing: pip install datasets") from error
    name, revision = parts
    try:
        snapshot_download(name, repo_type="dataset", revision=revision)
    except (OSError, ValueError) as error:
        raise DataError(f"{uri.text} could not be downloaded: {error}") from error
    verify_snapshot(uri, cached_snapshot(uri))


def unpack_imagenet(uri: Uri, places: Places) -> None:
    """Unpack the original archives of ImageNet in the folder of the URI; nothing is downloaded."""
    unpack(places.resolve(uri.path))
