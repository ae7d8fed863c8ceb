"""What a training run carries along: weights, their average, the optimizer, and the means that it reports."""

import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
_FIELDS = ("identity", "step", "rows", "part", "statistics", "model", "average", "optimizer")


@dataclass
class EpochPart:
    """The part of an epoch that is done: steps, images of all ranks, seconds, and the sums that a ``Meter`` has."""

    steps: int = 0
    images: int = 0
    seconds: float = 0.0
    names: Sequence[str] = ()
    totals: Sequence[float] = ()


class State:
    """All that a checkpoint holds.

    Args:
        run: plain values that, with module and recipe, identify the run.
        checkpoint: where to save; None does not.
        seconds: between two checkpoints.
    """

    def __init__(
        self,
        module: nn.Module,
        recipe: Recipe,
        run: Mapping[str, Any],
        checkpoint: Path | None,
        seconds: float = 60.0,
    ) -> None:
        self.module = module
        self.recipe = recipe
        self.run = run
        self.checkpoint = checkpoint
        self.seconds = seconds
        self.saved = time.monotonic()
        self.part = EpochPart()  # of the epoch that restore found begun
        shapes = [(name, list(value.shape), str(value.dtype)) for name, value in module.state_dict().items()]
        self.identity = {
            **run,
            "recipe": digest(recipe.key_fields(without=("search",))),
            "module": digest(shapes),
        }
        self.optimizer = build_optimizer(module, recipe)
        self.rows: list[JsonObject] = []
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

    @property
    def due(self) -> bool:
        """Whether it is time for another checkpoint, as the first rank sees it; False on the others."""
        return self.checkpoint is not None and distributed.rank() == 0 and time.monotonic() - self.saved >= self.seconds

    def save(self, path: Path | None = None) -> None:
        """Writes the checkpoint of a finished epoch, or the same to another ``path``."""
        self._save(path or self.checkpoint, EpochPart(), None)

    def save_part(self, part: EpochPart) -> None:
        """Writes the checkpoint of an epoch that is not finished; all ranks take part, with statistics of their own."""
        self._save(self.checkpoint, part, distributed.gathered(self._statistics()) if distributed.world() > 1 else None)

    def _save(self, path: Path | None, part: EpochPart, statistics: list[list[Tensor]] | None) -> None:
        if path is None or distributed.rank() != 0:
            return
        save_checkpoint(
            path,
            {
                "identity": self.identity,
                "epoch": len(self.rows),
                "step": len(self.rows) * self.run["steps"] + part.steps,
                "rows": self.rows,
                "part": asdict(part),
                "statistics": statistics,
                "model": self.module.state_dict(),
                "average": self.average.state_dict() if self.average is not None else None,
                "optimizer": self.optimizer.state_dict(),
            },
        )
        self.saved = time.monotonic()

    def restore(self) -> int:
        """Continue from the last good checkpoint if it is of this run; returns the number of epochs done, equal on all
        ranks. Where the next epoch was begun, ``part`` says how much of it is done.

        Another number of ranks or another device goes on from the same checkpoint. Within an epoch each rank has batch
        statistics of its own; other ranks than those that left them take their mean.
        """
        saved = None
        if self.checkpoint is not None:
            if distributed.rank() == 0:  # it sets damaged ones aside before others look
                saved = latest_checkpoint(self.checkpoint, _FIELDS)
            distributed.gathered(None)
            if distributed.rank() != 0:
                saved = latest_checkpoint(self.checkpoint, _FIELDS)
            if saved is not None and saved["identity"] != self.identity:
                _log.warning(
                    "%s is of another run: recipe, seed, data or network differ; starting over.", self.checkpoint
                )
                saved = None
        if len(set(distributed.gathered(saved is None or saved["step"]))) > 1:
            raise TrainingError(
                f"{self.checkpoint} is not the same for all processes; put it on a disk that they share."
            )
        if saved is not None:
            self.module.load_state_dict(saved["model"])
            self.optimizer.load_state_dict(saved["optimizer"])
            self.rows = saved["rows"]
            self.part = EpochPart(**saved["part"])
            if self.average is not None:
                self.average.load_state_dict(saved["average"])
            if saved["statistics"] is not None:
                self._take_statistics(saved["statistics"])
        return len(self.rows)

    def _statistics(self) -> list[Tensor]:
        """Copies of what each rank counts for itself within an epoch."""
        return [buffer.detach().cpu().clone() for buffer in self._own_buffers()]

    def _take_statistics(self, by_rank: list[list[Tensor]]) -> None:
        for number, buffer in enumerate(self._own_buffers()):
            values = [statistics[number] for statistics in by_rank]
            same_ranks = len(by_rank) == distributed.world()
            buffer.copy_(values[distributed.rank()] if same_ranks else torch.stack(values).mean(0))

    def _own_buffers(self) -> list[Tensor]:
        modules = [self.module] if self.average is None else [self.module, self.average]
        return [buffer for module in modules for buffer in module.buffers() if buffer.is_floating_point()]

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

    def __init__(self, device: torch.device, part: EpochPart) -> None:
        self.device = device
        self.window = 1 if device.type == "cpu" else 20
        self.waiting: list[tuple[int, Tensor]] = []
        self.names, self.totals, self.steps = list(part.names), list(part.totals), part.steps
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

    def flush(self) -> tuple[int, str, float] | None:
        """Adds what waits to the totals; returns the first (step, name, value) that is not finite: the loss, or that of
        some children of a supernet.
        """
        numbers = [number for number, _ in self.waiting]
        rows = distributed.summed(torch.stack([row for _, row in self.waiting])).tolist()
        self.waiting.clear()
        for number, row in zip(numbers, rows, strict=True):
            for name, value in zip(self.names, row, strict=True):
                if name.startswith("loss") and not math.isfinite(value):
                    return number, name, value
            self.totals = [total + value for total, value in zip(self.totals, row, strict=True)]
            self.steps += 1
            self.latest = row[self.names.index("loss")]
        return None

    def means(self) -> dict[str, float]:
        return {f"train_{name}": total / self.steps for name, total in zip(self.names, self.totals, strict=True)}
