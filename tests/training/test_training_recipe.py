import subprocess
import sys

import pytest
from pydantic import ValidationError

from trionet_bench.errors import UsageError
from trionet_bench.training.recipe import RecipeError, list_recipes, resolve_recipe


def test_presets_resolve_by_name_and_carry_it():
    assert list_recipes() == ["quick", "small", "imagenet-130", "deit", "fine-grained"]
    assert [resolve_recipe(name).name for name in list_recipes()] == list_recipes()


def test_recipes_load_without_torch():
    code = (
        "import sys; from trionet_bench.training.recipe import resolve_recipe\n"
        "resolve_recipe('quick').key_fields(); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_imagenet_130_learning_rate_is_a_tenth_per_256_images():
    # 0.1 * 1024 / 256, and half of it at half the batch
    assert resolve_recipe("imagenet-130").peak_lr == pytest.approx(0.4)
    assert resolve_recipe({"base": "imagenet-130", "batch": 512}).peak_lr == pytest.approx(0.2)


def test_deit_learning_rate_at_batch_1024_is_a_thousandth():
    assert resolve_recipe("deit").peak_lr == pytest.approx(1e-3)


def test_absolute_learning_rate_does_not_follow_the_batch():
    changed = {"base": "quick", "batch": 7, "optimizer": {"lr": 0.3, "lr_per": None}}
    assert resolve_recipe(changed).peak_lr == 0.3


def test_changes_are_merged_into_nested_parts():
    quick, changed = resolve_recipe("quick"), resolve_recipe({"base": "quick", "augment": {"mixup": 0.2}})
    assert changed.augment == quick.augment.model_copy(update={"mixup": 0.2})
    assert changed.optimizer == quick.optimizer
    assert changed.name == "quick-variant"


def test_the_name_of_a_preset_survives_where_nothing_changes():
    assert resolve_recipe({"base": "quick"}) == resolve_recipe("quick")


def test_a_recipe_can_be_written_out():
    written = {"epochs": 3, "batch": 8, "optimizer": {"lr": "1e-3"}, "supernet": {"epochs": 4}}
    recipe = resolve_recipe(written)
    assert (recipe.name, recipe.epochs, recipe.optimizer.lr, recipe.supernet.epochs) == ("custom", 3, 1e-3, 4)


@pytest.mark.parametrize(
    ("value", "message", "path"),
    [
        ("quik", 'unknown recipe "quik"; did you mean "quick"?', ()),
        ({"base": "smal"}, 'unknown recipe "smal"; did you mean "small"?', ()),
        ({"base": "quick", "epoch": 3}, 'unknown key "epoch" in recipe; did you mean "epochs"?', ("epoch",)),
        ({"base": "quick", "lr": 0.1}, 'unknown key "lr" in recipe; did you mean "recipe.optimizer.lr"?', ("lr",)),
        (
            {"base": "quick", "optimizer": {"epochs": 3}},
            'unknown key "epochs" in recipe.optimizer; did you mean "recipe.epochs" or "recipe.supernet.epochs"?',
            ("optimizer", "epochs"),
        ),
        (
            {"base": "quick", "optimizer": {"learning_rate": 1}},
            'unknown key "learning_rate" in recipe.optimizer; allowed are betas,',
            ("optimizer", "learning_rate"),
        ),
        ({"epochs": 3}, 'recipe has no "batch"; give it, or start from a preset with "base: quick".', ("batch",)),
        ({"base": "quick", "epochs": 0}, "recipe.epochs: Input should be greater than 0, not 0.", ("epochs",)),
        ({"base": "quick", "augment": None}, "recipe.augment: should be a mapping, not None.", ("augment",)),
        (
            {"base": "quick", "clip_value": 1},
            "recipe: clip_norm and clip_value exclude each other; set one to null.",
            (),
        ),
        (
            {"base": "quick", "search": {"crossover": 24}},
            "recipe.search: crossover + mutation (30) exceed the population (16).",
            ("search",),
        ),
    ],
)
def test_faults_name_the_key_and_the_nearest_allowed_one(value, message, path):
    with pytest.raises(RecipeError) as caught:
        resolve_recipe(value)
    assert str(caught.value).startswith(message)
    assert caught.value.path == path
    assert isinstance(caught.value, UsageError)


def test_a_recipe_does_not_change_once_made():
    with pytest.raises(ValidationError):
        resolve_recipe("quick").epochs = 3


def test_key_holds_what_changes_results_and_not_what_is_for_people_or_speed():
    quick = resolve_recipe("quick")
    same = resolve_recipe({"base": "quick", "name": "mine", "channels_last": True, "search": {"evaluation_batch": 7}})
    assert same.key_fields() == quick.key_fields()
    for change in ({"epochs": 99}, {"version": 2}, {"search": {"calibration_batch": 64}}, {"augment": {"flip": False}}):
        assert resolve_recipe({"base": "quick", **change}).key_fields() != quick.key_fields()


def test_key_can_leave_out_the_parts_that_a_phase_does_not_use():
    other_search = resolve_recipe({"base": "quick", "search": {"generations": 9}})
    without = ("search",)
    assert other_search.key_fields(without) == resolve_recipe("quick").key_fields(without)


def test_scaled_epochs_take_warmup_finetuning_and_supernet_along():
    # 130 epochs, 10 warm-up, 25 fine-tuning and 130 supernet epochs, times 1/10
    short = resolve_recipe("imagenet-130").scaled(epochs=13)
    assert (short.epochs, short.warmup_epochs, short.finetune_epochs, short.supernet.epochs) == (13, 1.0, 2, 13)


def test_supernet_recipe_takes_epochs_rate_and_clipping_from_its_part():
    recipe = resolve_recipe({"base": "imagenet-130", "supernet": {"epochs": 7, "lr_scale": 0.5}})
    derived = recipe.for_supernet()
    assert (derived.epochs, derived.peak_lr, derived.clip_norm, derived.clip_value) == (
        7,
        pytest.approx(0.2),
        None,
        1.0,
    )


def test_finetuning_recipe_is_short_and_gentle():
    derived = resolve_recipe("imagenet-130").for_finetuning()
    assert (derived.epochs, derived.warmup_epochs, derived.peak_lr) == (25, 0.0, pytest.approx(0.04))


def test_finetuning_needs_epochs():
    with pytest.raises(UsageError, match="finetune_epochs is 0"):
        resolve_recipe({"base": "quick", "finetune_epochs": 0}).for_finetuning()
