"""Attention of every position over its row or column, by operations of torch: the formulas of ``kernels/window.h``.

Terms with positions are one matrix product for each position i or j, over all lines of all images. Their moments come
from Gram matrices, without the products of all pairs: the sum of (q_i.k_j)^2 over i and j is the product, entry by
entry, of sum q_i q_i^T and sum k_j k_j^T. The number of operations depends on neither batch, heads nor size (our
choice).
"""

import torch
from torch import Tensor

from trionet_bench.networks.attention.window import Window


def attend(
    window: Window, qkv: Tensor, query_table: Tensor, key_table: Tensor, value_table: Tensor, scale: Tensor
) -> Tensor:
    """As ``window.attend`` along rows or columns with all tables, on any device and in any number format."""
    q, k, v = (x.transpose(2, 3) for x in _along_lines(window, qkv))  # (B, n, lines, d, length)
    batch, heads, lines, _, length = q.shape
    a, b, c = (factor.view(-1, 1, 1, 1) for factor in scale.to(qkv.dtype).unbind(1))
    r_q, r_k, r_v = (_by_pair(table, length).to(qkv.dtype) for table in (query_table, key_table, value_table))
    query, scaled, key, scaled_key, value = (x.flatten(0, 2) for x in (a * q, b * q, k, c * k, v))  # (N, d, length)
    by_query = torch.bmm(scaled.permute(2, 0, 1), r_q.transpose(0, 1))  # (i, N, j)
    by_key = torch.bmm(scaled_key.permute(2, 0, 1), r_k.permute(2, 0, 1))  # (j, N, i)
    bias = by_query.transpose(0, 1) + by_key.permute(1, 2, 0)  # (N, i, j)
    weights = torch.baddbmm(bias, query.transpose(1, 2), key).softmax(dim=-1).to(qkv.dtype)
    content = torch.bmm(value, weights.transpose(1, 2))  # (N, d, i)
    placed = torch.bmm(r_v.transpose(0, 1), weights.permute(1, 2, 0)).permute(2, 1, 0)  # (N, d, i)
    retrieved: Tensor = torch.stack([content, placed]).unflatten(1, (batch, heads, lines))  # (2, B, n, lines, d, i)
    retrieved = retrieved.permute(1, 0, 2, 4, 3, 5).flatten(1, 3)  # (B, 2 n d, lines, i)
    return retrieved if window.lines == "rows" else retrieved.transpose(2, 3)


def observe(window: Window, qkv: Tensor, query_table: Tensor, key_table: Tensor) -> Tensor:
    """As ``window.observe`` along rows or columns, in float32 at least."""
    wide = torch.promote_types(qkv.dtype, torch.float32)
    with torch.autocast(qkv.device.type, enabled=False):
        q, k, _ = (x.to(wide) for x in _along_lines(window, qkv))  # (B, n, d, lines, length)
        r_q, r_k = (_by_pair(table.to(wide), q.shape[4]) for table in (query_table, key_table))
        sums = (q.sum(4) * k.sum(4)).sum((0, 2, 3))
        grams = (torch.einsum("bndhi,bnehi->bnhde", x, x) for x in (q, k))
        of_pairs = torch.stack([sums, torch.einsum("bnhde,bnhde->n", *grams)], dim=1)
        return torch.stack([of_pairs, _moments(q, r_q), _moments(k, r_k.transpose(1, 2))], dim=1)


def _along_lines(window: Window, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """q, k and v (B, n, d, lines, length)."""
    return window.split(qkv if window.lines == "rows" else qkv.transpose(2, 3))


def _by_pair(table: Tensor, length: int) -> Tensor:
    """A flat table of 2 length - 1 offsets as (d, i, j)."""
    place = torch.arange(length, device=table.device)
    return table.view(-1, 2 * length - 1)[:, place - place[:, None] + length - 1]


def _moments(x: Tensor, vectors: Tensor) -> Tensor:
    """Sums and sums of squares (n, 2) of the products of (B, n, d, lines, i) and (d, i, j)."""
    sums = (x.sum((0, 3)) * vectors.sum(2)).sum((1, 2))
    grams = torch.einsum("bndhi,bnehi->nide", x, x), torch.einsum("dij,eij->ide", vectors, vectors)
    return torch.stack([sums, (grams[0] * grams[1]).sum((1, 2, 3))], dim=1)
