"""What a data source is: the declaration ``Source``, the parsed ``Uri`` and the ``Places`` that it gets to look in.

A URI is ``scheme:path?option=value&option=value``. docs/adding-source.md shows how to add a source.
"""

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import cast

from trionet_bench.data.index import Index
from trionet_bench.data.values import ValueRange
from trionet_bench.errors import UsageError, nearest
from trionet_bench.registry import resolve

# Of every source: flip=0 says that a mirrored image has another meaning, as text has; range=LOW,HIGH is what numbers of
# 16-bit and float images become black and white.
COMMON_OPTIONS = ("flip", "range")


def escaped_path(path: str) -> str:
    """A path as it stands in a URI: ``?`` as ``%3F``, and ``%`` as ``%25`` where it would be read as one of the two."""
    return re.sub("%(?=25|3[Ff])", "%25", path).replace("?", "%3F")


def unescaped_path(text: str) -> str:
    """The path that ``escaped_path`` wrote; any other sign stands for itself."""
    return re.sub("%(25|3[Ff])", lambda match: "%" if match[1] == "25" else "?", text)


@dataclass(frozen=True)
class Uri:
    """A parsed URI; ``text`` is what the person wrote."""

    text: str
    scheme: str
    path: str
    options: Mapping[str, str] = field(default_factory=dict)

    def check_options(self, *allowed: str) -> None:
        """UsageError with the nearest name for an option that is neither in ``allowed`` nor common to all sources."""
        for option in self.options:
            if option not in (*allowed, *COMMON_OPTIONS):
                hint = nearest(option, [*allowed, *COMMON_OPTIONS])
                raise UsageError(f'{self.text}: unknown option "{option}" of the source; {hint}')

    def choice(self, option: str, allowed: tuple[str, ...]) -> str:
        """The value of ``option``, or the first of ``allowed`` where it is not given; UsageError for any other."""
        value = self.options.get(option, allowed[0])
        if value not in allowed:
            raise UsageError(f'{self.text}: {option} cannot be "{value}"; {nearest(value, allowed)}')
        return value

    def number(self, option: str, default: int, at_least: int = 0) -> int:
        """The value of ``option`` as an integer; UsageError where it is none or below ``at_least``."""
        value = self.options.get(option, str(default))
        if not value.isdecimal() or int(value) < at_least:
            raise UsageError(f'{self.text}: {option} cannot be "{value}"; give a whole number of at least {at_least}')
        return int(value)

    def flag(self, option: str, default: bool = False) -> bool:
        """An option that is written 1 or 0; UsageError for any other value."""
        return self.choice(option, ("1", "0") if default else ("0", "1")) == "1"

    def value_range(self) -> ValueRange | None:
        """The option ``range``, two numbers with a comma; None where it is not given, UsageError where it is wrong."""
        text = self.options.get("range")
        if text is None:
            return None
        try:
            low, high = map(float, text.split(","))
        except ValueError:
            low = high = math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UsageError(f'{self.text}: range cannot be "{text}"; give two numbers LOW,HIGH, such as range=0,4095')
        return ValueRange(low, high)


@dataclass(frozen=True)
class Places:
    """Where sources look for files.

    Args:
        data_root: absolute path of the folder that holds the named sets.
        base: absolute path that relative paths start from: the folder of the suite file, or the working directory.
    """

    data_root: Path
    base: Path

    @classmethod
    def of(cls, data_root: Path | None = None, base: Path | None = None) -> "Places":
        """Absolute places; without arguments ``data`` in the working directory, and the working directory."""
        return cls(data_root=Path(os.path.expanduser(data_root or "data")).resolve(), base=Path(base or ".").resolve())

    def resolve(self, path: str) -> Path:
        """The path of a URI from ``base`` or, where nothing is there, from ``data_root``."""
        from_base = (self.base / os.path.expanduser(path)).resolve()
        from_root = self.data_root / path
        return from_root if os.path.exists(from_root) and not os.path.exists(from_base) else from_base

    def looked_in(self, path: str) -> str:
        """Where ``resolve`` looks, for messages: one path or two."""
        both = (self.base / os.path.expanduser(path)).resolve(), (self.data_root / path).resolve()
        return " or ".join(dict.fromkeys(map(str, both)))


OpenIndex = Callable[[Uri, Places], Index]
Fetch = Callable[[Uri, Places], None]


@dataclass(frozen=True)
class Source:
    """One kind of data source.

    Args:
        name: the scheme of its URIs.
        opener: ``module:function``, imported on first use, or the function: from a URI and the places to an index,
            without torch, without decoding an image and without writing a file. DataError where images or labels are
            missing or wrong, UsageError for a wrong path or option.
        usage: how its URIs are written, such as "folder:PATH".
        summary: what lies there, in a few words.
        options: names that may follow ``?`` in its URIs, besides ``COMMON_OPTIONS``.
        suffixes: of files that are of this source when they are given without a scheme, such as ".npz".
        markers: glob patterns; a folder that is given without a scheme and holds a match of one is of this source.
        fetcher: ``module:function`` or the function that downloads what a URI names, or None.
    """

    name: str
    opener: str | OpenIndex
    usage: str
    summary: str
    options: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    fetcher: str | Fetch | None = None

    @cached_property
    def open_index(self) -> OpenIndex:
        """The function ``opener``, imported where it is named."""
        return cast(OpenIndex, resolve(self.opener)) if isinstance(self.opener, str) else self.opener

    @cached_property
    def fetch(self) -> Fetch | None:
        """The function ``fetcher``, imported where it is named."""
        return cast(Fetch, resolve(self.fetcher)) if isinstance(self.fetcher, str) else self.fetcher
