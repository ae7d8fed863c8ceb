"""How patches are hidden, predicted and judged."""

from functools import cached_property, lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trionet_bench.networks.context import ContextNetwork, Decoder
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.randomness import derived_generator
from trionet_bench.spaces.choice import Architecture
from trionet_bench.tasks.context.task import ContextAutoRegression, PatchLayout
from trionet_bench.tasks.runner import WORST_LOSS, TaskRunner

_BLOCK = 1024  # images of an evaluated set whose orders are drawn together
_EPSILON = 1e-6  # added to the variance of a patch


class ContextRunner(TaskRunner[ContextAutoRegression]):
    """Outputs are predictions (B, S, P), targets the normalised patches themselves, in their order.

    Hidden pixels are 0 in what a network gets, so that no layer can see them.
    """

    @cached_property
    def layout(self) -> PatchLayout:
        """How images are cut."""
        return self.task.layout(self.resolution)

    def network(self, architecture: Architecture) -> Skeleton:
        """With its decoder."""
        encoder, layout, task = super().network(architecture), self.layout, self.task
        pixels = self.channels * layout.patch**2
        sizes = layout.patches, layout.ahead, pixels, task.width, task.layers, task.heads
        return ContextNetwork(encoder, self.channels, layout.side, Decoder(encoder.feature_axis, *sizes))

    def deployed(self, architecture: Architecture) -> Skeleton:
        """The encoder."""
        return super().network(architecture)

    def deployed_part(self, network: Skeleton) -> Skeleton:
        """The encoder."""
        assert isinstance(network, ContextNetwork)
        return network.encoder

    def views(self, images: Tensor, targets: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Orders and prefixes are drawn for each image, from the step."""
        drawn = derived_generator(self.seed, "context", step).random((len(images), self.layout.patches + 1))
        return self._hidden(images, drawn)

    def evaluation_views(self, images: Tensor, targets: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Orders and prefixes belong to the position, so that all networks solve the same tasks."""
        draws = [_drawn(self.seed, int(at) // _BLOCK, self.layout.patches + 1)[int(at) % _BLOCK] for at in positions]
        return self._hidden(images, np.stack(draws))

    def _hidden(self, images: Tensor, drawn: np.ndarray) -> tuple[Tensor, Tensor]:
        """What a network gets of images (B, C, R, R), and the next patches; ``drawn`` is uniform, (B, T + 1)."""
        layout = self.layout
        order = np.argsort(drawn[:, 1:], axis=1) if self.task.order == "random" else None
        rank = (
            np.argsort(order, axis=1)
            if order is not None
            else np.broadcast_to(np.arange(layout.patches), drawn[:, 1:].shape)
        )
        least, most = layout.prefix
        prefix = least + (drawn[:, :1] * (most - least + 1)).astype(np.int64)  # (B, 1)
        signed = np.where(rank < prefix, rank + 1, -rank - 1).astype(np.float32)
        places = np.argsort(rank, axis=1)
        following = np.take_along_axis(places, prefix + np.arange(layout.ahead), axis=1)  # (B, S)

        code = torch.from_numpy(signed).to(images.device).view(-1, 1, layout.side, layout.side)
        code = code.repeat_interleave(layout.patch, 2).repeat_interleave(layout.patch, 3)  # (B, 1, R, R)
        patches = F.pixel_unshuffle(images, layout.patch).flatten(2).transpose(1, 2)  # (B, T, P)
        index = torch.from_numpy(following).to(images.device)[:, :, None].expand(-1, -1, patches.shape[2])
        wanted = patches.gather(1, index)  # (B, S, P)
        variance, mean = torch.var_mean(wanted, dim=2, correction=0, keepdim=True)
        return torch.cat([images.masked_fill(code < 0, 0), code], dim=1), (wanted - mean) * (
            variance + _EPSILON
        ).rsqrt()

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As the task says, mean over patches."""
        if self.task.loss == "pixels":
            return F.mse_loss(outputs, targets)
        scores = outputs.flatten(0, 1) @ targets.flatten(0, 1).T / targets.shape[2] ** 0.5  # (B S, B S)
        return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device))

    def distillation_loss(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Squared difference of the predictions."""
        return F.mse_loss(outputs, teacher)

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Of each image (B,): ``mse``, ``WORST_LOSS`` where a prediction is not finite, and the share ``matched``."""
        error = (outputs - targets).square().mean(dim=(1, 2))
        if self.task.loss == "pixels":
            scores = -torch.cdist(outputs.nan_to_num(), targets)  # (B, S, S)
        else:
            scores = torch.bmm(outputs.nan_to_num(), targets.transpose(1, 2))
        right = scores.argmax(dim=2) == torch.arange(scores.shape[1], device=scores.device)
        return {"mse": error.where(error.isfinite(), WORST_LOSS), "matched": right.float().mean(dim=1)}


@lru_cache(maxsize=64)
def _drawn(seed: int, block: int, count: int) -> np.ndarray:
    """Uniform numbers (``_BLOCK``, count) for a block of an evaluated set."""
    return derived_generator(seed, "context of evaluation", block).random((_BLOCK, count))
