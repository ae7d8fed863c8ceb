"""What is noted of a set of images: every image exactly once, however many processes take part."""

from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from trionet_bench.errors import TrainingError
from trionet_bench.training import distributed

Network = Callable[[Tensor], Tensor]
Judge = Callable[[Tensor, Tensor, Tensor], Mapping[str, Tensor]]

_POSITIONS = "position in the set"


class EvaluationBatches(Protocol):
    """This rank's share of ``images``, each once: no padding, nothing dropped."""

    @property
    def images(self) -> Sized:
        """The set over all ranks."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Images (B, C, H, W), labels (B,) and positions in the set (B,)."""


def collect(network: Network, batches: EvaluationBatches, device: torch.device, judge: Judge) -> dict[str, np.ndarray]:
    """Columns (N, ...) in the order of the set, the same on all ranks.

    Args:
        network: a module, which is in evaluation mode meanwhile, or any function.
        judge: from images (B, C, H, W), labels (B,) and positions (B,) on the device to columns (B, ...) by name, the
            same names for every batch.

    Raises:
        TrainingError: unless every image of the set was seen exactly once.
    """
    expected = len(batches.images)
    if not expected:
        raise TrainingError("there is nothing to evaluate: the set has no images.")
    seen: list[dict[str, Tensor]] = []
    # not inference_mode: what a network caches during it could not be used in training afterwards
    with torch.no_grad(), _evaluation_mode(network):
        for images, labels, positions in batches:
            batch = judge(images.to(device), labels.to(device), positions)
            seen.append({_POSITIONS: positions, **{name: column.cpu() for name, column in batch.items()}})
    of_this_rank = {name: torch.cat([columns[name] for columns in seen]).numpy() for name in (seen[0] if seen else ())}
    shares = [share for share in distributed.gathered(of_this_rank) if share]
    joined = {name: np.concatenate([share[name] for share in shares]) for name in shares[0]}
    places = joined.pop(_POSITIONS)
    if not np.array_equal(np.sort(places), np.arange(expected)):
        raise TrainingError(
            f"evaluation saw {len(places)} images ({len(np.unique(places))} different ones), but the set has "
            f"{expected}: the shares of the processes do not add up to the set."
        )
    order = np.argsort(places)
    return {name: column[order] for name, column in joined.items()}


@contextmanager
def _evaluation_mode(network: Network) -> Iterator[None]:
    """Puts a module in evaluation mode, and back afterwards."""
    if not isinstance(network, nn.Module) or not network.training:
        yield
        return
    network.eval()
    try:
        yield
    finally:
        network.train()
