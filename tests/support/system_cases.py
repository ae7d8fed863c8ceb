"""Small cells of every system of the package: one that can be carried out, and one whose budget nothing fits."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.pretrained import finished_cell
from support.tiny import cell

from trionet_bench.spaces.fab import FabSpace
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.systems.cell import AnyCell

# 8 x 8 images in four patches: five tokens. Three blocks.
TINY_GLIT = GLiTSpace(name="tiny-glit", resolution=8, patch=4, widths=(12, 24), heads=3, depth=3, kernels=(3, 5, 7))


def of_glit(budget: int = 40_000, **options: Any) -> AnyCell:
    return replace(cell("glit", budget=budget, **({"retrain": 1} | options)), space=TINY_GLIT)


# 8 x 8 images: 4 x 4 positions, then 2 x 2; two blocks, one of which may attend over everything.
TINY_FAB = FabSpace(
    name="tiny-fab",
    resolution=8,
    stem="attention-pool2",
    stem_width=8,
    depths=(1, 1),
    widths=(16, 32),
    strides=(1, 2),
    stages=(("local3", "local5", "axial"), ("local3", "axial", "nonlocal")),
    heads=2,
    expansion=0.5,
    scales=(1.0, 1.5),
)


def of_fab(budget: int = 90_000, system: str = "fab", **options: Any) -> AnyCell:
    small = {"width": 8, "heads": 2, "layers": 1}
    return replace(cell(system, budget=budget, **({"pretext": small} | options)), space=TINY_FAB)


# Lives as long as the process; a network of one epoch, made where the cases are asked for.
_FOLDER = TemporaryDirectory(prefix="trionet-bench-tests-")
WEIGHTS = str(finished_cell(Path(_FOLDER.name)))

SYSTEM_CASES: dict[str, tuple[AnyCell, AnyCell]] = {
    "correlation": (cell("correlation", architectures=3), cell("correlation", architectures=3, budget=1000)),
    "fab": (of_fab(), of_fab(1000)),
    "fab-correlation": (
        of_fab(system="fab-correlation", architectures=3, near=0.6),
        of_fab(1000, system="fab-correlation", architectures=3),
    ),
    "glit": (of_glit(), of_glit(1000)),
    "halving": (cell("halving", rungs=2, networks=2), cell("halving", budget=1000)),
    "pretrained": (cell("pretrained", weights=WEIGHTS), cell("pretrained", weights=WEIGHTS, budget=1000)),
    "standalone": (cell("standalone", operator="conv"), cell("standalone", operator="conv", budget=1000)),
    "trionet": (cell("trionet"), cell("trionet", budget=1000)),
}
