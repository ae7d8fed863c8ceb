"""``torchvision:NAME``: the named sets, in the layout that torchvision downloads them in.

The files are not read by torchvision's classes: those import torch, hash complete archives each time, name no path when
a file is missing, and unpack MNIST beside the originals. Facts about each set are in ``named.yaml``; how its files are
read is in ``vision_arrays.py`` and ``vision_files.py``.

Options: ``train`` (where a set has its own val part: ``trainval`` adds that to train), ``subset=1`` (the files are a
part of the set on purpose: published counts are not asserted), ``partition`` (DTD), ``size`` (Imagenette).
"""

from collections.abc import Callable
from pathlib import Path

from trionet_bench.data.index import Index
from trionet_bench.data.sources import vision_arrays, vision_files
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import NamedSet, named_sets
from trionet_bench.errors import BenchError, DataError, UsageError, nearest

READERS: dict[str, Callable[[Uri, Path, NamedSet], Index]] = {
    "CIFAR10": vision_arrays.cifar10,
    "CIFAR100": vision_arrays.cifar100,
    "SVHN": vision_arrays.svhn,
    "STL10": vision_arrays.stl10,
    "MNIST": vision_arrays.mnist,
    "FashionMNIST": vision_arrays.mnist,
    "Flowers102": vision_files.flowers102,
    "FGVCAircraft": vision_files.aircraft,
    "StanfordCars": vision_files.cars,
    "Caltech101": vision_files.caltech101,
    "DTD": vision_files.dtd,
    "OxfordIIITPet": vision_files.pets,
    "Food101": vision_files.food101,
    "GTSRB": vision_files.gtsrb,
    "EuroSAT": vision_files.eurosat,
    "Imagenette": vision_files.imagenette,
}
SET_OPTIONS = {"DTD": ("partition",), "Imagenette": ("size",)}


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a named set.

    Raises:
        UsageError: for an unknown name, or an option that this set does not have.
        DataError: where files are missing or, without ``subset=1``, counts are not the published ones.
    """
    if uri.path not in READERS:
        raise UsageError(f'{uri.text}: there is no set "{uri.path}"; {nearest(uri.path, list(READERS))}')
    uri.check_options("train", "subset", *SET_OPTIONS.get(uri.path, ()))
    facts = named_sets()[uri.path]
    choice = uri.choice("train", tuple(facts.counts))
    root = facts.place(places.data_root)
    if root is None:
        raise facts.not_found(uri.text, places.data_root, str(places.data_root))
    try:
        index = facts.described(READERS[uri.path](uri, root, facts))
    except (BenchError, OSError):
        raise
    except Exception as error:  # damaged lists and archives that do not fit one another raise errors of any type
        raise DataError(
            f"{uri.text}: a list or archive of {facts.name} below {root} is damaged ({type(error).__name__}: {error}). "
            "Unpack it again."
        ) from error
    if not uri.flag("subset"):
        facts.assert_counts(index, choice)
    return index
