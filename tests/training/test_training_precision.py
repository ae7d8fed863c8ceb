"""What ``precision: auto`` stands for: by the processor's description, said with its reason, without another key."""

from pathlib import Path

import pytest
import torch

from trionet_bench.training.device import autocast
from trionet_bench.training.precision import resolved
from trionet_bench.training.recipe import QUICK, Recipe, resolve_recipe


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ("fpu avx2 avx512_bf16 amx_tile amx_bf16", "this processor has amx_bf16, avx512_bf16, so bf16 may be faster"),
        ("fpu avx2", "no bf16 of this processor is known"),
        (None, "no bf16 of this processor is known"),
    ],
)
def test_auto_is_float32_with_a_reason(flags: str | None, reason: str, tmp_path: Path):
    described = tmp_path / "cpuinfo"
    if flags is not None:
        described.write_text(f"processor : 0\nflags\t\t: {flags}\nprocessor : 1\n")
    recipe = resolved(resolve_recipe({"base": "quick", "precision": "auto"}), described)
    assert recipe.precision == "float32"
    assert recipe.precision_reason.startswith(reason)
    assert "five seeds" in recipe.precision_reason and "--precision bf16" in recipe.precision_reason


def test_the_key_is_that_of_what_it_stands_for():
    auto = resolved(resolve_recipe({"base": "quick", "precision": "auto"}))
    assert auto.canonical == QUICK.canonical
    assert Recipe.model_validate(auto.model_dump(mode="json")) == auto  # a record has the reason
    assert resolve_recipe({"base": "quick", "precision": "bf16"}).canonical != QUICK.canonical


def test_what_a_recipe_says_stays():
    recipe = resolve_recipe({"base": "quick", "precision": "bf16"})
    assert resolved(recipe) is recipe


def test_nothing_computes_in_a_precision_that_is_not_decided():
    with pytest.raises(ValueError, match="not resolved"):
        autocast(torch.device("cpu"), "auto")
