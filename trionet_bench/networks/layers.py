"""Layers that declare what the dimensions of their parameters mean, so that a supernet can share the parameters.

Each has ``specs``, a ``ParamSpec`` for each name of a parameter or buffer, which also gives its initial values, drawn
from a seed and the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.normalisation import kernel
from trionet_bench.networks.normalisation.fused import normalise
from trionet_bench.networks.sharing import Axis, centred, fixed
from trionet_bench.randomness import derived_seed

M = TypeVar("M", bound=nn.Module)
VIT_STD = 0.02  # of the initial weights of ViT's linear maps and embeddings


@dataclass(frozen=True)
class ParamSpec:
    """Meaning and initial values of one parameter or buffer.

    Args:
        axes: what each dimension means.
        std, mean: of the initial normal distribution; ``std`` 0 is a constant.
        decays: False excludes it from weight decay when ``weight_decay_on_norm`` is false, as vectors always are.
    """

    axes: tuple[Axis, ...]
    std: float = 0.0
    mean: float = 0.0
    decays: bool = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of the axes."""
        return tuple(axis.size for axis in self.axes)

    def initialise(self, tensor: Tensor, seed: int, name: str) -> None:
        """Fill ``tensor`` in place; the same values for the same seed, name and shape."""
        if self.std == 0.0:
            tensor.fill_(self.mean)
            return
        generator = torch.Generator().manual_seed(derived_seed(seed, "initialise", name))
        tensor.copy_(torch.empty(tensor.shape).normal_(self.mean, self.std, generator=generator))


class ParamModule(nn.Module):
    """A module with ``specs`` of its direct parameters; submodules have ``specs`` of theirs."""

    specs: dict[str, ParamSpec]

    def declare(self, **specs: ParamSpec) -> None:
        """Make a parameter of each specification."""
        self.specs = specs
        for name, spec in specs.items():
            self.register_parameter(name, nn.Parameter(torch.empty(spec.shape)))


def collect_specs(network: nn.Module) -> dict[str, ParamSpec]:
    """Every specified parameter and buffer of a network by its full name."""
    return {
        f"{prefix}.{name}" if prefix else name: spec
        for prefix, module in network.named_modules()
        for name, spec in getattr(module, "specs", {}).items()
    }


def without_decay(specs: Mapping[str, ParamSpec]) -> list[str]:
    """Names of the weights that are excluded from weight decay."""
    return [name for name, spec in specs.items() if not spec.decays]


def is_statistic(name: str) -> bool:
    """Whether a specified name is a running statistic, hence a buffer, rather than a parameter."""
    return name.rsplit(".", 1)[-1].startswith("running_")


def specified_tensor(network: nn.Module, name: str) -> Tensor:
    """The parameter or buffer of a specified name."""
    return network.get_buffer(name) if is_statistic(name) else network.get_parameter(name)


@torch.no_grad()
def initialise(network: M, seed: int) -> M:
    """Draw all weights from ``seed``, in place; returns the network."""
    for name, spec in collect_specs(network).items():
        spec.initialise(specified_tensor(network, name), seed, name)
    return network


class Convolution2d(ParamModule):
    """Bias-free k x k convolution with same padding. Kaiming normal by fan-out, or ``std``."""

    weight: nn.Parameter

    def __init__(self, inputs: Axis, outputs: Axis, kernel: int = 1, stride: int = 1, std: float | None = None) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        taps = centred(kernel)
        self.declare(
            weight=ParamSpec((outputs, inputs, taps, taps), std=std or (2.0 / (kernel * kernel * outputs.size)) ** 0.5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight, stride=self.stride, padding=self.kernel // 2)

    def macs(self, height: int, width: int) -> int:
        """For an input of this size."""
        return self.weight.numel() * strided(height, self.stride) * strided(width, self.stride)


def strided(size: int, stride: int) -> int:
    """Output length of every strided layer here: ceil(size / stride)."""
    return -(-size // stride)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over an axis; ``gamma`` is the initial weight, 0 for the last one of a residual branch."""

    def __init__(self, axis: Axis, gamma: float = 1.0) -> None:
        # As torch's constructor, but without filling the tensors, whose values come from ``specs``: filling takes most
        # of the time of building a child, which a supernet does at every step.
        nn.Module.__init__(self)
        size = axis.size
        vars(self).update(num_features=size, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
        self._parameters |= {"weight": nn.Parameter(torch.empty(size)), "bias": nn.Parameter(torch.empty(size))}
        statistics = {"running_mean": torch.empty(size), "running_var": torch.empty(size)}
        self._buffers |= {**statistics, "num_batches_tracked": torch.zeros((), dtype=torch.long)}
        self.specs = _norm_specs(axis, gamma)

    def forward(self, x: Tensor, shortcut: Tensor | None = None, rectified: bool = False) -> Tensor:
        """Normalised maps (B, C, H, W), with a shortcut of this shape added, then through a ReLU where ``rectified``.

        In training by one kernel where that is faster than torch's operations.
        """
        if self.training and kernel.available(x):
            y, mean, inverse = normalise(x, self.weight, self.bias, self.eps, shortcut, rectified)
            self._follow(mean, inverse, x.numel() // x.shape[1])
            return y
        y = super().forward(x)
        if shortcut is not None:
            y = y + shortcut
        return F.relu_(y) if rectified else y  # in place: no gradient needs the output of a normalisation

    @torch.no_grad()
    def _follow(self, mean: Tensor, inverse: Tensor, count: int) -> None:
        """Move the running statistics towards those of a batch of ``count`` positions, as torch does."""
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        factor = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        variance = (inverse.square().reciprocal() - self.eps) * (count / max(count - 1, 1))
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        self.running_var.lerp_(variance.to(self.running_var.dtype), factor)


class SequenceBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (B, C, T) over an axis of channels."""

    def __init__(self, axis: Axis) -> None:
        super().__init__(axis.size)
        self.specs = _norm_specs(axis, 1.0)


def _norm_specs(axis: Axis, gamma: float) -> dict[str, ParamSpec]:
    return {
        "weight": ParamSpec((axis,), mean=gamma),
        "bias": ParamSpec((axis,)),
        "running_mean": ParamSpec((axis,)),
        "running_var": ParamSpec((axis,), mean=1.0),
    }


class LayerNorm(nn.LayerNorm):
    """Normalisation of the last dimension, with the epsilon 1e-6 of ViT."""

    def __init__(self, axis: Axis) -> None:
        super().__init__(axis.size, eps=1e-6)
        self.specs = {"weight": ParamSpec((axis,), mean=1.0), "bias": ParamSpec((axis,))}


class Linear(ParamModule):
    """A linear map of the last dimension, with a bias that begins at 0."""

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, inputs: Axis, outputs: Axis, std: float) -> None:
        super().__init__()
        self.declare(weight=ParamSpec((outputs, inputs), std=std), bias=ParamSpec((outputs,)))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def macs(self, positions: int) -> int:
        """For this number of vectors."""
        return self.weight.numel() * positions


class Classifier(ParamModule):
    """Global average pool, then a linear layer. (B, C, H, W) to (B, classes)."""

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, inputs: Axis, classes: int) -> None:
        super().__init__()
        self.declare(
            weight=ParamSpec((fixed(classes), inputs), std=(1.0 / (3 * inputs.size)) ** 0.5),
            bias=ParamSpec((fixed(classes),)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.mean(dim=(2, 3)), self.weight, self.bias)

    def macs(self) -> int:
        """For one image."""
        return self.weight.numel()


def drop_path(x: Tensor, probability: float, training: bool) -> Tensor:
    """Stochastic depth by image (Huang et al. 2016, arXiv 1603.09382), by torchvision's operation.

    In training each image of x (B, ...) is 0 with this probability, and scaled up otherwise.
    """
    if not training or probability == 0:
        return x
    from torchvision.ops import stochastic_depth  # torchvision takes seconds to load, and few networks need it

    dropped: Tensor = stochastic_depth(x, probability, "row", training)
    return dropped
