"""Accuracy over a set of images: every image exactly once, however many processes take part."""

from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from trionet_bench.errors import TrainingError
from trionet_bench.training import distributed
from trionet_bench.training.device import autocast


class EvaluationBatches(Protocol):
    """This rank's share of ``images``, each once: no padding, nothing dropped."""

    @property
    def images(self) -> Sized:
        """The whole set, over all ranks."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Images (B, C, H, W), labels (B,) and positions in the set (B,)."""


@dataclass(frozen=True)
class Evaluation:
    """Accuracy as fractions, and what was said of each image, in the order of the set.

    ``top5_correct`` is whether the label is among the five (or all, if fewer) most probable classes; ``confidence`` is
    the probability of the predicted class. An image whose logits are not finite counts as wrong, with prediction -1.
    """

    top1: float
    top5: float
    n: int
    labels: np.ndarray  # int32 (n,)
    predictions: np.ndarray  # int32 (n,)
    top5_correct: np.ndarray  # bool (n,)
    confidence: np.ndarray  # float16 (n,)

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns of ``predictions.npz``."""
        return {
            "labels": self.labels,
            "predictions": self.predictions,
            "top5_correct": self.top5_correct,
            "confidence": self.confidence,
        }


def evaluate(
    network: Callable[[Tensor], Tensor],
    batches: EvaluationBatches,
    device: torch.device,
    precision: Literal["float32", "bf16"] = "float32",
) -> Evaluation:
    """Evaluates ``network``, a module (in evaluation mode meanwhile) or any function from images to logits.

    All ranks return the result over all images. TrainingError unless every image of the set was seen exactly once.
    """
    expected = len(batches.images)
    if not expected:
        raise TrainingError("there is nothing to evaluate: the set has no images.")
    columns: list[tuple[Tensor, ...]] = []
    # not inference_mode: what a network caches during it could not be used in training afterwards
    with torch.no_grad(), _evaluation_mode(network):
        for images, answers, places in batches:
            with autocast(device, precision):
                logits = network(images.to(device))
            columns.append((places, *(column.cpu() for column in _judged(logits.float(), answers.to(device)))))
    own = [torch.cat(column).numpy() for column in zip(*columns, strict=True)]
    shares = [share for share in distributed.gathered(own) if share]
    positions, labels, predictions, top5_correct, confidence = (np.concatenate(c) for c in zip(*shares, strict=True))
    if not np.array_equal(np.sort(positions), np.arange(expected)):
        raise TrainingError(
            f"evaluation saw {len(positions)} images ({len(np.unique(positions))} different ones), but the set has "
            f"{expected}: the shares of the processes do not add up to the set."
        )
    order = np.argsort(positions)
    return Evaluation(
        top1=float((predictions == labels).mean()),
        top5=float(top5_correct.mean()),
        n=len(positions),
        labels=labels[order].astype(np.int32),
        predictions=predictions[order].astype(np.int32),
        top5_correct=top5_correct[order],
        confidence=confidence[order].astype(np.float16),
    )


def _judged(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Labels, predictions, whether the label is among the top five, confidence; (B,) each, from logits (B, classes)."""
    finite = logits.isfinite().all(dim=1)
    confidence, predictions = logits.nan_to_num().softmax(dim=1).max(dim=1)
    best = logits.nan_to_num().topk(min(5, logits.shape[1]), dim=1).indices  # (B, 5)
    among = (best == labels[:, None]).any(dim=1)
    return labels, predictions.where(finite, -1), among & finite, confidence.where(finite, 0.0)


@contextmanager
def _evaluation_mode(network: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Puts a module in evaluation mode, and back afterwards."""
    if not isinstance(network, nn.Module) or not network.training:
        yield
        return
    network.eval()
    try:
        yield
    finally:
        network.train()
