"""Context auto-regression: the next patches of an image from those before, in any order; labels are not used.

The task by which FAB-NAS searches (Zhou et al. 2021, arXiv 2111.07139). Known of it is the name, and that it is to
favour networks that see far; its form here is our choice, see ``networks.context``.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from trionet_bench.data.index import Index
from trionet_bench.errors import UsageError
from trionet_bench.records.task_info import Metric
from trionet_bench.tasks.base import Columns, Task

_LEAST_PATCHES = 4


@dataclass(frozen=True)
class PatchLayout:
    """How an image is cut.

    Args:
        patch: side of a patch in pixels.
        side: patches along a side of the image.
        prefix: the least and the greatest number of visible patches.
        ahead: patches that are predicted.
    """

    patch: int
    side: int
    prefix: tuple[int, int]
    ahead: int

    @property
    def patches(self) -> int:
        """In an image."""
        return self.side**2


class ContextAutoRegression(Task):
    """A prefix of the patches is visible, the ``ahead`` next ones are predicted.

    Args:
        grid: most patches along a side; their side is the least that divides that of the image.
        order: of the patches, drawn for each image and step, or ``raster``.
        least, most: share of the patches that is visible, drawn uniformly between these.
        loss: ``pixels``, the squared error of patches that are normalised one by one (as in He et al. 2022, "Masked
            Autoencoders", arXiv 2111.06377); or ``contrastive``: which of all patches of the batch that are to be
            predicted is this one (van den Oord et al. 2018, arXiv 1807.03748, InfoNCE).
        width, layers, heads: of the decoder.
    """

    name: ClassVar[str] = "context-autoregression"
    implementation: ClassVar[str] = "trionet_bench.tasks.context.runner:ContextRunner"

    grid: int = Field(default=7, ge=2)
    order: Literal["random", "raster"] = "random"
    least: float = Field(default=0.25, gt=0, lt=1)
    most: float = Field(default=0.9, gt=0, lt=1)
    ahead: int = Field(default=4, ge=1)
    loss: Literal["pixels", "contrastive"] = "pixels"
    width: int = Field(default=256, ge=1)
    layers: int = Field(default=2, ge=1)
    heads: int = Field(default=4, ge=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.least > self.most:
            raise ValueError(f"least ({self.least}) exceeds most ({self.most})")
        if self.width % self.heads:
            raise ValueError(f"heads ({self.heads}) must divide the width ({self.width})")
        return self

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The squared error, 1 where nothing is predicted; and how often a prediction is nearest to its own patch among
        those of its image that were to be predicted. Contrastive predictions have no scale, and so only the latter.
        """
        matched = Metric(name="matched", label="patches recognised", unit="fraction")
        error = Metric(name="mse", label="squared error of patches", unit="none", higher_is_better=False)
        return (matched,) if self.loss == "contrastive" else (error, matched)

    def outputs(self, index: Index) -> int:
        """No classifier."""
        return 0

    def layout(self, resolution: int) -> PatchLayout:
        """The cut of images of this side; UsageError where it has no useful divisor."""
        patch = next(
            size for size in range(1, resolution + 1) if not resolution % size and resolution // size <= self.grid
        )
        side = resolution // patch
        least, most = math.ceil(self.least * side**2), math.floor(self.most * side**2)
        ahead = min(self.ahead, side**2 - least)
        if side**2 < _LEAST_PATCHES or ahead < 1:
            raise UsageError(
                f"images of {resolution} pixels cannot be cut into patches for context auto-regression: their side has "
                f"no divisor that gives 2 to {self.grid} patches. Choose another resolution, such as {resolution + 1}, "
                "or a larger grid."
            )
        return PatchLayout(patch, side, (least, max(least, min(most, side**2 - ahead))), ahead)

    def measure(self, columns: Columns) -> dict[str, float]:
        """From ``mse`` and ``matched`` of each image, (N,)."""
        return {metric.name: float(np.mean(columns[metric.name], dtype=np.float64)) for metric in self.metrics}
