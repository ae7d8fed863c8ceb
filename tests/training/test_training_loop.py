import json
import math

import pytest
import torch
from support.classifying import train_classifier
from torch import nn

from trionet_bench.errors import BenchError, TrainingError
from trionet_bench.training.checkpoint import load_checkpoint
from trionet_bench.training.history import read_history
from trionet_bench.training.loop import collapsed, fit
from trionet_bench.training.recipe import resolve_recipe

CPU = torch.device("cpu")
RECIPE = resolve_recipe(
    {
        "epochs": 5,
        "batch": 8,
        "optimizer": {"lr": 0.05},
        "warmup_epochs": 1,
        "label_smoothing": 0.1,
        "ema": 0.8,
        "clip_norm": 1.0,
        "supernet": {"epochs": 1},
    }
)


class FakeBatches:
    """Three batches of eight 4x4 images, a function of the epoch alone."""

    def __len__(self):
        return 3

    def epoch(self, epoch, first=0):
        generator = torch.Generator().manual_seed(epoch)
        for step in range(3):
            images = torch.randn(8, 3, 4, 4, generator=generator)
            if step >= first:
                yield images, (images.mean((1, 2, 3)) > 0).long()


class OneBatch:
    """The same batch in every step: the image 1 and the target 0."""

    def __init__(self, steps=1):
        self.steps = steps

    def __len__(self):
        return self.steps

    def epoch(self, epoch, first=0):
        for _ in range(first, self.steps):
            yield torch.ones(1, 1), torch.zeros(1)


def network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(32, 2)
    )


def train(folder, recipe=RECIPE, **options):
    """A trained network and its rows, with a checkpoint after every epoch."""
    model = network()
    defaults = {"checkpoint": folder / "checkpoint.pt", "history": folder / "history.jsonl", "checkpoint_seconds": 0}
    rows = train_classifier(model, FakeBatches(), recipe, seed=3, device=CPU, **(defaults | options))
    return model, rows


def timeless(rows):
    return [{name: value for name, value in row.items() if name not in ("seconds", "images_per_s")} for row in rows]


def same_weights(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


class Stop(Exception):
    pass


def stop_at(epoch):
    def on_epoch_end(done, row):
        if done == epoch:
            raise Stop

    return on_epoch_end


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_an_interrupted_run_continued_equals_an_uninterrupted_one_to_the_bit(tmp_path, optimizer):
    recipe = RECIPE.model_copy(update={"optimizer": RECIPE.optimizer.model_copy(update={"name": optimizer})})
    whole, whole_rows = train(tmp_path / "whole", recipe)
    with pytest.raises(Stop):
        train(tmp_path / "torn", recipe, on_epoch_end=stop_at(4))
    torch.manual_seed(99)  # whatever the global generator holds at the resumption
    resumed, resumed_rows = train(tmp_path / "torn", recipe)
    assert same_weights(whole, resumed)
    assert timeless(resumed_rows) == timeless(whole_rows)
    written = [read_history(tmp_path / folder / "history.jsonl") for folder in ("whole", "torn")]
    assert timeless(written[0]) == timeless(written[1]) == timeless(whole_rows)


def test_a_resumed_run_does_only_the_epochs_after_the_checkpoint(tmp_path):
    with pytest.raises(Stop):
        train(tmp_path, on_epoch_end=stop_at(4))
    asked = []
    train(tmp_path, on_epoch_end=lambda epoch, row: asked.append(epoch))
    assert asked == [4, 5]  # the checkpoint was of epoch 3


@pytest.mark.parametrize("step", [1, 2, 7, 11])
def test_a_run_that_was_killed_within_an_epoch_goes_on_there(tmp_path, step):
    """15 steps of which every one leaves a checkpoint; ``step`` is the first that did not."""
    whole, whole_rows = train(tmp_path / "whole")
    done = []

    def killed(steps, of, text):
        if steps == step + 1:
            raise Stop

    with pytest.raises(Stop):
        train(tmp_path / "torn", progress=killed)
    torch.manual_seed(99)
    resumed, rows = train(tmp_path / "torn", progress=lambda steps, of, text: done.append(steps))
    assert done == list(range(step + 1, 16))
    assert same_weights(whole, resumed)
    assert timeless(rows) == timeless(whole_rows)


@pytest.mark.parametrize("damage", ["torn", "empty", "foreign", "of torch", "a tensor", "one bit"])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(tmp_path, damage, caplog):
    whole, whole_rows = train(tmp_path / "whole")
    with pytest.raises(Stop):
        train(tmp_path / "torn", on_epoch_end=stop_at(4))
    checkpoint = tmp_path / "torn" / "checkpoint.pt"
    good = checkpoint.read_bytes()
    if damage == "one bit":  # in the middle, where the weights are
        middle = len(good) // 2
        checkpoint.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
    elif damage in ("of torch", "a tensor"):
        torch.save({"weights": torch.ones(2)} if damage == "of torch" else torch.ones(2), checkpoint)
    else:
        checkpoint.write_bytes({"torn": good[: len(good) // 2], "empty": b"", "foreign": b"PK" + bytes(99)}[damage])
    done = []
    resumed, rows = train(tmp_path / "torn", progress=lambda steps, of, text: done.append(steps))
    assert done[0] == 11  # the last checkpoint was of 11 steps, the one before of 10
    assert same_weights(whole, resumed)
    assert timeless(rows) == timeless(whole_rows)
    assert "checkpoint.pt is " in caplog.text and "set aside as checkpoint-damaged.pt" in caplog.text
    assert (tmp_path / "torn" / "checkpoint-damaged.pt").exists()


def test_without_a_good_checkpoint_a_run_starts_over(tmp_path, caplog):
    whole, _ = train(tmp_path / "whole")
    (tmp_path / "torn").mkdir()
    for name in ("checkpoint.pt", "checkpoint-previous.pt"):
        (tmp_path / "torn" / name).write_bytes(b"nonsense")
    done = []
    again, _ = train(tmp_path / "torn", progress=lambda steps, of, text: done.append(steps))
    assert done == list(range(1, 16))
    assert same_weights(whole, again)
    assert caplog.text.count("is set aside as checkpoint-damaged.pt") == 2


def test_history_lines_beyond_the_checkpoint_are_cut(tmp_path):
    _, rows = train(tmp_path)
    history = tmp_path / "history.jsonl"
    for checkpoint in tmp_path.glob("checkpoint*.pt"):
        checkpoint.unlink()
    with history.open("a") as file:
        file.write('{"phase": "retrain", "epoch": 6}\n{"phase": "finetune", "epoch": 1}\n{"phase": "retr')
    with pytest.raises(Stop):
        train(tmp_path, on_epoch_end=stop_at(2))
    left = read_history(history)
    assert [(row["phase"], row["epoch"]) for row in left] == [("finetune", 1), ("retrain", 1)]
    assert timeless(left[1:]) == timeless(rows[:1])


@pytest.mark.parametrize("change", [{"seed": 4}, {"phase": "finetune"}, {"epochs": 6}, {"recipe": "quick"}])
def test_a_checkpoint_of_another_run_is_not_taken_up(tmp_path, change, caplog):
    train(tmp_path)
    options = {"recipe": RECIPE, "seed": 3, **change}
    options["recipe"] = resolve_recipe(options["recipe"]).model_copy(update={"epochs": 5})
    rows = []
    train_classifier(
        network(),
        FakeBatches(),
        device=CPU,
        checkpoint=tmp_path / "checkpoint.pt",
        on_epoch_end=lambda epoch, row: rows.append(epoch),
        **options,
    )
    assert rows[0] == 1
    assert "another run" in caplog.text


def test_a_finished_run_is_taken_as_it_is(tmp_path):
    first, rows = train(tmp_path)
    again, same_rows = train(tmp_path, on_epoch_end=stop_at(1))
    assert same_weights(first, again)
    assert rows == same_rows


def test_checkpoints_wait_for_their_time_but_the_last_is_always_written(tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    seen = []
    train(tmp_path, checkpoint_seconds=3600, on_epoch_end=lambda *_: seen.append(checkpoint.exists()))
    assert seen == [False] * 5
    assert load_checkpoint(checkpoint)["epoch"] == 5


def test_rows_say_what_the_history_promises(tmp_path):
    _, rows = train(tmp_path, on_epoch_end=lambda epoch, row: {"val_top1": epoch / 10})
    names = ["phase", "epoch", "step", "lr", "train_loss", "train_top1", "seconds", "images_per_s", "val_top1"]
    assert [list(row) for row in rows] == [names] * 5
    assert [(row["phase"], row["epoch"], row["step"], row["val_top1"]) for row in rows] == [
        ("retrain", epoch, 3 * epoch, epoch / 10) for epoch in range(1, 6)
    ]
    assert [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()] == rows


def test_training_lowers_the_loss(tmp_path):
    _, rows = train(tmp_path, RECIPE.model_copy(update={"epochs": 25}))
    assert rows[-1]["train_loss"] < 0.8 * rows[0]["train_loss"]


def test_soft_targets_are_learnt_too(tmp_path):
    class Mixed(FakeBatches):
        def epoch(self, epoch, first=0):
            for images, labels in super().epoch(epoch, first):
                yield images, nn.functional.one_hot(labels, 2).float()

    hard, soft = (
        train_classifier(network(), batches, RECIPE, seed=3, device=CPU) for batches in (FakeBatches(), Mixed())
    )
    assert [row["train_loss"] for row in soft] == pytest.approx([row["train_loss"] for row in hard], rel=1e-5)
    assert [row["train_top1"] for row in soft] == [row["train_top1"] for row in hard]


def test_labels_are_smoothed_as_the_recipe_says():
    # two classes, logits (1, 0) by the bias alone; smoothing 0.2 makes the target (0.9, 0.1)
    module = nn.Linear(1, 2)
    nn.init.zeros_(module.weight)
    module.bias.data = torch.tensor([1.0, 0.0])
    recipe = plain(label_smoothing=0.2)

    class Labels(OneBatch):
        def epoch(self, epoch, first=0):
            yield torch.ones(1, 1), torch.zeros(1, dtype=torch.long)

    (row,) = train_classifier(module, Labels(), recipe, seed=0, device=CPU)
    log_total = math.log(math.e + 1)
    assert row["train_loss"] == pytest.approx(0.9 * (log_total - 1) + 0.1 * log_total, abs=1e-6)
    assert row["train_top1"] == 1.0


def test_progress_counts_steps():
    calls = []
    train_classifier(network(), FakeBatches(), RECIPE, seed=3, device=CPU, progress=lambda *call: calls.append(call))
    assert [call[:2] for call in calls] == [(step, 15) for step in range(1, 16)]
    assert calls[-1][2].startswith("epoch 5/5, loss 0.")


def slope(module, value):
    """A step whose gradient with respect to the one weight is ``value``."""

    def step(images, targets, number):
        loss = (module.weight * value).sum()
        loss.backward()
        return {"loss": loss.detach()}

    return step


def one_weight(start=0.0):
    module = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, start)
    return module


def plain(**changes):
    """SGD without momentum at a constant rate of 1, one epoch."""
    optimizer = {"lr": 1.0, "momentum": 0.0, "nesterov": False}
    written = {"epochs": 1, "batch": 1, "optimizer": optimizer, "schedule": "constant", "supernet": {"epochs": 1}}
    return resolve_recipe(written | changes)


@pytest.mark.parametrize(("clip", "moved"), [({}, -5.0), ({"clip_norm": 2.0}, -2.0), ({"clip_value": 0.5}, -0.5)])
def test_gradients_are_clipped(clip, moved):
    module = one_weight()
    fit(module, OneBatch(), plain(**clip), seed=0, device=CPU, step=slope(module, 5.0))
    assert module.weight.item() == pytest.approx(moved, rel=1e-5)


def test_the_module_ends_with_the_averaged_weights():
    module = one_weight()
    # weights after the steps: -1, -2, -3; the average starts at the first: -1, -1.25, -1.6875 with decay 0.75
    fit(module, OneBatch(3), plain(ema=0.75), seed=0, device=CPU, step=slope(module, 1.0))
    assert module.weight.item() == pytest.approx(-1.6875)


def test_the_average_covers_batchnorm_statistics():
    module = nn.Sequential(nn.BatchNorm1d(1, affine=False, momentum=1.0), one_weight())

    class Growing(OneBatch):
        def epoch(self, epoch, first=0):
            for value in (1.0, 2.0)[first:]:
                yield torch.full((4, 1), value), torch.zeros(4)

    def step(images, targets, number):
        module(images)
        return slope(module[1], 1.0)(images, targets, number)

    # running means after the two steps: 1, 2; averaged with decay 0.75: 1, 1.25
    fit(module, Growing(2), plain(ema=0.75), seed=0, device=CPU, step=step)
    assert module[0].running_mean.item() == pytest.approx(1.25)


def test_step_numbers_run_over_epochs_and_each_seeds_the_generator():
    module, drawn = one_weight(), []

    def step(images, targets, number):
        drawn.append((number, torch.rand(()).item()))
        return slope(module, 1.0)(images, targets, number)

    fit(module, OneBatch(2), plain(epochs=2), seed=0, device=CPU, step=step)
    fit(one_weight(), OneBatch(2), plain(epochs=2), seed=0, device=CPU, step=step)
    assert [number for number, _ in drawn[:4]] == [0, 1, 2, 3]
    assert drawn[:4] == drawn[4:]
    assert len({value for _, value in drawn}) == 4


def test_bf16_runs_the_forward_pass_in_half_the_bits():
    seen = []
    model = network()
    model[0].register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    recipe = RECIPE.model_copy(update={"precision": "bf16", "channels_last": True, "epochs": 1})
    train_classifier(model, FakeBatches(), recipe, seed=3, device=CPU)
    assert set(seen) == {torch.bfloat16}
    assert model[0].weight.dtype == torch.float32
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    module = one_weight(7.0)

    def step(images, targets, number):
        return slope(module, float("nan") if number == 5 else 1.0)(images, targets, number)

    with pytest.raises(TrainingError) as caught:
        fit(
            module,
            OneBatch(2),
            plain(epochs=4),
            seed=0,
            device=CPU,
            step=step,
            checkpoint=tmp_path / "checkpoint.pt",
            checkpoint_seconds=0,
        )
    assert str(caught.value) == (
        "training diverged: the loss became nan at step 5 (learning rate 1). The state is in checkpoint-diverged.pt "
        "beside the checkpoint. Lower optimizer.lr, lengthen warmup_epochs, or set clip_norm in the recipe."
    )
    assert isinstance(caught.value, BenchError)
    assert load_checkpoint(tmp_path / "checkpoint.pt")["epoch"] == 2
    # five updates of -1 from 7 were made, the sixth was not
    assert load_checkpoint(tmp_path / "checkpoint-diverged.pt")["model"]["weight"].item() == 2.0


def test_a_child_whose_loss_is_not_finite_stops_the_run():
    module = one_weight()

    def step(images, targets, number):
        return {**slope(module, 1.0)(images, targets, number), "loss_random": [1.0, math.inf][number]}

    with pytest.raises(TrainingError, match=r"the loss of random became inf at step 1 "):
        fit(module, OneBatch(2), plain(), seed=0, device=CPU, step=step)


def test_a_collapsed_run_is_stopped():
    module = one_weight()

    def step(images, targets, number):
        return {**slope(module, 0.0)(images, targets, number), "loss": [2.0, 1.0, 2.1, 2.2, 2.3][number]}

    with pytest.raises(TrainingError, match=r"collapsed to 2.3 by step 5"):
        fit(module, OneBatch(), plain(epochs=5), seed=0, device=CPU, step=step)


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ([2.3, 2.0, 1.5, 1.2], False),
        ([2.3, 1.2, 2.3, 2.3, 2.3], True),  # learnt, then forgot
        ([2.3, 1.2, 2.3, 2.3], False),  # two bad epochs may be chance
        ([2.3, 2.2, 2.3, 2.4, 2.3], False),  # never learnt anything: a result, not an accident
        ([2.3, 9.0, 9.0, 9.0], True),  # exploded
        ([0.05, 0.2, 0.2, 0.2], False),  # fine-tuning of a good network wobbles
    ],
)
def test_collapse_is_told_from_chance(losses, verdict):
    assert collapsed(losses) is verdict


def test_reports_must_keep_their_names():
    module = one_weight()

    def step(images, targets, number):
        return {**slope(module, 1.0)(images, targets, number), f"extra{number}": 1.0}

    with pytest.raises(ValueError, match="extra1"):
        fit(module, OneBatch(2), plain(), seed=0, device=CPU, step=step)
