"""Networks whose weights come from elsewhere, fine-tuned by the recipe that trains the others from scratch.

They come from a cell of this project, or from a file in the format of torchvision or timm. Nothing is downloaded. The
weights are read in a phase of their own, so that keys name them by their content.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field

from trionet_bench.errors import DataError
from trionet_bench.records.layout import ARCHITECTURE, RECORD, WEIGHTS, format_budget
from trionet_bench.records.store import file_digest
from trionet_bench.spaces.choice import Space
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import Cell, Phase, SystemOptions
from trionet_bench.systems.paths import PathOption

READING = "weights"  # the phase


class Options(SystemOptions):
    """Where the weights come from.

    Args:
        weights: folder of a complete cell; or, with ``network``, a file of weights (.safetensors, .pth). ``{seed}`` and
            ``{budget}`` in it are those of the cell that is trained.
        network: of a file of weights, such as ``torchvision:resnet50`` or ``timm:convnext_tiny``.
    """

    known_by_content: ClassVar[tuple[str, ...]] = ("weights",)

    weights: PathOption
    network: Annotated[str, Field(pattern="^(torchvision|timm):.+$")] | None = None


PretrainedCell: TypeAlias = Cell[Options, Space]


class Pretrained(System[Options, Space]):
    """Weights from elsewhere, fine-tuned."""

    name = "pretrained"
    summary = "weights from elsewhere, fine-tuned"
    options_type = Options
    space_type = Space
    implementation = "trionet_bench.systems.pretrained.running:PretrainedRunner"

    def phases(self, cell: PretrainedCell) -> tuple[Phase, ...]:
        """The reading of the weights; DataError where they are not there."""
        digests = [_digest(path) for path in weight_files(cell)]
        return (Phase(READING, {"network": cell.options.network, "files": digests}),)


def weights_path(cell: PretrainedCell) -> Path:
    """The folder or file that the weights are read from."""
    return cell.options.weights.found(seed=cell.seed, budget=format_budget(cell.budget))


def weight_files(cell: PretrainedCell) -> list[Path]:
    """The files whose content is the network; DataError where one is missing."""
    path, of_file = weights_path(cell), cell.options.network is not None
    files = [path] if of_file else [path / ARCHITECTURE, path / WEIGHTS]
    if missing := [file for file in (files if of_file else [*files, path / RECORD]) if not file.is_file()]:
        needed = "a file of weights; it is not downloaded" if of_file else "the folder of a complete cell"
        raise DataError(
            f'the weights of model "{cell.model}" are missing: there is no {missing[0]}. Give {needed}, or leave the '
            f"model out with --only model=!{cell.model}."
        )
    return files


def _digest(path: Path) -> str:
    stamp = path.stat()
    return _digest_at(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=256)  # a plan asks for the same file in every cell
def _digest_at(path: Path, changed: int, size: int) -> str:
    return file_digest(path)
