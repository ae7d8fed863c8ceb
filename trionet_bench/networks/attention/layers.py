"""What operators of attention share: projection into heads, normalisations, the choice of kernels or tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.attention import blocks, kernels, lines, window
from trionet_bench.networks.attention.window import Window, split_heads
from trionet_bench.networks.layers import BatchNorm, Convolution2d
from trionet_bench.networks.sharing import Axis, concatenated, halved_heads, heads, one_per_head, terms


def head_size(ratio: float, channels: int, heads: int) -> int:
    """Dimensions per head for a projection of ``ratio`` times ``channels``: even, since local positions are half row
    and half column, and at least 2 (our choice; exact for every published network)."""
    return max(2, 2 * int(ratio * channels / heads / 2 + 0.5))


def pool(x: Tensor, stride: int) -> Tensor:
    """Average pooling of size and stride ``stride``; (B, C, H, W) to (B, C, ceil(H / stride), ceil(W / stride)).

    At the border the mean is over the pixels that exist.
    """
    return x if stride == 1 else F.avg_pool2d(x, stride, ceil_mode=True, count_include_pad=False)


class HeadProjection(nn.Module):
    """Queries, keys and values by one bias-free 1x1 convolution, normalised where ``normalised``.

    Axial-DeepLab (arXiv 2003.07853) puts batch normalisation over all of q, k, v, and draws the weights with std
    C_in^-0.5; plain local attention (arXiv 1906.05909) has no normalisation here. (B, C_in, H, W) to (B, n (2 d_qk +
    d_v), H, W): all queries, head by head, then all keys, then all values. ``halved`` says that the first half of a
    head's dimensions meets row positions, the second column positions.
    """

    def __init__(
        self, inputs: Axis, count: int, qk_size: int, v_size: int, normalised: bool, halved: bool = False
    ) -> None:
        super().__init__()
        self.count, self.qk_size, self.v_size = count, qk_size, v_size
        axis = halved_heads if halved else heads
        outputs = concatenated(axis(count, qk_size), axis(count, qk_size), axis(count, v_size))
        self.qkv = Convolution2d(inputs, outputs, std=inputs.size**-0.5)
        self.norm = BatchNorm(outputs) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.qkv(x))
        return result

    def split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k (B, n, d_qk, H, W) and v (B, n, d_v, H, W)."""
        return split_heads(qkv, self.count, self.qk_size, self.v_size)


class SimilarityNorm(BatchNorm):
    """Batch normalisation of the similarity terms, one scale per head and term, before they are summed for a softmax.

    What a batch norm subtracts or adds is the same for all keys of a query, so it cancels in the softmax: only the
    scale is computed, without materialising the terms. Statistics are those of batch normalisation over the pairs with
    both ends on the map (our choice).

    Args:
        term_count: 3, for q.k, q.r and k.r.
        heads: n.
    """

    def __init__(self, term_count: int, heads: int) -> None:
        super().__init__(terms(term_count, one_per_head(heads)))
        self.shape = (term_count, heads)

    def forward(self, moments: Tensor | None, count: int) -> Tensor:  # type: ignore[override]
        """Scale (n, terms) from the sums and sums of squares (n, terms, 2) over ``count`` pairs; in evaluation mode
        from the running statistics.
        """
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        if moments is None:
            variance = self.running_var
        else:
            mean, square = (moments.double() / count).transpose(0, 1).flatten(0, 1).unbind(1)  # (terms n)
            variance = (square - mean.square()).clamp_min(0)
            with torch.no_grad():
                self.num_batches_tracked.add_(1)
                factor = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
                self.running_var.lerp_((variance * (count / max(count - 1, 1))).to(self.running_var.dtype), factor)
        scale = self.weight * torch.rsqrt(variance + self.eps).to(self.weight.dtype)
        return scale.view(self.shape).transpose(0, 1)


def freeze_unused(network: nn.Module) -> None:
    """Stop gradients to biases of similarity norms, which cancel in the softmax: torch's DistributedDataParallel
    refuses trainable parameters that take no part.
    """
    for module in network.modules():
        if isinstance(module, SimilarityNorm):
            module.bias.requires_grad_(False)


class RetrievalNorm(BatchNorm):
    """Batch normalisation of retrieved content and positional values, then their sum.

    (B, 2 n d_v, H, W), content first, to (B, n d_v, H, W), whose channels are ``values``.
    """

    def __init__(self, values: Axis) -> None:
        super().__init__(terms(2, values))

    def forward(self, stacked: Tensor) -> Tensor:  # type: ignore[override]
        content, position = super().forward(stacked).chunk(2, dim=1)
        return content + position


@dataclass(frozen=True)
class Implementation:
    """One way to compute attention in windows: ``attend`` and ``observe`` as ``window`` has them."""

    attend: Callable[..., Tensor]
    observe: Callable[..., Tensor]


KERNELS = Implementation(window.attend, window.observe)  # in C
BLOCKS = Implementation(blocks.attend, blocks.observe)  # for windows on the map
LINES = Implementation(lines.attend, lines.observe)


def retrieve(
    geometry: Window, qkv: Tensor, tables: Sequence[Tensor], norm: SimilarityNorm | None, by_tensors: Implementation
) -> Tensor:
    """Attention by the C kernels or, where there are none, ``by_tensors``.

    Args:
        qkv: (B, n (2 d_qk + d_v), H, W).
        tables: position vectors of queries and, with ``norm``, of keys and values, as ``window.attend`` takes them.
        norm: of the similarity terms.

    Returns (B, n d_v, H, W); with ``norm`` (B, 2 n d_v, H, W), first the content, then the positional values.
    """
    dtype = kernel_type(qkv)
    chosen = by_tensors if dtype is None else KERNELS
    inputs, *tables = (x if dtype is None else x.to(dtype) for x in (qkv, *tables))
    if norm is None:
        return chosen.attend(geometry, inputs, *tables).to(qkv.dtype)
    moments = chosen.observe(geometry, inputs, *tables[:2]) if norm.training else None
    scale = norm(moments, geometry.valid_pairs(qkv))
    return chosen.attend(geometry, inputs, *tables, scale if dtype is None else scale.to(dtype)).to(qkv.dtype)


def kernel_type(qkv: Tensor) -> torch.dtype | None:
    """The type in which the C kernels compute attention over these queries, keys and values; None where tensor
    operations are used: on other devices, and for export and compilation.

    On a CPU the kernels are the fastest path at every size of the spaces (``trionet-bench bench operators``), that of
    criss-cross attention from ``cross.LEAST`` maps on.
    """
    if qkv.device.type != "cpu" or torch.compiler.is_compiling():
        return None
    dtype = torch.float64 if qkv.dtype == torch.float64 else torch.float32
    return dtype if kernels.available(dtype) else None
