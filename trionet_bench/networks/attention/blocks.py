"""Window attention as one scaled dot-product attention over blocks of queries, by operations of torch. Our choice.

What depends on the offset of a pair is carried by further dimensions of queries and keys, so that the product of query
i and key j is the whole logit of ``kernels/window.h``:

    of the query                                             of the key
    a q_i                                                    k_j
    b q_i.r_q by the row of the key, then by its column      one-hot row, then column of j
    one-hot row, then column of i                            c k_j.r_k by the row of the query, then by its column
    1                                                        MASKED off the map, else 0

where a pair outside the window gets MASKED from its query. One-hot rows and columns behind the values give the weights
summed by key row and by key column, and these times r_v are the positional values. Fused attention kernels of GPUs do
the one call; the number of operations depends on neither batch, heads nor size.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx

from trionet_bench.networks.attention.cut import Cut, Side, cheapest_cut
from trionet_bench.networks.attention.window import Window

MASKED = -1e9  # finite, so that a product with a weight of zero is zero
MULTIPLE = 8  # of dimensions, for fused kernels


@dataclass(frozen=True)
class _Positions:
    """Position vectors of all pairs along each side, zero outside the window: (n, x, j, d) and (n, y, l, d')."""

    rows: Tensor
    columns: Tensor

    @classmethod
    def of(cls, table: Tensor, row_size: int, cut: Cut, scale: Tensor) -> "_Positions":
        """From a flat table as ``window.attend`` takes it, times the scale (n) of each head."""
        rows, columns = table.split([row_size * cut.rows.window, table.numel() - row_size * cut.rows.window])

        def by_pair(flat: Tensor, side: Side) -> Tensor:
            vectors = F.pad(flat.view(-1, side.window).T, (0, 0, 0, 1))  # by offset; the last is zero
            return (scale.view(-1, 1, 1, 1) * vectors[side.offsets(table.device)]).to(table.dtype)

        return cls(by_pair(rows, cut.rows), by_pair(columns, cut.columns))

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The dimensions of (..., d) that meet row offsets, and the others."""
        first, second = x.split([self.rows.shape[3], self.columns.shape[3]], dim=-1)
        return first, second


def attend(
    window: Window,
    qkv: Tensor,
    query_table: Tensor,
    key_table: Tensor | None = None,
    value_table: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """As ``window.attend`` for windows on the map, on any device and in any number format."""
    cut = cheapest_cut(qkv.shape[2], qkv.shape[3], (window.rows, window.columns))
    rows, columns, device = cut.rows, cut.columns, qkv.device
    q, k, v = window.split(qkv)
    queries, keys, values = cut.query_blocks(q), cut.key_blocks(k), cut.key_blocks(v)
    qk_scale, qr_scale, kr_scale = (qkv.new_ones(3, window.heads) if scale is None else scale.T).unbind(0)

    r_q = _Positions.of(query_table, window.qk_rows, cut, qr_scale)
    by_row, by_column = r_q.split(queries)
    by_row = torch.einsum("bnkxyd,nxjd->bnkxyj", by_row, r_q.rows)
    by_column = torch.einsum("bnkxyd,nyld->bnkxyl", by_column, r_q.columns)
    by_row = by_row.masked_fill((rows.offsets(device) == rows.window)[:, None], MASKED)
    by_column = by_column.masked_fill(columns.offsets(device) == columns.window, MASKED)
    of_query = [qk_scale.view(-1, 1, 1, 1, 1) * queries, by_row, by_column, queries.new_ones(1)]
    at_key = [_one_hot(rows.keys, keys)[:, None], _one_hot(columns.keys, keys)]
    of_key = [keys, *at_key, keys.new_zeros(1).where(cut.keys_on_map(device)[..., None], MASKED)]
    of_value = [values]
    if key_table is not None:
        r_k = _Positions.of(key_table, window.qk_rows, cut, kr_scale)
        of_row, of_column = r_k.split(keys)
        of_query += [_one_hot(rows.queries, keys)[:, None], _one_hot(columns.queries, keys)]
        of_key.append(torch.einsum("bnkjld,nxjd->bnkjlx", of_row, r_k.rows))
        of_key.append(torch.einsum("bnkjld,nyld->bnkjly", of_column, r_k.columns))
        of_value += at_key

    size = max(sum(part.shape[-1] for part in parts) for parts in (of_query, of_key, of_value))
    size = -(-size // MULTIPLE) * MULTIPLE
    joined = [
        _joined(parts, shape, size)
        for parts, shape in ((of_query, queries.shape), (of_key, keys.shape), (of_value, values.shape))
    ]
    attended = F.scaled_dot_product_attention(joined[0], joined[1], joined[2], scale=1.0)  # (B n, blocks, x y, size)
    attended = attended.to(qkv.dtype).view(*queries.shape[:5], size)
    retrieved = [attended[..., : window.v]]
    if value_table is not None:
        r_v = _Positions.of(value_table, window.v_rows, cut, qkv.new_ones(window.heads))
        near_row, near_column = attended[..., window.v :].split([rows.keys, size - window.v - rows.keys], dim=5)
        by_row = torch.einsum("bnkxyj,nxjd->bnkxyd", near_row, r_v.rows)
        by_column = torch.einsum("bnkxyl,nyld->bnkxyd", near_column[..., : columns.keys], r_v.columns)
        retrieved.append(torch.cat([by_row, by_column], dim=5))
    return torch.cat([cut.joined(blocks) for blocks in retrieved], dim=1)


def _one_hot(size: int, like: Tensor) -> Tensor:
    """(size, size): the unit vector of each position."""
    return torch.eye(size, dtype=like.dtype, device=like.device)


def _joined(parts: Sequence[Tensor], shape: Sequence[int], size: int) -> Tensor:
    """Features that may be the same in all images, heads, ... as (B n, blocks, positions, size), zeros behind them."""
    batch, heads, blocks, rows, columns, _ = shape
    used = sum(part.shape[-1] for part in parts)
    parts = [*parts, parts[0].new_zeros(size - used)]
    joined = torch.cat([part.expand(*shape[:5], -1) for part in parts], dim=5)
    return joined.view(batch * heads, blocks, rows * columns, size)


def observe(window: Window, qkv: Tensor, query_table: Tensor, key_table: Tensor) -> Tensor:
    """As ``window.observe`` for windows on the map, in float32 at least.

    The products of queries and keys are one matrix product over blocks; those with positions, whose vectors are
    separable, need rows + columns of a window.
    """
    cut = cheapest_cut(qkv.shape[2], qkv.shape[3], (window.rows, window.columns))
    wide = torch.promote_types(qkv.dtype, torch.float32)
    near = [_reached(side, qkv.device).to(wide) for side in (cut.rows, cut.columns)]
    with torch.autocast(qkv.device.type, enabled=False):
        q, k, _ = window.split(qkv)
        of_pairs: Tensor = _PairMoments.apply(cut.query_blocks(q), cut.key_blocks(k), cut.pairs(qkv.device))
        of_queries = _position_moments(window, q.to(wide), query_table.to(wide), near)
        of_keys = _position_moments(window, k.to(wide), key_table.to(wide), [side.flip(0) for side in near])
        return torch.stack([of_pairs, of_queries, of_keys], dim=1)


def _reached(side: Side, device: torch.device) -> Tensor:
    """(offsets, size): whether the position at an offset from another is on the map."""
    place = torch.arange(side.size, device=device) + torch.arange(side.window, device=device)[:, None]
    return (place >= side.window // 2) & (place < side.size + side.window // 2)


def _position_moments(window: Window, x: Tensor, table: Tensor, near: Sequence[Tensor]) -> Tensor:
    """Sums and sums of squares (n, 2) of the products of (B, n, d, H, W) with the position vectors of all pairs that
    ``near``, (offsets, H) and (offsets, W), allows.
    """
    row_size, column_size = window.qk_rows, window.qk - window.qk_rows
    rows, columns = table.split([row_size * window.rows, column_size * window.columns])
    by_row, by_column = x.split([row_size, column_size], dim=2)
    by_row = torch.einsum("bndhw,do,oh->bnohw", by_row, rows.view(row_size, -1), near[0])
    by_column = torch.einsum("bndhw,do,ow->bnohw", by_column, columns.view(column_size, -1), near[1])
    row_count, column_count = near[0].sum(0)[:, None], near[1].sum(0)  # (H, 1), (W)
    row_sum, column_sum = by_row.sum(2), by_column.sum(2)  # (B, n, H, W)
    sums = column_count * row_sum + row_count * column_sum
    squares = column_count * by_row.square().sum(2) + row_count * by_column.square().sum(2)
    squares = squares + 2 * row_sum * column_sum
    return torch.stack([sums, squares], dim=4).sum((0, 2, 3))


class _PairMoments(torch.autograd.Function):
    """Sums and sums of squares (n, 2) of the products of queries and keys over pairs.

    Queries (B, n, blocks, x, y, d), keys (B, n, blocks, j, l, d), pairs (blocks, x, y, j, l). Backward multiplies
    again, so that no product is kept.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, queries: Tensor, keys: Tensor, pairs: Tensor) -> Tensor:
        ctx.save_for_backward(queries, keys, pairs)
        products = _products(queries, keys, pairs)
        wide = torch.promote_types(products.dtype, torch.float32)
        sums, norms = products.sum((2, 3, 4), dtype=wide), torch.linalg.vector_norm(products, dim=(2, 3, 4), dtype=wide)
        return torch.stack([sums, norms.square()], dim=2).sum(0)

    @staticmethod
    def backward(ctx: "_SavedBlocks", grad: Tensor) -> tuple[Tensor, Tensor, None]:
        queries, keys, pairs = ctx.saved_tensors
        of_sum, of_square = grad.to(queries.dtype)[..., None, None, None].unbind(1)  # (n, 1, 1, 1)
        products = torch.addcmul(of_sum, _products(queries, keys, pairs), of_square, value=2) * _flat_pairs(pairs)
        left, right = queries.flatten(3, 4), keys.flatten(3, 4)
        return (products @ right).view_as(queries), (products.mT @ left).view_as(keys), None


class _SavedBlocks(FunctionCtx):
    """What ``_PairMoments`` keeps."""

    saved_tensors: tuple[Tensor, Tensor, Tensor]


def _products(queries: Tensor, keys: Tensor, pairs: Tensor) -> Tensor:
    """(B, n, blocks, x y, j l), zero where there is no pair."""
    return (queries.flatten(3, 4) @ keys.flatten(3, 4).mT) * _flat_pairs(pairs)


def _flat_pairs(pairs: Tensor) -> Tensor:
    return pairs.flatten(3, 4).flatten(1, 2)  # (blocks, x y, j l)
