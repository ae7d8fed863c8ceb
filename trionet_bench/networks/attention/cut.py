"""A map cut into blocks of queries, each with the keys that any of its queries sees."""

from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

MOST = 16  # positions along a side of a block
COPIED = 128  # copying a key costs as much as its products with this many queries: an estimate for an H100


@dataclass(frozen=True)
class Side:
    """One side of a map of ``size`` positions, in blocks of ``queries``; the last one may be partly off the map.

    A single block has the whole side as its keys; one of several also has those half a window before and behind it.
    """

    size: int
    window: int
    queries: int

    @property
    def count(self) -> int:
        """Blocks along this side."""
        return -(-self.size // self.queries)

    @property
    def before(self) -> int:
        """Keys before the first query of a block."""
        return 0 if self.count == 1 else self.window // 2

    @property
    def keys(self) -> int:
        """Keys of a block along this side."""
        return self.size if self.count == 1 else self.queries + self.window - 1

    @property
    def extra(self) -> int:
        """Queries of the last block that are off the map."""
        return self.count * self.queries - self.size

    @property
    def behind(self) -> int:
        """Keys of the last block that are off the map."""
        return (self.count - 1) * self.queries + self.keys - self.before - self.size

    def offsets(self, device: torch.device) -> Tensor:
        """(queries, keys): key minus query as an index into a table of offsets; ``window`` for pairs outside it."""
        query, key = torch.arange(self.queries, device=device), torch.arange(self.keys, device=device)
        offset = key - query[:, None] - self.before + self.window // 2
        return offset.where((offset >= 0) & (offset < self.window), self.window)

    def on_map(self, device: torch.device) -> Tensor:
        """(blocks, keys): whether a key is on the map."""
        first = torch.arange(self.count, device=device)[:, None] * self.queries - self.before
        position = first + torch.arange(self.keys, device=device)
        return (position >= 0) & (position < self.size)


@dataclass(frozen=True)
class Cut:
    """Both sides of a map; x and y count the rows and columns of a block's queries, j and l those of its keys."""

    rows: Side
    columns: Side

    def query_blocks(self, maps: Tensor) -> Tensor:
        """(B, n, d, H, W) to (B, n, blocks, x, y, d)."""
        rows, columns = self.rows, self.columns
        if rows.extra or columns.extra:
            maps = F.pad(maps, (0, columns.extra, 0, rows.extra))
        maps = maps.unflatten(4, (columns.count, columns.queries)).unflatten(3, (rows.count, rows.queries))
        return maps.permute(0, 1, 3, 5, 4, 6, 2).flatten(2, 3)

    def key_blocks(self, maps: Tensor) -> Tensor:
        """(B, n, d, H, W) to (B, n, blocks, j, l, d), zero off the map."""
        rows, columns = self.rows, self.columns
        padding = (columns.before, columns.behind, rows.before, rows.behind)
        maps = F.pad(maps, padding) if any(padding) else maps
        maps = maps.unfold(3, rows.keys, rows.queries).unfold(4, columns.keys, columns.queries)
        return maps.permute(0, 1, 3, 4, 5, 6, 2).flatten(2, 3)

    def joined(self, blocks: Tensor) -> Tensor:
        """(B, n, blocks, x, y, d) to (B, n d, H, W), the inverse of ``query_blocks``."""
        blocks = blocks.unflatten(2, (self.rows.count, self.columns.count)).permute(0, 1, 6, 2, 4, 3, 5)
        return blocks.flatten(5, 6).flatten(3, 4).flatten(1, 2)[:, :, : self.rows.size, : self.columns.size]

    def keys_on_map(self, device: torch.device) -> Tensor:
        """(blocks, j, l): whether a key is on the map."""
        down, across = self.rows.on_map(device), self.columns.on_map(device)
        return (down[:, None, :, None] & across[None, :, None, :]).flatten(0, 1)

    def pairs(self, device: torch.device) -> Tensor:
        """(blocks, x, y, j, l): whether a pair is within the window and its key on the map."""
        down = self.rows.offsets(device) < self.rows.window
        across = self.columns.offsets(device) < self.columns.window
        return (down[:, None, :, None] & across[None, :, None, :]) & self.keys_on_map(device)[:, None, None]


@cache
def cheapest_cut(height: int, width: int, window: tuple[int, int]) -> Cut:
    """The blocks that cost least in products and copied keys, which have this many further dimensions."""

    def cost(cut: Cut) -> int:
        rows, columns = cut.rows, cut.columns
        keys = rows.count * columns.count * rows.keys * columns.keys
        return keys * (rows.queries * columns.queries + COPIED) * (rows.keys + columns.keys)

    return min(
        (
            Cut(Side(height, window[0], rows), Side(width, window[1], columns))
            for rows in range(1, min(height, MOST) + 1)
            for columns in range(1, min(width, MOST) + 1)
        ),
        key=cost,
    )
