"""What a recipe's ``precision: auto`` stands for, decided when cells are planned; nothing here imports torch.

It is float32 everywhere as long as no comparison of five seeds on two data sets has shown that bf16 is non-inferior by
0.3 points (our choice). The reason says what the machine could gain.
"""

from pathlib import Path

from trionet_bench.processor import CPUINFO, described
from trionet_bench.training.recipe import Recipe

_BFLOAT16 = ("amx_bf16", "avx512_bf16")  # of a processor, as Linux names them, the fastest first


def resolved(recipe: Recipe, processor: Path = CPUINFO) -> Recipe:
    """The recipe with ``auto`` replaced, and the reason in ``precision_reason``; any other precision stays.

    Args:
        processor: the description of the processor, in Linux's format; it may be missing.
    """
    if recipe.precision != "auto":
        return recipe
    features = described("flags", processor).split()
    has = ", ".join(feature for feature in _BFLOAT16 if feature in features)
    known = f"this processor has {has}, so bf16 may be faster" if has else "no bf16 of this processor is known"
    reason = f"{known}; its accuracy has not been compared over five seeds. To take it all the same: --precision bf16"
    return recipe.model_copy(update={"precision": "float32", "precision_reason": reason})
