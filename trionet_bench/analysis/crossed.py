"""Noise of the test images, crossed with that of the seeds.

All networks of a data set meet the same test images, so a mean over n seeds and N images varies with both: its variance
is s/n + i/N + r/(n N), with s of the seeds, i of the images and r of what an image does differently under each seed. A
two-way analysis of variance gives all three; degrees of freedom are Satterthwaite's. This is how studies of several
readers and cases are analysed (Hillis 2007, Statistics in Medicine 26, 596-619), with seeds as readers and images as
cases. Coverage is simulated in ``analysis.coverage``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Images that are added to the variance, right or wrong under every seed, so that it is never zero where a few images
# merely happened to agree: of a share Agresti and Coull 1998, of a paired difference Bonett and Price 2012.
OF_A_SHARE = (1.0, 1.0, 0.0, 0.0)
OF_A_DIFFERENCE = (1.0, -1.0)


@dataclass(frozen=True)
class ImagePart:
    """What the images of a data set add to the variance of a mean over seeds and images.

    Args:
        variance: of the mean, between images: i/N + r/(n N).
        shared: the part r/(n N) of it, which the variance between seeds has too.
        df: degrees of freedom of ``variance``.
    """

    variance: float
    shared: float
    df: int

    def scaled(self, factor: float) -> "ImagePart":
        """Of a mean that is multiplied with the root of ``factor``."""
        return ImagePart(factor * self.variance, factor * self.shared, self.df)


NOTHING_KNOWN = ImagePart(0.0, 0.0, 1)  # where no scores of single images are stored


def image_part(scores: NDArray[np.float64], added: Sequence[float] = ()) -> ImagePart:
    """From scores, or differences of scores, by seed and image (n, N).

    Args:
        added: scores of further images; ``OF_A_SHARE`` or ``OF_A_DIFFERENCE`` for answers that are right or wrong.
    """
    seeds, images = scores.shape
    columns = np.concatenate([scores.mean(axis=0), added])
    if len(columns) < 2:
        return NOTHING_KNOWN
    variance = float(columns.var(ddof=1)) / len(columns)
    if seeds < 2 or images < 2:
        return ImagePart(variance, 0.0, len(columns) - 1)
    left = scores - scores.mean(axis=0) - scores.mean(axis=1, keepdims=True) + scores.mean()
    shared = float((left**2).sum()) / ((seeds - 1) * (images - 1)) / (seeds * images)
    return ImagePart(variance, shared, len(columns) - 1)


def models_by_images(scores: NDArray[np.float64]) -> ImagePart:
    """What images add to the mean square between models in an F test, from scores by seed, model and image (n, k, N).

    The mean square is of the models' means, times n: in the unit of the variance of one run.
    """
    seeds, models, images = scores.shape
    of_models = scores.mean(axis=0)  # (k, N)
    left = of_models - of_models.mean(axis=0) - of_models.mean(axis=1, keepdims=True) + of_models.mean()
    df = (models - 1) * (images - 1)
    within = scores - of_models
    within = within - within.mean(axis=1, keepdims=True)
    within = within - within.mean(axis=2, keepdims=True)
    shared = float((within**2).sum()) / ((seeds - 1) * df) / images
    return ImagePart(seeds * float((left**2).sum()) / df / images, shared, df)


def crossed(seeds: float, df: float, parts: Sequence[ImagePart]) -> tuple[float, float]:
    """Variance of a mean, or mean square, by seeds and images together, and its degrees of freedom.

    Args:
        seeds: by seeds, with ``df`` degrees of freedom.
        parts: by the images of each data set.

    The sum of both less what they share is unbiased; it is never taken below either of them.
    """
    images = sum(part.variance for part in parts)
    total = max(seeds, images, seeds + images - sum(part.shared for part in parts))
    terms = seeds**2 / df if seeds > 0 else 0.0
    terms += sum(part.variance**2 / part.df for part in parts)
    return total, total**2 / terms if terms > 0 else float(df)
