"""Which folders of a set are its parts and which its classes: recognised, or refused with the way to say it.

A folder is a part by its name, in any case and common spelling, where it holds class folders. Without such folders, or
where only one of many is called like a part, the folders are the classes.
"""

from dataclasses import dataclass

from trionet_bench.data.sources.base import Uri, escaped_path
from trionet_bench.data.sources.names import PARTS, Part, part_names
from trionet_bench.data.sources.parts import NONE, parts_of_names, unused_warning, with_option
from trionet_bench.data.sources.scanning import BESIDE_CLASSES, BESIDE_PARTS, Folder
from trionet_bench.errors import DataError

EXPECTED = "Expected is PATH/train/<class>/*.jpg and the same under val or test, or PATH/<class>/*.jpg."


@dataclass(frozen=True)
class Layout:
    """The class folders of each part.

    Args:
        parts: train alone where a test part is to be drawn.
        left_out: (path, reason) of all files that are not below a class folder.
        warnings: what a person should know of the choice.
    """

    parts: dict[Part, tuple[Folder, ...]]
    left_out: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()


def recognise(uri: Uri, top: Folder) -> Layout:
    """The layout of a scanned folder; DataError where it is none, or may be one of several.

    The options of ``uri`` decide: ``layout``, and ``train``, ``val`` and ``test``, which name folders.
    """
    layout = uri.choice("layout", ("auto", "parts", "flat"))
    named = any(part in uri.options for part in PARTS)
    if layout == "flat" or (layout == "auto" and not named and _is_flat(uri, top)):
        return _flat(uri, top)
    return _by_parts(uri, top)


def _is_flat(uri: Uri, top: Folder) -> bool:
    """Whether the folders are classes; DataError where they may be classes or parts."""
    called = [folder for folder in top.with_images if part_names(folder.name)]
    others = [folder for folder in top.with_images if not part_names(folder.name)]
    parts = [folder for folder in called if _part_folder(folder).with_images]
    names = ", ".join(folder.name for folder in called)
    only_train = len(called) == 1 and part_names(called[0].name) == ("train",)
    if not called:
        return True
    if only_train and (len(others) > 1 and all(folder.images for folder in others) if parts else others):
        return True
    if parts and (not others or not only_train):
        return False
    if not parts and not others:
        raise _refused(uri, f"{names} hold images and no class folders, so that nothing has a label. {EXPECTED}")
    way = f"or {with_option(uri, 'train', called[0].name)} where it is the train part" if parts else "or move it away"
    raise _refused(
        uri,
        f"{names} may be a part or a class beside {', '.join(folder.name for folder in others[:3])}. "
        f"Write {with_option(uri, 'layout', 'flat')} where all folders are classes, {way}.",
    )


def _flat(uri: Uri, top: Folder) -> Layout:
    classes = top.with_images
    if len(classes) == 1 and any(part_names(folder.name) for folder in classes[0].folders):
        inner_uri = f"{uri.scheme}:{escaped_path(f'{uri.path}/{classes[0].name}')}"
        raise _refused(uri, f"its parts are one folder further down; write {inner_uri}.")
    inner = {part_names(folder.name) for of_class in classes for folder in of_class.with_images} - {()}
    if len(inner) > 1 and uri.options.get("layout") != "flat":
        raise _refused(
            uri,
            f"the folder {classes[0].name} is divided into parts. Put the parts above the classes, or write "
            f"{with_option(uri, 'layout', 'flat')} to take all images and draw a test part.",
        )
    if len(classes) < 2:
        raise _refused(uri, f"there are no two folders with images, which would be its classes. {EXPECTED}")
    called = [folder.name for folder in classes if part_names(folder.name)]
    warnings = [f"the folder {name} is taken as a class" for name in called]
    left_out = [*((path, BESIDE_CLASSES) for path in top.own_paths()), *top.all_left_out()]
    return Layout({"train": classes}, tuple(left_out), tuple(warnings))


def _by_parts(uri: Uri, top: Folder) -> Layout:
    by_name = {folder.name: folder for folder in top.folders}
    folders = {part: by_name[name] for part, name in parts_of_names(uri, list(by_name), "folder").items()}
    if "train" not in folders:
        raise _refused(uri, f"it has {', '.join(by_name) or 'no folder'} but no train. {EXPECTED}")
    unused = [folder for folder in top.folders if folder not in folders.values()]
    warnings = [unused_warning(uri, "folder", folder.name) for folder in unused if folder.has_images]
    left_out = [*((path, BESIDE_PARTS) for path in top.own_paths()), *top.left_out]
    for folder in unused:
        left_out += folder.all_unused(BESIDE_PARTS)
    parts: dict[Part, tuple[Folder, ...]] = {}
    for part, folder in folders.items():
        inner = _part_folder(folder)
        if not inner.with_images:
            raise _unlabelled(uri, part, folder, folders)
        if part == "train" and (empty := [below.name for below in inner.folders if not below.has_images]):
            warnings.append(f"train has no image of class {', '.join(empty)}, left out")
        parts[part] = inner.with_images
        left_out += [*((path, BESIDE_CLASSES) for path in inner.own_paths()), *folder.all_left_out()]
    return Layout(parts, tuple(left_out), tuple(warnings))


def _part_folder(folder: Folder) -> Folder:
    """The folder that holds the classes: the folder itself, or one of the same part alone in it, as archives leave."""
    while len(folder.folders) == 1 and not folder.images and _same_part(folder, folder.folders[0]):
        folder = folder.folders[0]
    return folder


def _same_part(outer: Folder, inner: Folder) -> bool:
    return bool(part_names(inner.name)) and part_names(outer.name) == part_names(inner.name)


def _unlabelled(uri: Uri, part: Part, folder: Folder, folders: dict[Part, Folder]) -> DataError:
    """The error for a part without class folders, with a way to do without its labels."""
    count = sum(1 for _ in folder.image_paths())
    what = f"holds {count} images without class folders, so that they have no labels" if count else "holds no image"
    if part == "train":
        way = EXPECTED
    elif part == "test" and (val := folders.get("val")):
        way = f"Write {with_option(uri, 'test', val.name)} to test on {val.name}."
    elif part == "test":
        way = f"Write {with_option(uri, 'test', NONE)} to hold out a fifth of train as test."
    else:
        way = f"Write {with_option(uri, part, NONE)} to leave it out."
    return _refused(uri, f"the {part} part {folder.name} {what}. {way}")


def _refused(uri: Uri, what: str) -> DataError:
    return DataError(f"{uri.text}: {what}")
