"""Names that people give to classes, files and parts, as text.

Two spellings of one name in Unicode, composed as Windows and Linux write it and decomposed as macOS does, are one name.
"""

import re
import unicodedata
from typing import Literal

from trionet_bench.errors import DataError

Part = Literal["train", "val", "test"]

PARTS: tuple[Part, ...] = ("train", "val", "test")
_WORDS: dict[str, tuple[Part, ...]] = {
    **dict.fromkeys(("train", "training", "trainval", "trainvalid"), ("train",)),
    **dict.fromkeys(("val", "valid", "validation", "dev"), ("val",)),
    **dict.fromkeys(("test", "testing"), ("test",)),
    **dict.fromkeys(("eval", "evaluation"), ("val", "test")),
}
_AROUND = re.compile("^(seg)?(.*?)(images?|imgs?|set|data|dataset|split)*$")


def part_names(name: str) -> tuple[Part, ...]:
    """The parts that ``name`` may mean, in any case and common spelling; empty where it is no name of a part.

    >>> part_names("Train_Images"), part_names("seg_test"), part_names("evaluation"), part_names("trains")
    (('train',), ('test',), ('val', 'test'), ())
    """
    plain = re.sub(r"[\W_]", "", unicodedata.normalize("NFC", name).lower())
    matched = _AROUND.match(plain)
    return _WORDS.get(plain) or (_WORDS.get(matched[2], ()) if matched else ())


def class_name(text: str, where: str) -> str:
    """The composed form of a class name.

    Raises:
        DataError: for a name that is no text: not UTF-8, or with control characters. ``where`` begins its message.
    """
    if not is_text(text):
        raise DataError(
            f'{where}: the name "{printable(text)}" is not UTF-8. Rename it, for example with '
            "`convmv -r -f latin1 -t utf8 --notest FOLDER`."
        )
    if any(unicodedata.category(sign) == "Cc" for sign in text):
        raise DataError(f'{where}: the name "{printable(text)}" holds control characters. Rename it.')
    return unicodedata.normalize("NFC", text)


def is_text(text: str) -> bool:
    """Whether a name from the file system was UTF-8."""
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def printable(text: str) -> str:
    r"""A name as one line of text, with control characters and bytes that are not UTF-8 written as ``\x1b``."""
    shown = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(f"\\x{ord(sign):02x}" if unicodedata.category(sign) == "Cc" else sign for sign in shown)


def resembling(name: str, others: list[str]) -> str | None:
    """One of ``others`` that differs from ``name`` only in case, blanks, or the width or form of its signs."""
    folded = _folded(name)
    return next((other for other in others if other != name and _folded(other) == folded), None)


def _folded(name: str) -> str:
    return re.sub(r"[\s_]+", "", unicodedata.normalize("NFKC", name).casefold())
