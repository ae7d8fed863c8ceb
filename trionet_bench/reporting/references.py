"""Published results as their sources print them, and their conversion: here and nowhere else.

Sources print rounded numbers in units that differ. ``13.7 M`` stands for anything from 13.65 to 13.75 million, and
``4.7 B FLOPS`` are 2.35 G MACs where the source counts a multiply and an add as two.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import ValidationError, model_validator

from trionet_bench.errors import UsageError
from trionet_bench.records.values import Strict

SHIPPED = Path(__file__).parent / "templates" / "published.yaml"
_NUMBER = re.compile(r"(\d+)(?:\.(\d+))?\s*([KMGBT]?)\b.*")
_PREFIXES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Printed:
    """A number as printed: what it says, and half a unit of its last digit."""

    text: str
    value: float
    half_unit: float

    @classmethod
    def read(cls, text: str, divisor: int = 1) -> "Printed":
        """Of ``13.7 M`` or ``4.7 B FLOPS``, in units of ``divisor``; ValueError for what is no such number."""
        match = _NUMBER.fullmatch(text)
        if match is None:
            raise ValueError(f'"{text}" is not a number as a paper prints it, such as "13.7 M" or "4.7 B FLOPS"')
        integer, decimals, prefix = match[1], match[2] or "", match[3]
        size = Decimal(_PREFIXES[prefix]) / divisor
        value = Decimal(f"{integer}.{decimals or 0}") * size
        return cls(text, float(value), float(size / 10 ** len(decimals) / 2))

    def distance(self, ours: float) -> float:
        """How far ``ours`` is from what rounds to the print, as a share of the print."""
        return max(0.0, abs(ours - self.value) - self.half_unit) / self.value


class Reference(Strict):
    """One published result.

    Args:
        model: the network's name here.
        source: the data it was trained on, in full or only its scheme (``imagenet:``).
        params, cost: as printed.
        flops_per_mac: of the unit of ``cost``: whether its source counts a multiply-add as one operation or as two.
        top1_percent: as printed.
        cause: why our count differs, where it does.
        note: what else a reader must know.
    """

    model: str
    source: str
    citation: str
    params: str | None = None
    cost: str | None = None
    flops_per_mac: Literal[1, 2] | None = None
    top1_percent: float | None = None
    cause: str = ""
    note: str = ""

    @model_validator(mode="after")
    def _readable(self) -> Self:
        if (self.cost is None) != (self.flops_per_mac is None):
            raise ValueError("cost and flops_per_mac belong together: a cost without its unit says nothing")
        _ = self.printed_params, self.printed_macs
        return self

    @property
    def printed_params(self) -> Printed | None:
        return None if self.params is None else Printed.read(self.params)

    @property
    def printed_macs(self) -> Printed | None:
        """The cost, converted."""
        return None if self.cost is None else Printed.read(self.cost, self.flops_per_mac or 1)

    @property
    def accuracy(self) -> float | None:
        """Top-1 as a fraction."""
        return None if self.top1_percent is None else self.top1_percent / 100


class References(Strict):
    """A file of published results."""

    references: list[Reference]


def read_references(path: Path = SHIPPED) -> list[Reference]:
    """The entries of a reference file; UsageError where it is not one."""
    try:
        return References.model_validate(yaml.safe_load(path.read_text())).references
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise UsageError(f"{path} is not a file of published results: {error}") from error
