"""Whether a supernet knows enough to be searched.

Where none of its probes is above chance the fitness of children is noise, and a search would turn it into a placement
(our choice; the papers search whatever was trained).
"""

import math
from collections.abc import Mapping

STANDARD_ERRORS = 2.0


def near_chance(probes: Mapping[str, float], chance: float, images: int) -> str:
    """Why a search must not begin; empty where a probe is above chance by more than two standard errors.

    Args:
        probes: share of images that each probe has right after the last epoch, by the probe's name.
        chance: share that the best constant answer has right.
        images: that were scored.
    """
    name, best = max(probes.items(), key=lambda item: item[1])
    error = math.sqrt(chance * (1 - chance) / images)
    if best > chance + STANDARD_ERRORS * error:
        return ""
    return (
        f"the supernet is at chance: of {images} search-validation images its best probe, {name}, has {best:.1%} "
        f"right, a constant answer {chance:.1%} (standard error {error:.1%}). So no search was begun, and the network "
        "was drawn blindly. More supernet epochs, more images or a larger budget may help."
    )
