"""What local and axial attention share: the projection into heads, and the normalisation of similarities."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.layers import BatchNorm, Convolution2d
from trionet_bench.networks.sharing import Axis, Level, concatenated, heads, terms


def head_size(ratio: float, channels: int, heads: int) -> int:
    """Dimensions per head for a projection of ``ratio`` times ``channels``: even, since local positions are half row
    and half column, and at least 2 (our choice; exact for every published network)."""
    return max(2, 2 * int(ratio * channels / heads / 2 + 0.5))


def pool(x: Tensor, stride: int) -> Tensor:
    """Average pooling of size and stride ``stride``; a last odd row or column is averaged over what it has."""
    return x if stride == 1 else F.avg_pool2d(x, stride, ceil_mode=True, count_include_pad=False)


class HeadProjection(nn.Module):
    """Queries, keys and values by one bias-free 1x1 convolution, normalised where ``normalised``.

    Axial-DeepLab (arXiv 2003.07853) puts batch normalisation over all of q, k, v, and draws the weights with std
    C_in^-0.5; plain local attention (arXiv 1906.05909) has no normalisation here. (B, C_in, H, W) to q, k (B, n, d_qk,
    H, W) and v (B, n, d_v, H, W).
    """

    def __init__(self, inputs: Axis, count: int, qk_size: int, v_size: int, normalised: bool) -> None:
        super().__init__()
        self.count, self.qk_size, self.v_size = count, qk_size, v_size
        outputs = concatenated(heads(count, qk_size), heads(count, qk_size), heads(count, v_size))
        self.qkv = Convolution2d(inputs, outputs, std=inputs.size**-0.5)
        self.norm = BatchNorm(outputs) if normalised else nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        qk = self.count * self.qk_size
        q, k, v = self.norm(self.qkv(x)).split([qk, qk, self.count * self.v_size], dim=1)
        q, k = (t.unflatten(1, (self.count, self.qk_size)) for t in (q, k))  # (B, n, d_qk, H, W)
        return q, k, v.unflatten(1, (self.count, self.v_size))


class SimilarityNorm(BatchNorm):
    """Batch normalisation of the similarity terms, one scale per term and head, before they are summed for a softmax.

    What a batch norm subtracts or adds is the same for all keys of a query, so it cancels in the softmax: only the
    scale is applied, which saves two passes. Statistics are those of batch normalisation over the valid (query, key)
    pairs: with a ``mask``, pairs outside it do not count (our choice). Each term (B, n, ...); the sum has the same
    shape.
    """

    def __init__(self, term_count: int, heads: int) -> None:
        super().__init__(terms(term_count, Axis(((Level("head", heads),),))))
        self.shape = (term_count, heads)

    def forward(self, similarities: Sequence[Tensor], mask: Tensor | None = None) -> Tensor:  # type: ignore[override]
        if self.training:
            variance = self._observe(similarities, mask)
        else:
            assert self.running_var is not None
            variance = self.running_var.view(self.shape)
        scale = self.weight.view(self.shape) * torch.rsqrt(variance + self.eps)  # (terms, n)
        total = None
        for similarity, factor in zip(similarities, scale, strict=True):
            factor = factor.view(1, -1, *[1] * (similarity.dim() - 2)).to(similarity.dtype)
            total = similarity * factor if total is None else torch.addcmul(total, similarity, factor)
        assert total is not None
        return total

    def _observe(self, similarities: Sequence[Tensor], mask: Tensor | None) -> Tensor:
        """Batch variance (terms, n), and the running statistics moved as batch normalisation does."""
        means, variances, count = [], [], 0
        for similarity in similarities:
            values = similarity.float() if similarity.dtype in (torch.bfloat16, torch.float16) else similarity
            over = [0, *range(2, values.dim())]
            if mask is None:
                count = values.numel() // values.shape[1]
                variance, mean = torch.var_mean(values, dim=over, correction=0)
            else:
                count = int(mask.sum()) * values.shape[0]
                mean = (values * mask).sum(over) / count
                centred = (values - mean.view(1, -1, *[1] * (values.dim() - 2))) * mask
                variance = centred.square().sum(over) / count
            means.append(mean)
            variances.append(variance)
        mean, variance = torch.stack(means), torch.stack(variances)
        with torch.no_grad():
            assert (
                self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
            )
            self.num_batches_tracked.add_(1)
            factor = 1.0 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.flatten().to(self.running_mean.dtype), factor)
            unbiased = variance.flatten() * (count / max(count - 1, 1))
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), factor)
        return variance


class RetrievalNorm(BatchNorm):
    """Batch normalisation of the retrieved content and position values, then their sum. Each (B, n, d_v, H, W)."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__(terms(2, heads(count, size)))

    def forward(self, content: Tensor, position: Tensor) -> Tensor:  # type: ignore[override]
        stacked = torch.cat([content.flatten(1, 2), position.flatten(1, 2)], dim=1)  # (B, 2 n d_v, H, W)
        content, position = super().forward(stacked).chunk(2, dim=1)
        return content + position
