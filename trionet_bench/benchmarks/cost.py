"""How fast the MACs of an architecture are computed: the closed form, from genes, beside the operator-level counter.

Every sample is of architectures that were not seen before, drawn as a search draws them.
"""

import time
from collections.abc import Sequence

import numpy as np
import torch

from trionet_bench.benchmarks.measure import (
    Document,
    OnCase,
    Row,
    Target,
    at_least,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.mac_totals import counted_macs
from trionet_bench.networks.skeletons import architecture_macs, build_network
from trionet_bench.spaces.choice import Space
from trionet_bench.spaces.presets import SPACES
from trionet_bench.timing import threads

LIMIT = 20_000  # architectures a second
DRAWN = 1000  # for a sample
COUNTED = 3  # by the operator-level counter, which takes longer
CLASSES, CHANNELS = 10, 3


def measure(setting: Setting, on_case: OnCase) -> Document:
    """A case for each shipped space; ArithmeticError where the two counts differ."""
    rows: list[Row] = []
    with threads(setting.threads) as used:
        for space in SPACES.values():
            rows.append(_measure(space, setting.count(7)))
            on_case(len(rows), len(SPACES), f"{line_of(rows[-1])}, {rows[-1]['per_second']:.0f} a second")
    return document("cost", torch.device("cpu"), used, rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """The bound over all spaces."""
    return at_least("architectures a second, closed form, worst space", LIMIT, [row["per_second"] for row in rows])


def _measure(space: Space, samples: int) -> Row:
    generator = np.random.default_rng(0)

    def cost(genes: tuple[int, ...]) -> int:
        return architecture_macs(space.decode(genes), CLASSES, CHANNELS, space.resolution)

    def sample() -> float:
        drawn = [space.random(generator) for _ in range(DRAWN)]
        start = time.perf_counter()
        for genes in drawn:
            cost(genes)
        return 1000 * (time.perf_counter() - start) / DRAWN

    first = sample()  # kinds of block that are new are built once
    for _ in range(4):
        sample()
    closed = [sample() for _ in range(samples)]
    counted = []
    for genes in [space.random(generator) for _ in range(COUNTED)]:
        start = time.perf_counter()
        macs = by_counter(space, genes)
        counted.append(1000 * (time.perf_counter() - start))
        if macs != cost(genes):
            raise ArithmeticError(f"{space.name} {genes}: closed form {cost(genes)} MACs, counter {macs}")
    row = compared({"case": space.name, "architectures": DRAWN, "first_ms": first}, closed, "the counter", counted)
    return {**row, "per_second": 1000 / row["median_ms"]}


def by_counter(space: Space, genes: tuple[int, ...]) -> int:
    """The MACs of an architecture by watching its network run on the meta device."""
    with torch.device("meta"):
        network = build_network(space.decode(genes), CLASSES, CHANNELS, space.resolution)
    return counted_macs(network, space.resolution, space.resolution, CHANNELS)
