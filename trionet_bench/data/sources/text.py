"""Text files that people wrote: lists of images, tables, names of classes."""

import codecs
from pathlib import Path

from trionet_bench.data.reading import reading
from trionet_bench.errors import DataError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        DataError: where it cannot be read, or is in another encoding; it names the line.
    """
    with reading(path):
        content = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        likely = "it seems to be Latin-1 or Windows-1252" if encoding == "utf-8" else f"it begins as {encoding} does"
        raise DataError(
            f"{path}: line {line} is not {encoding.upper()}; {likely}. Save the file as UTF-8, for example with "
            "`iconv -f LATIN1 -t UTF-8`."
        ) from error


def read_lines(path: Path) -> list[str]:
    """The lines of a file without blanks around them and without empty ones; errors as of ``read_text``."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]
