"""Layers whose weights say what their dimensions mean, so that any network of them can be cut from a supernet.

Each holds ``specs``: name of a parameter or buffer -> ``Weight``. Initial values come from there too, drawn by name
from a seed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.sharing import Axis, centred, channels, fixed
from trionet_bench.randomness import derived_seed

M = TypeVar("M", bound=nn.Module)
VIT_STD = 0.02  # of the initial weights of ViT's linear maps and embeddings


@dataclass(frozen=True)
class Weight:
    """Meaning and initial normal distribution of one parameter or buffer; ``std`` 0 is a constant. Vectors, and what
    never ``decays``, are spared weight decay by recipes that say so.
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


class Specified(nn.Module):
    """A module that declares its own weights in ``specs``; those of its submodules are theirs to declare."""

    specs: dict[str, Weight]

    def declare(self, **specs: Weight) -> None:
        """Make a parameter of each specification."""
        self.specs = specs
        for name, spec in specs.items():
            self.register_parameter(name, nn.Parameter(torch.empty(spec.shape)))


def collect_specs(network: nn.Module) -> dict[str, Weight]:
    """Every specified parameter and buffer of a network by its full name."""
    return {
        f"{prefix}.{name}" if prefix else name: spec
        for prefix, module in network.named_modules()
        for name, spec in getattr(module, "specs", {}).items()
    }


def without_decay(specs: Mapping[str, Weight]) -> list[str]:
    """Names of the weights that weight decay never touches."""
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


class Convolution2d(Specified):
    """Bias-free k x k convolution with same padding. Kaiming normal by fan-out, or ``std``."""

    weight: nn.Parameter

    def __init__(self, inputs: Axis, outputs: Axis, kernel: int = 1, stride: int = 1, std: float | None = None) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        taps = centred(kernel)
        self.declare(
            weight=Weight((outputs, inputs, taps, taps), std=std or (2.0 / (kernel * kernel * outputs.size)) ** 0.5)
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
        # As torch's own constructor makes it, but for values, which come from ``specs``: filling takes most of the time
        # of building a child, which a supernet does at every step.
        nn.Module.__init__(self)
        size = axis.size
        vars(self).update(num_features=size, eps=1e-5, momentum=0.1, affine=True, track_running_stats=True)
        self._parameters |= {"weight": nn.Parameter(torch.empty(size)), "bias": nn.Parameter(torch.empty(size))}
        statistics = {"running_mean": torch.empty(size), "running_var": torch.empty(size)}
        self._buffers |= {**statistics, "num_batches_tracked": torch.zeros((), dtype=torch.long)}
        self.specs = _norm_specs(axis, gamma)


class SequenceBatchNorm(nn.BatchNorm1d):
    """Batch normalisation of (B, C, T) over an axis of channels."""

    def __init__(self, axis: Axis) -> None:
        super().__init__(axis.size)
        self.specs = _norm_specs(axis, 1.0)


def _norm_specs(axis: Axis, gamma: float) -> dict[str, Weight]:
    return {
        "weight": Weight((axis,), mean=gamma),
        "bias": Weight((axis,)),
        "running_mean": Weight((axis,)),
        "running_var": Weight((axis,), mean=1.0),
    }


class LayerNorm(nn.LayerNorm):
    """Normalisation of the last dimension, with the epsilon 1e-6 of ViT."""

    def __init__(self, axis: Axis) -> None:
        super().__init__(axis.size, eps=1e-6)
        self.specs = {"weight": Weight((axis,), mean=1.0), "bias": Weight((axis,))}


class Linear(Specified):
    """A linear map of the last dimension, with a bias that begins at 0."""

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, inputs: Axis, outputs: Axis, std: float) -> None:
        super().__init__()
        self.declare(weight=Weight((outputs, inputs), std=std), bias=Weight((outputs,)))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)

    def macs(self, positions: int) -> int:
        """For so many vectors."""
        return self.weight.numel() * positions


class Classifier(Specified):
    """Global average pool, then a linear layer. (B, C, H, W) to (B, classes)."""

    weight: nn.Parameter
    bias: nn.Parameter

    def __init__(self, inputs: Axis, classes: int) -> None:
        super().__init__()
        self.declare(
            weight=Weight((fixed(classes), inputs), std=(1.0 / (3 * inputs.size)) ** 0.5),
            bias=Weight((fixed(classes),)),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.mean(dim=(2, 3)), self.weight, self.bias)

    def macs(self) -> int:
        """For one image."""
        return self.weight.numel()


class Stem(Specified):
    """The fixed convolutional stem: ``conv7-pool`` has stride 4, ``conv3-pool`` 2, ``conv3`` 1."""

    def __init__(self, kind: str, inputs: int, width: int) -> None:
        super().__init__()
        kernel, stride = (7, 2) if kind == "conv7-pool" else (3, 1)
        self.pools = kind.endswith("-pool")
        self.conv = Convolution2d(fixed(inputs), channels(width), kernel, stride)
        self.norm = BatchNorm(channels(width))

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.conv(x)))
        return F.max_pool2d(x, kernel_size=3, stride=2, padding=1) if self.pools else x

    def output_size(self, size: int) -> int:
        """Side of the output for a side of the input."""
        size = strided(size, self.conv.stride)
        return strided(size, 2) if self.pools else size

    def macs(self, height: int, width: int) -> int:
        """For an input of this size."""
        return self.conv.macs(height, width)


def drop_path(x: Tensor, probability: float, training: bool) -> Tensor:
    """Stochastic depth by image (Huang et al. 2016, arXiv 1603.09382): torchvision's, which takes seconds to load and
    is loaded where it does something.
    """
    if not training or probability == 0:
        return x
    from torchvision.ops import stochastic_depth

    dropped: Tensor = stochastic_depth(x, probability, "row", training)
    return dropped
