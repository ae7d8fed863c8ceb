"""Sets of the Hugging Face hub in its cache: found by name and revision, and known to be what was asked for.

A snapshot comes from strangers: its name leads nowhere but into the cache, its card to no file but its own, and each
file is checked against the digest that the cache calls it by.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from trionet_bench.data.sources.base import Uri
from trionet_bench.data.sources.text import read_text
from trionet_bench.errors import DataError

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_-])?"
_NAME = re.compile(rf"(?:{_PART}/)?{_PART}")
_REVISION = re.compile(rf"{_PART}(?:/{_PART})*")
_COMMIT = re.compile(r"[0-9a-f]+")
_LONGEST_CARD = 2**20  # characters
_FILE_KEYS = ("data_files", "data_dir")


def name_and_revision(uri: Uri) -> tuple[str, str] | None:
    """The two parts of ``NAME@REVISION``; None where one is missing or cannot be one."""
    name, _, revision = uri.path.partition("@")
    sound = _NAME.fullmatch(name) and _REVISION.fullmatch(revision) and ".." not in uri.path
    return (name, revision) if sound else None


def cached_snapshot(uri: Uri) -> Path:
    """The folder of a set at its revision in the Hugging Face cache.

    It is located without importing huggingface_hub, which would take longer than opening most sources.

    DataError where it is not there, or the URI has no name and revision.
    """
    parts = name_and_revision(uri)
    if parts is None:
        raise DataError(
            f"{uri.text}: {uri.path.partition('@')[0]} is not a folder here. For a set of the Hugging Face hub write "
            "hf:NAME@REVISION, where the revision is a tag or commit, so that everyone gets the same images."
        )
    name, revision = parts
    home = Path(os.path.expanduser(os.environ.get("HF_HOME", "~/.cache/huggingface")))
    cache = (
        Path(os.path.expanduser(os.environ.get("HF_HUB_CACHE", home / "hub"))) / f"datasets--{name.replace('/', '--')}"
    )
    reference = cache / "refs" / revision
    commit = read_text(reference).strip() if reference.is_file() else revision
    if reference.is_file() and not _COMMIT.fullmatch(commit):
        raise DataError(f"{uri.text}: {reference} does not hold a commit. Remove it and fetch the set again.")
    snapshot = cache / "snapshots" / commit
    if not snapshot.is_dir():
        raise DataError(
            f"{uri.text} is not in the Hugging Face cache (looked for {snapshot}). "
            f"Get it with `trionet-bench data fetch {uri.text}`, the only command that downloads."
        )
    return snapshot


def verify_snapshot(uri: Uri, snapshot: Path) -> None:
    """Compare each file with its digest, by which the cache calls it: SHA-256 of a large one, git's SHA-1 of others.

    DataError where one differs; it is removed, so that it is fetched again. Files that are no links into the cache, as
    on systems without links, have no digest.
    """
    blobs = snapshot.parents[1] / "blobs"
    for link in sorted(path for path in snapshot.rglob("*") if path.is_symlink()):
        file = link.resolve()
        if file.parent != blobs.resolve() or not file.is_file():
            raise DataError(f"{uri.text}: {link} leads out of the Hugging Face cache. Remove it and fetch again.")
        digest = hashlib.sha256() if len(file.name) == 64 else hashlib.sha1(b"blob %d\0" % file.stat().st_size)
        with file.open("rb") as content:
            while block := content.read(2**20):
                digest.update(block)
        if digest.hexdigest() != file.name:
            file.unlink()
            raise DataError(
                f"{uri.text}: {link.relative_to(snapshot)} is not what the hub has: its digest is "
                f"{digest.hexdigest()}, not {file.name}. It was removed; fetch the set again."
            )


def check_card(uri: Uri, folder: Path) -> None:
    """DataError where the card of a set, README.md, names files outside of its folder, or on the network."""
    card = folder / "README.md"
    if not card.is_file():
        return
    head = re.match(r"---[^\S\n]*\n(.*?)\n---", read_text(card)[:_LONGEST_CARD], re.DOTALL)
    try:
        node = yaml.compose(head[1], Loader=yaml.SafeLoader) if head else None
        for value in _named_files(node):
            if _leads_outside(value):
                raise DataError(
                    f'{uri.text}: {card} names data outside of its folder, "{value}". Put the files into the folder '
                    "and correct the card."
                )
    except (yaml.YAMLError, RecursionError) as error:
        raise DataError(f"{uri.text}: the head of {card} is not valid YAML. Correct or remove it.") from error


def check_saved(uri: Uri, folder: Path) -> None:
    """DataError where what ``save_to_disk`` wrote names a split or a file outside of its folder."""
    for path in sorted([*folder.glob("dataset_dict.json"), *folder.glob("state.json"), *folder.glob("*/state.json")]):
        try:
            value = json.loads(read_text(path))
            names = (
                value["splits"] if path.name == "dataset_dict.json" else [f["filename"] for f in value["_data_files"]]
            )
            outside = [name for name in names if _leads_outside(name)]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise DataError(f"{uri.text}: {path} is not what save_to_disk writes. Save the set again.") from error
        if outside:
            raise DataError(f'{uri.text}: {path} names data outside of its folder, "{outside[0]}". Save the set again.')


def _leads_outside(path: str) -> bool:
    """Whether a path, or an address that ``datasets`` would open, is not below the folder that it starts from."""
    return "://" in path or "::" in path or os.path.isabs(path) or ".." in re.split(r"[/\\]", path)


def _named_files(top: yaml.Node | None) -> Iterator[str]:
    """Every text below a key that names files; what aliases stand for is looked at once."""
    todo, seen = [(top, False)], set[tuple[int, bool]]()
    while todo:
        node, names = todo.pop()
        if node is None or (id(node), names) in seen:
            continue
        seen.add((id(node), names))
        if isinstance(node, yaml.ScalarNode) and names:
            yield node.value
        elif isinstance(node, yaml.SequenceNode):
            todo += [(item, names) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            todo += [(item, names or key.value in _FILE_KEYS) for key, item in node.value]
