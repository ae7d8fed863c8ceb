"""How a classifier trains and is evaluated."""

import torch
import torch.nn.functional as F
from torch import Tensor

from trionet_bench.tasks.classification.task import Classification
from trionet_bench.tasks.runner import TaskRunner


class ClassificationRunner(TaskRunner[Classification]):
    """Outputs are logits (B, classes); targets class numbers (B,) or, after mixing, shares of classes (B, classes)."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy with the recipe's label smoothing, mean over the batch."""
        return F.cross_entropy(outputs, targets, label_smoothing=self.recipe.label_smoothing)

    def training_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Top-1 of the batch, where mixed images count by their larger share."""
        labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
        return {"top1": (outputs.argmax(dim=1) == labels).float().mean()}

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """The columns of ``predictions.npz``, (B,) each.

        ``top5_correct`` is whether the label is among the five (or all, if fewer) most probable classes, ``confidence``
        the probability of the predicted class. An image whose logits are not finite counts as wrong, prediction -1.
        """
        finite = outputs.isfinite().all(dim=1)
        logits = outputs.nan_to_num()
        confidence, predictions = logits.softmax(dim=1).max(dim=1)
        best = logits.topk(min(5, logits.shape[1]), dim=1).indices  # (B, 5)
        among_best = (best == targets[:, None]).any(dim=1)
        return {
            "labels": targets.to(torch.int32),
            "predictions": predictions.where(finite, -1).to(torch.int32),
            "top5_correct": among_best & finite,
            "confidence": confidence.where(finite, 0.0).to(torch.float16),
        }
