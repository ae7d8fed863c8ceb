"""The training loop that everything trained here goes through: networks, supernets, found children.

A run can be stopped at any time and continued. On a CPU the continued run equals an uninterrupted one to the bit, since
learning rate, randomness and the order of images are functions of the step, and the rest is in the checkpoint.
"""

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trionet_bench.errors import TrainingError
from trionet_bench.randomness import derived_seed
from trionet_bench.records.store import digest
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import load_checkpoint, save_checkpoint
from trionet_bench.training.device import autocast
from trionet_bench.training.history import append_row, restart_phase
from trionet_bench.training.optimizer import build_optimizer, learning_rate, set_learning_rate
from trionet_bench.training.recipe import Recipe

Step = Callable[[Tensor, Tensor, int], Mapping[str, Tensor | float]]
ProgressCall = Callable[[int, int, str], None]
EpochEnd = Callable[[int, dict[str, Any]], Mapping[str, Any] | None]

_log = logging.getLogger(__name__)


class Batches(Protocol):
    """Training batches. What an epoch yields depends on its number only."""

    def __len__(self) -> int:
        """Steps per epoch."""

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (B, C, H, W) with targets: class numbers (B,) or probabilities (B, classes); this rank's share."""


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
    key: str = "",
    checkpoint_seconds: float = 60.0,
) -> list[dict[str, Any]]:
    """Trains ``module`` in place and returns one row per epoch, as they stand in the history file.

    With an EMA in the recipe the module ends with the averaged weights.

    Args:
        epochs: instead of the recipe's.
        step: called with (images, targets, step number); does forward and backward, the forward inside
            ``device.autocast(device, recipe.precision)``; returns what to report, under constant names, one "loss".
        checkpoint: taken up if it is of this very run, written about every ``checkpoint_seconds`` and at the end.
        progress: called with (steps done, all steps, text).
        on_epoch_end: called with (epochs done, row); what it returns is added to the row.
        phase: name of the run in the history file.
        key: anything else that tells this run from another, such as the cell's key.
    """
    epochs = recipe.epochs if epochs is None else epochs
    layout = torch.channels_last if recipe.channels_last else torch.preserve_format
    module.to(device)
    if recipe.channels_last:
        module.to(memory_format=torch.channels_last)
    state = _State(module, recipe, {**_identity(module, recipe), "steps": len(batches), "epochs": epochs, "seed": seed})
    state.identity |= {"phase": phase, "key": key}
    first = state.restore(checkpoint) if checkpoint else 0
    chief = distributed.rank() == 0
    if history and chief:
        restart_phase(history, phase, state.rows)
    saved = time.monotonic()
    for epoch in range(first, epochs):
        began = time.monotonic()
        module.train()
        meter = _Meter(device)
        images_seen = 0
        for number, (images, targets) in enumerate(batches.epoch(epoch), start=epoch * len(batches)):
            torch.manual_seed(derived_seed(seed, "step", number, distributed.rank()))
            lr = learning_rate(recipe, number, len(batches), epochs)
            images = images.to(device, memory_format=layout)
            together = distributed.total(len(images), device)
            share = len(images) / together
            images_seen += together
            state.optimizer.zero_grad(set_to_none=True)
            meter.add(step(images, targets.to(device), number), share, number)
            if meter.due() or number + 1 == (epoch + 1) * len(batches):
                bad = meter.flush()
                if bad is not None:
                    raise state.diverged(f"the loss became {bad[1]} at step {bad[0]}", lr, checkpoint)
                if progress:
                    progress(number + 1, epochs * len(batches), f"epoch {epoch + 1}/{epochs}, loss {meter.latest:.3f}")
            distributed.average_gradients(module, share)
            state.update(lr)
        distributed.average_buffers(module)
        seconds = time.monotonic() - began
        row: dict[str, Any] = {"phase": phase, "epoch": epoch + 1, "step": (epoch + 1) * len(batches), "lr": lr}
        row |= meter.means()
        row |= {"seconds": round(seconds, 3), "images_per_s": round(images_seen / max(seconds, 1e-9), 1)}
        row |= (on_epoch_end(epoch + 1, dict(row)) if on_epoch_end else None) or {}
        state.rows.append(row)
        if history and chief:
            append_row(history, row)
        if collapsed([row["train_loss"] for row in state.rows]):
            raise state.diverged(f"the loss collapsed to {row['train_loss']:.3g} by step {row['step']}", lr, checkpoint)
        if checkpoint and (time.monotonic() - saved >= checkpoint_seconds or epoch + 1 == epochs):
            state.save(checkpoint, epoch + 1)
            saved = time.monotonic()
    if state.average is not None:
        module.load_state_dict(state.average.module.state_dict())
    return state.rows


def train_classifier(
    network: nn.Module,
    batches: Batches,
    recipe: Recipe,
    *,
    seed: int,
    device: torch.device,
    epochs: int | None = None,
    checkpoint: Path | None = None,
    history: Path | None = None,
    progress: ProgressCall | None = None,
    on_epoch_end: EpochEnd | None = None,
    phase: str = "retrain",
    key: str = "",
) -> list[dict[str, Any]]:
    """Trains a classifier by cross entropy with the recipe's label smoothing; the rest is as in ``fit``."""

    def step(images: Tensor, targets: Tensor, number: int) -> dict[str, Tensor]:
        with autocast(device, recipe.precision):
            logits = network(images)
        logits = logits.float()
        loss = F.cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
        loss.backward()
        labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
        return {"loss": loss.detach(), "top1": (logits.detach().argmax(dim=1) == labels).float().mean()}

    return fit(
        network,
        batches,
        recipe,
        seed=seed,
        device=device,
        step=step,
        epochs=epochs,
        checkpoint=checkpoint,
        history=history,
        progress=progress,
        on_epoch_end=on_epoch_end,
        phase=phase,
        key=key,
    )


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


class _State:
    """All that a checkpoint holds."""

    def __init__(self, module: nn.Module, recipe: Recipe, identity: dict[str, Any]) -> None:
        self.module = module
        self.recipe = recipe
        self.identity = identity
        self.optimizer = build_optimizer(module, recipe)
        self.rows: list[dict[str, Any]] = []
        self.average: AveragedModel | None = None
        if recipe.ema is not None:
            self.average = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema), use_buffers=True)

    def update(self, lr: float) -> None:
        """One optimizer step from the gradients that stand."""
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.recipe.clip_norm)
        if self.recipe.clip_value is not None:
            nn.utils.clip_grad_value_(self.module.parameters(), self.recipe.clip_value)
        set_learning_rate(self.optimizer, lr)
        self.optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.module)

    def save(self, path: Path, epoch: int) -> None:
        if distributed.rank() == 0:
            save_checkpoint(
                path,
                {
                    "identity": self.identity,
                    "epoch": epoch,
                    "step": epoch * self.identity["steps"],
                    "rows": self.rows,
                    "model": self.module.state_dict(),
                    "average": self.average.state_dict() if self.average is not None else None,
                    "optimizer": self.optimizer.state_dict(),
                },
            )

    def restore(self, path: Path) -> int:
        """Takes up ``path`` if it is of this run; returns the epochs done, equal on all ranks."""
        found = load_checkpoint(path) if path.exists() else None
        if found is not None and found["identity"] != self.identity:
            _log.warning("%s is of another run (recipe, seed, data or network differ); starting over.", path)
            found = None
        epochs_done = found["epoch"] if found is not None else 0
        if len(set(distributed.gathered(epochs_done))) > 1:
            raise TrainingError(f"{path} is not the same file for all processes; put it on a disk that they share.")
        if found is not None:
            self.module.load_state_dict(found["model"])
            self.optimizer.load_state_dict(found["optimizer"])
            self.rows = found["rows"]
            if self.average is not None:
                self.average.load_state_dict(found["average"])
        return epochs_done

    def diverged(self, what: str, lr: float, checkpoint: Path | None) -> TrainingError:
        """The error to raise, after the state was saved for inspection; the last good checkpoint stays."""
        kept = ""
        if checkpoint is not None:
            path = checkpoint.with_name(f"{checkpoint.stem}-diverged{checkpoint.suffix}")
            self.save(path, len(self.rows))
            kept = f" The state is in {path.name} beside the checkpoint."
        return TrainingError(
            f"training diverged: {what} (learning rate {lr:.3g}).{kept} "
            "Lower optimizer.lr, lengthen warmup_epochs, or set clip_norm in the recipe."
        )


class _Meter:
    """Means of what the steps report. On a GPU, values are fetched every 20 steps, so that it does not wait in each."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.window = 1 if device.type == "cpu" else 20
        self.waiting: list[tuple[int, Tensor]] = []
        self.names: list[str] = []
        self.totals: list[float] = []
        self.steps = 0
        self.latest = math.nan

    def add(self, values: Mapping[str, Tensor | float], share: float, number: int) -> None:
        if not self.names:
            self.names, self.totals = list(values), [0.0] * len(values)
        if list(values) != self.names:
            raise ValueError(f"a step reported {list(values)}, an earlier one {self.names}")
        row = [torch.as_tensor(value, dtype=torch.float32, device=self.device) for value in values.values()]
        self.waiting.append((number, torch.stack(row).detach() * share))

    def due(self) -> bool:
        return len(self.waiting) >= self.window

    def flush(self) -> tuple[int, float] | None:
        """Adds what waits to the totals; returns the first (step, loss) that is not finite."""
        numbers = [number for number, _ in self.waiting]
        rows = distributed.summed(torch.stack([row for _, row in self.waiting])).tolist()
        self.waiting.clear()
        for number, row in zip(numbers, rows, strict=True):
            loss = row[self.names.index("loss")]
            if not math.isfinite(loss):
                return number, loss
            self.totals = [total + value for total, value in zip(self.totals, row, strict=True)]
            self.steps += 1
            self.latest = loss
        return None

    def means(self) -> dict[str, float]:
        return {f"train_{name}": total / self.steps for name, total in zip(self.names, self.totals, strict=True)}


def _identity(module: nn.Module, recipe: Recipe) -> dict[str, Any]:
    """What tells whether a checkpoint belongs to this module and recipe."""
    shapes = [(name, list(value.shape), str(value.dtype)) for name, value in module.state_dict().items()]
    return {"recipe": digest(recipe.key_fields(without=("search",))), "module": digest(shapes)}
