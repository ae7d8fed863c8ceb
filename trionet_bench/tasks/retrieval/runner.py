"""How an embedding is learnt with proxies of the classes, and judged by what it finds."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from pytorch_metric_learning.losses import BaseMetricLossFunction, NormalizedSoftmaxLoss, ProxyAnchorLoss
from torch import Tensor, nn
from torch.func import functional_call

from trionet_bench.networks.layers import ParamModule, ParamSpec
from trionet_bench.networks.sharing import fixed
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.spaces.choice import Architecture
from trionet_bench.tasks.retrieval.neighbours import retrieved
from trionet_bench.tasks.retrieval.task import Retrieval
from trionet_bench.tasks.runner import TaskRunner
from trionet_bench.training.distillation import soft_cross_entropy


class Proxies(ParamModule):
    """A learnt point for each class that trains, (classes, D)."""

    weight: nn.Parameter

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        # only directions enter the losses, so that weight decay would do nothing but change the learning rate
        self.declare(weight=ParamSpec((fixed(classes), fixed(size)), std=size**-0.5, decays=False))


def with_proxies(network: Skeleton, classes: int, size: int) -> Skeleton:
    """The network of embeddings as it is trained: from (B, channels, H, W) to (B + classes, D), the embeddings of the
    images and, below them, the proxies. So a loss gets both from any network, also from a child of a supernet.
    """
    network.add_module("proxies", Proxies(classes, size))
    network.register_forward_hook(_append_proxies)
    return network


def _append_proxies(network: nn.Module, _: tuple[Tensor, ...], embeddings: Tensor) -> Tensor:
    return torch.cat([embeddings, network.get_parameter("proxies.weight")])


class Pixels(nn.Module):
    """Images (B, C, R, R) as they are, (B, C R R): what similarity finds without a network."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)


class RetrievalRunner(TaskRunner[Retrieval]):
    """Outputs are those of ``with_proxies``; targets class numbers (B,) or, after mixing, shares (B, classes), of which
    the larger counts.
    """

    @cached_property
    def proxy_of_class(self) -> Tensor:
        """Number of the proxy of each class (classes,), -1 for those that are tested."""
        trained = torch.from_numpy(self.task.trained_on(self.classes))
        proxies = torch.full((self.classes,), -1)
        proxies[trained] = torch.arange(len(trained))
        return proxies.to(self.device)

    @cached_property
    def criterion(self) -> BaseMetricLossFunction:
        """The loss; its own proxies are replaced in each call."""
        shape = len(self.task.trained_on(self.classes)), self.outputs
        if self.task.loss == "proxy-anchor":
            return ProxyAnchorLoss(*shape, margin=self.task.margin, alpha=self.task.alpha)
        return NormalizedSoftmaxLoss(*shape, temperature=self.task.temperature)

    def network(self, architecture: Architecture) -> Skeleton:
        """With proxies."""
        return with_proxies(super().network(architecture), len(self.task.trained_on(self.classes)), self.outputs)

    def deployed(self, architecture: Architecture) -> Skeleton:
        """Without proxies."""
        return super().network(architecture)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """As the task says; images of classes without a proxy are refused by the loss."""
        proxies = self.proxy_of_class[_labels(targets)]
        embeddings, points = outputs.split([len(targets), len(outputs) - len(targets)])
        weight = {"proxies": points} if self.task.loss == "proxy-anchor" else {"W": points.T}
        loss: Tensor = functional_call(self.criterion, weight, (embeddings, proxies))
        return loss

    def distillation_loss(self, outputs: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Cross entropy with the teacher's softmax over cosines to the proxies, at the temperature of Norm-Softmax."""
        cosines, of_teacher = (self._cosines(each) / self.task.temperature for each in (outputs, teacher))
        return soft_cross_entropy(cosines, of_teacher, temperature)

    def training_metrics(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Share of the images whose nearest proxy is that of their class."""
        nearest = self._cosines(outputs).argmax(dim=1)
        return {"nearest_proxy": (nearest == self.proxy_of_class[_labels(targets)]).float().mean()}

    def judge(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Labels (B,) and embeddings (B, D); one that is not finite is 0, which is as near to all others."""
        embeddings = outputs[: len(targets)]
        finite = embeddings.isfinite().all(dim=1, keepdim=True)
        return {"labels": targets, "embeddings": embeddings.where(finite, 0.0)}

    def together(self, columns: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """What the images find among each other, as of ``neighbours.retrieved``."""
        return retrieved(columns["embeddings"], columns["labels"], self.task.ranks[-1])

    def references(self) -> dict[str, nn.Module]:
        """Raw pixels, normalised by channel."""
        return {"pixels": Pixels()}

    def _cosines(self, outputs: Tensor) -> Tensor:
        """Of embeddings and proxies, (B, classes)."""
        unit = F.normalize(outputs, dim=1)
        count = len(self.task.trained_on(self.classes))
        return unit[:-count] @ unit[-count:].T


def _labels(targets: Tensor) -> Tensor:
    return targets if targets.ndim == 1 else targets.argmax(dim=1)
