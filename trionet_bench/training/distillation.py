"""Losses against a teacher."""

import torch.nn.functional as F
from torch import Tensor


def soft_cross_entropy(logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Cross entropy to the teacher's distribution, both softened by ``temperature``; mean over the batch.

    Hinton et al. 2015, "Distilling the Knowledge in a Neural Network" (arXiv 1503.02531): times temperature squared, so
    that the gradient's size does not depend on it. No gradient reaches the teacher.

    Args:
        logits, teacher_logits: (B, classes).
    """
    target = F.softmax(teacher_logits.detach() / temperature, dim=-1)
    return -(target * F.log_softmax(logits / temperature, dim=-1)).sum(dim=-1).mean() * temperature**2
