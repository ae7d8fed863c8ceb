"""Small cells of every system of the package: one that can be carried out, and one whose budget nothing fits."""

from dataclasses import replace
from typing import Any

from support.tiny import cell

from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.systems.cell import AnyCell

# 8 x 8 images in four patches: five tokens. Three blocks.
TINY_GLIT = GLiTSpace(name="tiny-glit", resolution=8, patch=4, widths=(12, 24), heads=3, depth=3, kernels=(3, 5, 7))


def of_glit(budget: int = 40_000, **options: Any) -> AnyCell:
    return replace(cell("glit", budget=budget, **({"retrain": 1} | options)), space=TINY_GLIT)


SYSTEM_CASES: dict[str, tuple[AnyCell, AnyCell]] = {
    "correlation": (cell("correlation", architectures=3), cell("correlation", architectures=3, budget=1000)),
    "glit": (of_glit(), of_glit(1000)),
    "halving": (cell("halving", rungs=2, networks=2), cell("halving", budget=1000)),
    "standalone": (cell("standalone", operator="conv"), cell("standalone", operator="conv", budget=1000)),
    "trionet": (cell("trionet"), cell("trionet", budget=1000)),
}
