"""What a training run carries along: weights, their average, the optimizer, and the means that it reports."""

import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypedDict

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from trionet_bench.errors import TrainingError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.store import digest
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import beside, latest_checkpoint, save_checkpoint
from trionet_bench.training.optimizer import build_optimizer, set_learning_rate
from trionet_bench.training.recipe import Recipe

_log = logging.getLogger(__name__)
_FIELDS = ("identity", "rows", "partial", "model", "average", "optimizer")


class Partial(TypedDict):
    """An epoch that was left in its middle: steps done, images seen, seconds, and what ``Meter`` had counted."""

    steps: int
    images: int
    seconds: float
    names: list[str]
    totals: list[float]
    counted: int


class State:
    """All that a checkpoint holds.

    Args:
        run: plain values that, with module and recipe, identify the run.
        checkpoint: where to save; None does not.
        every: seconds between two checkpoints.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        run: Mapping[str, Any],
        checkpoint: Path | None,
        every: float = 60.0,
    ) -> None:
        self.module = module
        self.recipe = recipe
        self.run = run
        self.checkpoint = checkpoint
        shapes = [(name, list(value.shape), str(value.dtype)) for name, value in module.state_dict().items()]
        self.identity = {
            **run,
            "recipe": digest(recipe.key_fields(without=("search",))),
            "module": digest(shapes),
        }
        self.optimizer = build_optimizer(module, recipe)
        self.every = every
        self.saved = time.monotonic()
        self.rows: list[JsonObject] = []
        self.partial: Partial | None = None
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

    def agree(self) -> None:
        """Average over the ranks what each counts for itself: batch-norm statistics."""
        distributed.average_buffers(self.module)
        if self.average is not None:
            distributed.average_buffers(self.average)

    def due(self) -> bool:
        """Whether the last checkpoint is old enough for the next."""
        return self.checkpoint is not None and time.monotonic() - self.saved >= self.every

    def save(self, path: Path | None = None) -> None:
        """Writes the checkpoint, or the same to another ``path``."""
        self.saved = time.monotonic()
        path = path or self.checkpoint
        if path is None or distributed.rank() != 0:
            return
        save_checkpoint(
            path,
            {
                "identity": self.identity,
                "epoch": len(self.rows),
                "step": len(self.rows) * self.run["steps"],
                "rows": self.rows,
                "partial": self.partial,
                "model": self.module.state_dict(),
                "average": self.average.state_dict() if self.average is not None else None,
                "optimizer": self.optimizer.state_dict(),
            },
        )

    def restore(self) -> int:
        """Continue from the last good checkpoint if it is of this run; returns the number of epochs done, equal on all
        ranks. ``partial`` says how much of the next one is done.
        """
        saved = None
        if self.checkpoint is not None:
            saved = latest_checkpoint(self.checkpoint, _FIELDS)
            if saved is not None and saved["identity"] != self.identity:
                _log.warning(
                    "%s is of another run: recipe, seed, data or network differ; starting over.", self.checkpoint
                )
                saved = None
        if len(set(distributed.gathered(saved is None or saved["epoch"]))) > 1:
            raise TrainingError(
                f"{self.checkpoint} is not the same for all processes; put it on a disk that they share."
            )
        if saved is not None:
            self.module.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.rows, self.partial = saved["rows"], saved["partial"]
            if self.average is not None:
                self.average.load_state_dict(saved["average"])
        return len(self.rows)

    def diverged(self, what: str, lr: float) -> TrainingError:
        """The error to raise, after the state was saved for inspection; the last good checkpoint stays."""
        kept = ""
        if self.checkpoint is not None:
            path = beside(self.checkpoint, "diverged")
            self.save(path)
            kept = f" The state is in {path.name} beside the checkpoint."
        return TrainingError(
            f"training diverged: {what} (learning rate {lr:.3g}).{kept} "
            "Lower optimizer.lr, lengthen warmup_epochs, or set clip_norm in the recipe."
        )


class Meter:
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

    def so_far(self, steps: int, images: int, seconds: float) -> Partial:
        """What must be kept of an epoch that is left after so many steps; nothing may wait."""
        return Partial(
            steps=steps, images=images, seconds=seconds, names=self.names, totals=self.totals, counted=self.steps
        )

    def go_on(self, partial: Partial) -> None:
        """Take up what ``so_far`` kept."""
        self.names, self.totals, self.steps = partial["names"], partial["totals"], partial["counted"]

    def means(self) -> dict[str, float]:
        return {f"train_{name}": total / self.steps for name, total in zip(self.names, self.totals, strict=True)}
