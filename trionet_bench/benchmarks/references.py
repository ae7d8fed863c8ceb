"""Straightforward implementations of attention on the weights of the operators: the references of their benchmark.

``unfold`` and ``einsum`` are direct transcriptions of the formulas; ``shifts`` goes through the window an offset at a
time; ``dense`` lets every position attend over all positions with a mask, by torch's scaled dot-product attention;
``tensors`` is what runs where there is no kernel.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.networks.operators.axial import AxialAttention, LineAttention
from trionet_bench.networks.operators.conv import Convolution
from trionet_bench.networks.operators.crisscross import CrissCrossAttention
from trionet_bench.networks.operators.local import LocalAttention


class TorchConvolution(Convolution):
    """A 3x3 convolution and torch's batch normalisation."""

    def forward(self, x: Tensor) -> Tensor:
        return nn.BatchNorm2d.forward(self.norm, F.conv2d(x, self.conv.weight, padding=1))


class UnfoldedLocal(LocalAttention):
    """Keys and values copied once for every query that sees them."""

    def retrieve(self, qkv: Tensor) -> Tensor:
        height, width = qkv.shape[2:]
        q, k, v = self.project.split(qkv)
        q, k, v = q.flatten(3), self.windows(k), self.windows(v)  # (B, n, d, HW), (B, n, d, window^2, HW) twice
        inside = inside_windows(height, width, self.window, qkv.device).flatten(0, 1).T  # (window^2, HW)
        terms = [torch.einsum("bndl,bndwl->bnwl", q, k), torch.einsum("bndl,dw->bnwl", q, self.query_positions())]
        if self.sensitive:
            terms.append(torch.einsum("bndwl,dw->bnwl", k, self.key_positions()))
        attention = _weights(self, terms, inside, 2, qkv).to(v.dtype)  # (B, n, window^2, HW)
        retrieved = [torch.einsum("bnwl,bndwl->bndl", attention, v)]
        if self.sensitive:
            retrieved.append(torch.einsum("bnwl,dw->bndl", attention, self.value_positions()))
        both: Tensor = torch.cat([t.flatten(1, 2) for t in retrieved], dim=1).unflatten(2, (height, width))
        return both

    def windows(self, x: Tensor) -> Tensor:
        """(B, n, d, H, W) to (B, n, d, window^2, H W): the vectors in the window of each position."""
        batch, heads, size, height, width = x.shape
        unfolded = F.unfold(x.reshape(batch, heads * size, height, width), self.window, padding=self.window // 2)
        return unfolded.view(batch, heads, size, self.window**2, height * width)


class ShiftedLocal(LocalAttention):
    """One offset of the window after the other, over the full map."""

    def retrieve(self, qkv: Tensor) -> Tensor:
        height, width = qkv.shape[2:]
        q, k, v = self.project.split(qkv)  # (B, n, d, H, W)
        keys, values = self._shifts(k), self._shifts(v)
        inside = inside_windows(height, width, self.window, qkv.device).permute(2, 0, 1)  # (window^2, H, W)
        r_q = self.query_positions()  # (d, window^2)
        terms = [
            torch.stack([(q * key).sum(2) for key in keys], dim=2),  # (B, n, window^2, H, W)
            torch.einsum("bndhw,do->bnohw", q, r_q),
        ]
        if self.sensitive:
            r_k = self.key_positions()
            along = [torch.einsum("bndhw,d->bnhw", key, r_k[:, o]) for o, key in enumerate(keys)]
            terms.append(torch.stack(along, dim=2))
        attention = _weights(self, terms, inside, 2, qkv).to(v.dtype)
        content = torch.zeros_like(v)
        for weight, value in zip(attention.unbind(2), values, strict=True):
            content = content + weight[:, :, None] * value
        retrieved = [content]
        if self.sensitive:
            retrieved.append(torch.einsum("bnohw,do->bndhw", attention, self.value_positions()))
        return torch.cat([t.flatten(1, 2) for t in retrieved], dim=1)

    def _shifts(self, x: Tensor) -> list[Tensor]:
        height, width = x.shape[3:]
        padded = F.pad(x, [self.window // 2] * 4)
        steps = range(self.window)
        return [padded[..., i : i + height, j : j + width] for i in steps for j in steps]


class DenseLocal(LocalAttention):
    """Plain terms only: all pairs of positions, those outside the window masked."""

    def retrieve(self, qkv: Tensor) -> Tensor:
        height, width = qkv.shape[2:]
        q, k, v = (t.flatten(3).transpose(2, 3) for t in self.project.split(qkv))  # (B, n, HW, d)
        y, x = torch.arange(height * width, device=q.device) // width, torch.arange(height * width) % width
        reach = self.window // 2
        down, right = y[None] - y[:, None] + reach, x[None] - x[:, None] + reach  # (HW, HW)
        near = (down >= 0) & (down < self.window) & (right >= 0) & (right < self.window)
        offset = (down * self.window + right).where(near, 0)
        position = torch.matmul(q, self.query_positions())  # (B, n, HW, window^2)
        bias = position.gather(3, offset.expand(*position.shape[:2], -1, -1)).masked_fill(~near, -torch.inf)
        retrieved = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
        maps: Tensor = retrieved.transpose(2, 3).flatten(1, 2).unflatten(2, (height, width))
        return maps


class EinsumLine(LineAttention):
    """A product for each term of the formula."""

    def retrieve(self, qkv: Tensor, tables: list[Tensor]) -> Tensor:
        q, k, v = self.project.split(qkv if self.lines == "rows" else qkv.transpose(2, 3))  # (B, n, d, lines, length)
        length = q.shape[4]
        index = torch.arange(length, device=q.device)
        index = index[None, :] - index[:, None] + length - 1
        r_q, r_k, r_v = (table[:, index] for table in tables)  # (d, i, j)
        terms = [
            torch.einsum("bndhi,bndhj->bnhij", q, k),
            torch.einsum("bndhi,dij->bnhij", q, r_q),
            torch.einsum("bndhj,dij->bnhij", k, r_k),
        ]
        moments = term_moments(terms) if self.similarity_norm.training else None
        scale = self.similarity_norm(moments, q.shape[0] * q.shape[3] * length * length)
        attention = scaled_sum(terms, scale).softmax(dim=-1).to(v.dtype)
        content = torch.einsum("bnhij,bndhj->bndhi", attention, v)
        placed = torch.einsum("bnhij,dij->bndhi", attention, r_v)
        retrieved = torch.cat([content.flatten(1, 2), placed.flatten(1, 2)], dim=1)  # (B, 2 n d, lines, length)
        return retrieved if self.lines == "rows" else retrieved.transpose(2, 3)


class EinsumAxial(AxialAttention):
    """Both passes by ``EinsumLine``."""

    line = EinsumLine


class TensorCrissCross(CrissCrossAttention):
    """Matrix products over rows and over columns."""

    retrieve = CrissCrossAttention.retrieve_by_tensors


def _weights(module: LocalAttention, terms: list[Tensor], inside: Tensor, dim: int, qkv: Tensor) -> Tensor:
    """Softmax over ``dim`` of the terms (B, n, ...), normalised where the module does that."""
    if module.sensitive:
        moments = term_moments(terms, inside) if module.similarity_norm.training else None
        similarity = scaled_sum(terms, module.similarity_norm(moments, module.geometry.valid_pairs(qkv)))
    else:
        similarity = terms[0] + terms[1]
    return similarity.masked_fill(~inside, -torch.inf).softmax(dim=dim)


def term_moments(similarities: list[Tensor], mask: Tensor | None = None) -> Tensor:
    """Sums and sums of squares (n, terms, 2) of terms (B, n, ...), over the pairs that ``mask`` (...) allows."""
    over = [0, *range(2, similarities[0].dim())]
    moments = []
    for similarity in similarities:
        values = similarity if similarity.dtype == torch.float64 else similarity.float()
        values = values if mask is None else values * mask
        moments.append(torch.stack([values.sum(over), values.square().sum(over)], dim=1))
    return torch.stack(moments, dim=1)


def scaled_sum(similarities: list[Tensor], scale: Tensor) -> Tensor:
    """The sum of terms (B, n, ...), each times its scale (n, terms)."""
    shape = (-1, *[1] * (similarities[0].dim() - 2))
    first, *others = scale.to(similarities[0].dtype).unbind(1)
    total = similarities[0] * first.view(shape)
    for similarity, factor in zip(similarities[1:], others, strict=True):
        total = torch.addcmul(total, similarity, factor.view(shape))
    return total


def inside_windows(height: int, width: int, window: int, device: torch.device) -> Tensor:
    """(H, W, k^2): whether the other position of a pair is on the map."""
    reach = window // 2
    offsets = torch.arange(-reach, reach + 1, device=device)
    down = torch.arange(height, device=device)[:, None] + offsets  # (H, k)
    across = torch.arange(width, device=device)[:, None] + offsets
    down, across = (down >= 0) & (down < height), (across >= 0) & (across < width)
    return (down[:, None, :, None] & across[None, :, None, :]).flatten(2)
