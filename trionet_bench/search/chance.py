"""Whether a supernet knows enough to be searched.

Where none of its probes is above chance the fitness of children is noise, and a search would turn it into a placement
(our choice; the papers search whatever was trained).
"""

import math
from collections.abc import Mapping

from scipy.stats import binom

LEVEL = 0.01  # share of supernets at chance that are searched all the same


def near_chance(probes: Mapping[str, float], chance: float, images: int) -> str:
    """Why a search must not begin; empty where the best probe is above chance.

    An exact binomial test of the best probe, Bonferroni over the probes, at level 0.01 (our choice).

    Args:
        probes: share of images that each probe has right after the last epoch, by the probe's name.
        chance: share that the best constant answer has right.
        images: that were scored.
    """
    name, best = max(probes.items(), key=lambda item: item[1])
    p = min(1.0, len(probes) * float(binom.sf(round(best * images) - 1, images, chance)))
    if p <= LEVEL:
        return ""
    error = math.sqrt(chance * (1 - chance) / images)
    return (
        f"the supernet is at chance: of {images} search-validation images the best of its {len(probes)} probes, "
        f"{name}, has {best:.1%} right, a constant answer {chance:.1%} (standard error {error:.1%}, p = {p:.2g} over "
        "all probes). So no search was begun, and the network was drawn blindly. More supernet epochs, more images or "
        "a larger budget may help."
    )
