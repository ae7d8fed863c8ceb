"""``folder:PATH``: one folder for each class.

With parts, of which val or test may be missing:

    PATH/train/<class>/*.jpg    PATH/val/<class>/*.jpg    PATH/test/<class>/*.jpg

or without parts, where a fifth of each class is held out as test, the same images in every run:

    PATH/<class>/*.jpg

Parts are recognised by common names in any case, such as Training, seg_test or validation. ``?train=``, ``?val=`` and
``?test=`` name their folders, with ``none`` for no such part; ``?layout=flat`` takes every folder as a class,
``?layout=parts`` none. ``?layout=cub`` reads the list files of CUB-200-2011.
"""

from trionet_bench.data.holdout import hold_out_warning
from trionet_bench.data.index import Index, LeftOut
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.cub import cub_index
from trionet_bench.data.sources.files import ImageFile, files_of_class, hold_out_files, index_of_files
from trionet_bench.data.sources.layouts import EXPECTED, recognise
from trionet_bench.data.sources.scanning import LOST_IMAGES, count_left_out, scan
from trionet_bench.errors import DataError


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a folder; DataError where it has another layout."""
    root = places.resolve(uri.path)
    if uri.options.get("layout") == "cub":
        return cub_index(uri, places)
    if not root.is_dir():
        raise DataError(f"{uri.text}: {places.looked_in(uri.path)} is not a folder. {EXPECTED}")
    layout = recognise(uri, scan(root))
    left_out = count_left_out(layout.left_out)
    warnings = [*layout.warnings, *_lost_images(left_out)]
    parts: dict[str, list[ImageFile]] = {
        part: [file for folder in folders for file in files_of_class(root, folder)]
        for part, folders in layout.parts.items()
    }
    if set(parts) == {"train"}:
        parts = hold_out_files(parts["train"])
        warnings.insert(0, hold_out_warning("no official test part"))
    return index_of_files(uri, root, parts, root.name, warnings=warnings, left_out=left_out)


def _lost_images(left_out: tuple[LeftOut, ...]) -> list[str]:
    """A warning for each kind of file that is left out and may be an image."""
    return [
        f"{each.count} files {each.suffix or 'without suffix'} are left out: {each.reason}, such as {each.example}"
        for each in left_out
        if each.reason in LOST_IMAGES
    ]
