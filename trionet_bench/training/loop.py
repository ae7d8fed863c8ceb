"""The training loop of networks, supernets and their children.

A run can be stopped at any time and continued. On a CPU the continued run equals an uninterrupted one to the bit, since
learning rate, randomness and the order of images are functions of the step, and the rest is in the checkpoint.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypedDict, runtime_checkable

import torch
from torch import Tensor, nn

from trionet_bench.randomness import derived_seed
from trionet_bench.training import distributed
from trionet_bench.training.history import HistoryRow, append_row, restart_phase
from trionet_bench.training.optimizer import learning_rate
from trionet_bench.training.recipe import Recipe
from trionet_bench.training.state import EpochPart, Meter, State

Step = Callable[[Tensor, Tensor, int], Mapping[str, Tensor | float]]
ProgressCall = Callable[[int, int, str], None]
EpochEnd = Callable[[int, HistoryRow], HistoryRow | None]


class Batches(Protocol):
    """Training batches. What an epoch yields depends on its number only."""

    def __len__(self) -> int:
        """Steps per epoch."""

    def epoch(self, epoch: int, first: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, C, H, W) with targets: class numbers (B,) or probabilities (B, classes); this rank's share.

        The first ``first`` batches are left out.
        """


class FitFiles(TypedDict, total=False):
    """Where ``fit`` keeps what it does, and where it reports its progress; explained there."""

    checkpoint: Path | None
    checkpoint_seconds: float
    history: Path | None
    progress: ProgressCall | None


class FitOptions(FitFiles, total=False):
    """All optional arguments of ``fit``; explained there."""

    epochs: int | None
    on_epoch_end: EpochEnd | None
    phase: str


def fit(
    module: nn.Module,
    batches: Batches,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    step: Step,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    history: Path | None = None,
    progress: ProgressCall | None = None,
    on_epoch_end: EpochEnd | None = None,
    phase: str = "retrain",
    checkpoint_seconds: float = 60.0,
) -> list[HistoryRow]:
    """Train ``module`` in place and return one row per epoch, as they stand in the history file.

    With an EMA in the recipe the module ends with the averaged weights.

    Args:
        epochs: replaces that of the recipe.
        step: called with (images, targets, step number); does forward and backward, the forward inside
            ``device.autocast(device, recipe.precision)``; returns what to report, under constant names, one "loss".
        checkpoint: continued from if it is of the same run, written about every ``checkpoint_seconds``, also within an
            epoch, and at the end.
        progress: called with (steps done, all steps, text).
        on_epoch_end: called with (epochs done, row); what it returns is added to the row.
        phase: name of the run in the history file.
    """
    epochs = recipe.epochs if epochs is None else epochs
    module.to(device)
    layout = memory_format(module, recipe, device)
    module.to(memory_format=layout)
    distributed.share_weights(module)
    run = {"phase": phase, "seed": seed, "epochs": epochs, "steps": len(batches)}
    state = State(module, recipe, run, checkpoint, checkpoint_seconds)
    first = state.restore()
    chief = distributed.rank() == 0
    if history and chief:
        restart_phase(history, phase, state.rows)
    for epoch in range(first, epochs):
        row: HistoryRow = {"phase": phase} | _train_epoch(state, batches, epoch, step, device, layout, progress)
        row |= (on_epoch_end(epoch + 1, dict(row)) if on_epoch_end else None) or {}
        state.rows.append(row)
        if history and chief:
            append_row(history, row)
        if collapsed([row["train_loss"] for row in state.rows]):
            raise state.diverged(f"the loss collapsed to {row['train_loss']:.3g} by step {row['step']}", row["lr"])
        if state.due or epoch + 1 == epochs:
            state.save()
    if state.average is not None:
        module.load_state_dict(state.average.module.state_dict())
    return state.rows


def _train_epoch(
    state: State,
    batches: Batches,
    epoch: int,
    step: Step,
    device: torch.device,
    layout: torch.memory_format,
    progress: ProgressCall | None,
) -> HistoryRow:
    """One pass over the batches, or the rest of one that was interrupted; the epoch's row."""
    part, state.part = state.part, EpochPart()
    began = time.monotonic() - part.seconds
    epochs, steps, seed = state.run["epochs"], state.run["steps"], state.run["seed"]
    state.module.train()
    meter = Meter(device, part)
    images_seen = part.images
    for number, (images, targets) in enumerate(batches.epoch(epoch, part.steps), start=epoch * steps + part.steps):
        torch.manual_seed(derived_seed(seed, "step", number, distributed.rank()))
        lr = learning_rate(state.recipe, number, steps, epochs)
        together, due = distributed.totals([len(images), int(state.due)], device)
        share = len(images) / together
        images_seen += together
        state.optimizer.zero_grad(set_to_none=True)
        values = step(images.to(device, memory_format=layout), targets.to(device), number)
        meter.add(values, share, number)
        last = number + 1 == (epoch + 1) * steps
        if meter.due() or last or due:
            bad = meter.flush()
            if bad is not None:
                raise state.diverged(f"the {bad[1].replace('_', ' of ')} became {bad[2]} at step {bad[0]}", lr)
            if progress:
                progress(number + 1, epochs * steps, f"epoch {epoch + 1}/{epochs}, loss {meter.latest:.3f}")
        distributed.average_gradients(state.module, share)
        state.update(lr)
        if due and not last:
            seconds = time.monotonic() - began
            state.save_part(EpochPart(meter.steps, images_seen, seconds, meter.names, meter.totals))
    state.agree()
    seconds = time.monotonic() - began
    pace = {"seconds": round(seconds, 3), "images_per_s": round(images_seen / max(seconds, 1e-9), 1)}
    return {"epoch": epoch + 1, "step": (epoch + 1) * steps, "lr": lr} | meter.means() | pace


@runtime_checkable
class _KnowsFormat(Protocol):
    """A network that knows in which format its steps are faster."""

    def faster_channels_last(self, device: torch.device) -> bool: ...


def memory_format(module: nn.Module, recipe: Recipe, device: torch.device) -> torch.memory_format:
    """Channels-last where the recipe says so, or says nothing and ``module.faster_channels_last(device)``."""
    wanted = recipe.channels_last
    if wanted is None:
        wanted = isinstance(module, _KnowsFormat) and module.faster_channels_last(device)
    return torch.channels_last if wanted else torch.preserve_format


def collapsed(losses: Sequence[float]) -> bool:
    """Whether the mean losses of the epochs so far show a network that lost what it had learnt.

    So it is when the last three epochs are each no better than the first, though one between them had come below 0.7 of
    it; or when they are each above twice the first. A first loss below 1, as in fine-tuning, counts as 1.
    """
    if len(losses) < 4:
        return False
    start = max(losses[0], 1.0)
    last = min(losses[-3:])
    return last > 2 * start or (last >= start and min(losses) < 0.7 * start)
