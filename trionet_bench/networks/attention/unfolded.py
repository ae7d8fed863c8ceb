"""Products between every position of a map and the positions in the window around it, by tensor operations.

A windowed map (N, H, W, k^2) holds one value for each pair of a position and an offset in its k x k window, row offset
first. Gathering the window of every position, as ``unfold`` does, copies keys k^2 times. Here the map is cut into
blocks: all products of a block's positions with the keys around the block are one small matrix product that stays in
the cache, and the products within windows are a strided view of the result. Multiplying outside the windows costs less
than moving k^2 copies through memory.

Torch's counter counts the operations by definition: k^2 d multiply-accumulates for each position.
"""

from collections.abc import Iterator
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.utils.flop_counter import register_flop_formula

CACHED = 2**17  # products of a chunk of blocks: half a megabyte in float32, which leaves room in a cache of 1 MB


@cache
def block_shape(height: int, width: int, window: int) -> tuple[int, int]:
    """Height and width of the blocks, at most 16, with the fewest products; copying a key counts as 16 products."""
    halo = window - 1

    def cost(shape: tuple[int, int]) -> int:
        rows, columns = shape
        blocks = -(-height // rows) * -(-width // columns)
        return blocks * (rows + halo) * (columns + halo) * (rows * columns + 16)

    return min(((rows, columns) for rows in range(1, 17) for columns in range(1, 17)), key=cost)


class _Blocks:
    """A cut of (N, d, H, W) maps into blocks; sizes that do not divide are padded."""

    def __init__(self, height: int, width: int, window: int) -> None:
        self.height, self.width, self.window = height, width, window
        self.rows, self.columns = block_shape(height, width, window)
        self.down, self.across = -(-height // self.rows), -(-width // self.columns)
        self.halo_rows, self.halo_columns = self.rows + window - 1, self.columns + window - 1
        self.count = self.down * self.across
        self.positions, self.keys = self.rows * self.columns, self.halo_rows * self.halo_columns
        self.extra = self.down * self.rows - height, self.across * self.columns - width

    def chunks(self, maps: int) -> Iterator[slice]:
        """Slices of the first dimension whose products fit into the cache."""
        step = max(1, CACHED // (self.count * self.positions * self.keys))
        return (slice(start, min(start + step, maps)) for start in range(0, maps, step))

    def centres(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to (N blocks, d, positions)."""
        x = F.pad(x, (0, self.extra[1], 0, self.extra[0])) if any(self.extra) else x
        x = x.unflatten(3, (self.across, self.columns)).unflatten(2, (self.down, self.rows))
        return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, x.shape[1], self.positions)

    def surroundings(self, x: Tensor) -> Tensor:
        """(N, d, H, W) to (N blocks, d, keys), zero outside the map."""
        reach = self.window // 2
        x = F.pad(x, (reach, reach + self.extra[1], reach, reach + self.extra[0]))
        n, d, h, w = x.stride()
        size = (x.shape[0], self.down, self.across, x.shape[1], self.halo_rows, self.halo_columns)
        view = x.as_strided(size, (n, self.rows * h, self.columns * w, d, h, w), x.storage_offset())
        return view.reshape(-1, x.shape[1], self.keys)

    def band(self, products: Tensor) -> Tensor:
        """(N blocks, positions, keys) to a view (N, down, rows, across, columns, k, k) of the pairs within windows."""
        each, step = self.positions * self.keys, self.halo_columns
        size = (-1, self.down, self.rows, self.across, self.columns, self.window, self.window)
        strides = (
            self.count * each,
            self.across * each,
            self.columns * self.keys + step,
            each,
            self.keys + 1,
            step,
            1,
        )
        maps = products.shape[0] // self.count
        return products.as_strided((maps, *size[1:]), strides, products.storage_offset())

    def windowed(self, x: Tensor) -> Tensor:
        """A contiguous windowed map (N, padded H, padded W, k^2) in the shape of ``band``."""
        shape = (-1, self.down, self.rows, self.across, self.columns, self.window, self.window)
        return x.view(x.shape[0], *shape[1:])


def inside_windows(height: int, width: int, window: int, device: torch.device) -> Tensor:
    """(H, W, k^2): whether the other position of a pair is on the map."""
    reach = window // 2
    offsets = torch.arange(-reach, reach + 1, device=device)
    down = torch.arange(height, device=device)[:, None] + offsets  # (H, k)
    across = torch.arange(width, device=device)[:, None] + offsets
    down, across = (down >= 0) & (down < height), (across >= 0) & (across < width)
    return (down[:, None, :, None] & across[None, :, None, :]).flatten(2)


@torch.library.custom_op("trionet::window_similarity", mutates_args=())
def window_similarity(queries: Tensor, keys: Tensor, window: int) -> Tensor:
    """Dot products of each position's vector with those in its window, zero outside the map.

    (N, d, H, W) twice to (N, H, W, k^2).
    """
    maps, _, height, width = queries.shape
    blocks = _Blocks(height, width, window)
    padded = queries.new_empty(maps, height + blocks.extra[0], width + blocks.extra[1], window * window)
    result = blocks.windowed(padded)
    for chunk in blocks.chunks(maps):
        centres, surroundings = blocks.centres(queries[chunk]), blocks.surroundings(keys[chunk])
        result[chunk].copy_(blocks.band(torch.bmm(centres.transpose(1, 2), surroundings)))
    return padded[:, :height, :width].contiguous()


@torch.library.custom_op("trionet::window_retrieval", mutates_args=())
def window_retrieval(weights: Tensor, values: Tensor, window: int) -> Tensor:
    """Sum over each position's window of the vectors there times the weights. Weights outside the map meet zeros.

    (N, H, W, k^2) and (N, d, H, W) to (N, d, H, W).
    """
    maps, size, height, width = values.shape
    blocks = _Blocks(height, width, window)
    if any(blocks.extra):
        weights = F.pad(weights, (0, 0, 0, blocks.extra[1], 0, blocks.extra[0]))
    source = blocks.windowed(weights.contiguous())
    padded = values.new_empty(maps, size, height + blocks.extra[0], width + blocks.extra[1])
    target = padded.view(maps, size, blocks.down, blocks.rows, blocks.across, blocks.columns).permute(0, 2, 4, 1, 3, 5)
    products = None
    for chunk in blocks.chunks(maps):
        surroundings = blocks.surroundings(values[chunk])  # (blocks, d, keys)
        if products is None:
            products = values.new_zeros(surroundings.shape[0], blocks.positions, blocks.keys)
        products = products[: surroundings.shape[0]]
        blocks.band(products).copy_(source[chunk])  # the same pairs in every chunk: the others stay zero
        target[chunk].copy_(torch.bmm(surroundings, products.transpose(1, 2)).view(target[chunk].shape))
    return padded[:, :, :height, :width].contiguous()


def similarity(queries: Tensor, keys: Tensor, window: int) -> Tensor:
    """As ``window_similarity``; where operations are counted or exported, by standard operations of torch."""
    if not (queries.is_meta or torch.compiler.is_compiling()):
        products: Tensor = window_similarity(queries, keys, window)
        return products
    return torch.einsum("nchw,nchwo->nhwo", queries, _unfolded(keys, window))


def retrieval(weights: Tensor, values: Tensor, window: int) -> Tensor:
    """As ``window_retrieval``; where operations are counted or exported, by standard operations of torch."""
    if not (values.is_meta or torch.compiler.is_compiling()):
        sums: Tensor = window_retrieval(weights, values, window)
        return sums
    return torch.einsum("nhwo,nchwo->nchw", weights, _unfolded(values, window))


def _unfolded(x: Tensor, window: int) -> Tensor:
    """(N, d, H, W) to (N, d, H, W, k^2): the vectors in the window of each position, zero outside the map."""
    unfolded = F.unfold(x, window, padding=window // 2)  # (N, d k^2, H W)
    by_channel: Tensor = unfolded.unflatten(2, x.shape[2:]).unflatten(1, (x.shape[1], -1))  # (N, d, k^2, H, W)
    return by_channel.permute(0, 1, 3, 4, 2)


class _OtherEnd(torch.autograd.Function):
    """``other_end``, which is its adjoint."""

    window: int

    @staticmethod
    def forward(ctx: "_OtherEnd", x: Tensor, window: int) -> Tensor:
        ctx.window = window
        return _other_end(x, window)

    @staticmethod
    def backward(ctx: "_OtherEnd", grad: Tensor) -> tuple[Tensor, None]:
        return _other_end(grad, ctx.window), None


def _other_end(x: Tensor, window: int) -> Tensor:
    maps, height, width, pairs = x.shape
    reach = window // 2
    x = F.pad(x, (0, 0, reach, reach, reach, reach))
    n, h, w, _ = x.stride()
    size, strides = (maps, height, width, window, window), (n, h, w, h - window, w - 1)
    return x.as_strided(size, strides, x.storage_offset() + pairs - 1).reshape(maps, height, width, pairs)


def other_end(x: Tensor, window: int) -> Tensor:
    """A windowed map with each pair stored at its other position: out[i, o] = x[i + o, -o], zero outside the map."""
    if torch.compiler.is_compiling():
        return _other_end_by_slices(x, window)
    result: Tensor = _OtherEnd.apply(x, window)
    return result


def _other_end_by_slices(x: Tensor, window: int) -> Tensor:
    """``other_end`` without strides, which ONNX does not have."""
    _, height, width, pairs = x.shape
    reach = window // 2
    x = F.pad(x, (0, 0, reach, reach, reach, reach))
    places = [(row, column) for row in range(window) for column in range(window)]
    seen = [x[:, r : r + height, c : c + width, pairs - 1 - o] for o, (r, c) in enumerate(places)]
    return torch.stack(seen, dim=3)


@window_similarity.register_fake
def _(queries: Tensor, keys: Tensor, window: int) -> Tensor:
    maps, _, height, width = queries.shape
    return queries.new_empty(maps, height, width, window * window)


@window_retrieval.register_fake
def _(weights: Tensor, values: Tensor, window: int) -> Tensor:
    return values.new_empty(values.shape)


class _Saved(FunctionCtx):
    """What an operation keeps for its backward pass: its two tensors and the window."""

    saved_tensors: tuple[Tensor, Tensor]
    window: int


def _save(ctx: _Saved, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:2])
    ctx.window = inputs[2]


def _similarity_backward(ctx: _Saved, grad: Tensor) -> tuple[Tensor, Tensor, None]:
    (queries, keys), window = ctx.saved_tensors, ctx.window
    return window_retrieval(grad, keys, window), window_retrieval(other_end(grad, window), queries, window), None


def _retrieval_backward(ctx: _Saved, grad: Tensor) -> tuple[Tensor, Tensor, None]:
    (weights, values), window = ctx.saved_tensors, ctx.window
    return window_similarity(grad, values, window), window_retrieval(other_end(weights, window), grad, window), None


window_similarity.register_autograd(_similarity_backward, setup_context=_save)
window_retrieval.register_autograd(_retrieval_backward, setup_context=_save)


@register_flop_formula(torch.ops.trionet.window_similarity)
def _similarity_flops(queries: tuple[int, ...], keys: tuple[int, ...], window: int, **_: object) -> int:
    maps, size, height, width = queries
    return 2 * maps * size * height * width * window * window


@register_flop_formula(torch.ops.trionet.window_retrieval)
def _retrieval_flops(weights: tuple[int, ...], values: tuple[int, ...], window: int, **_: object) -> int:
    return _similarity_flops(values, values, window)
