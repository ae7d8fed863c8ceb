"""Window attention by the C kernels, as differentiable functions; ``kernels/window.h`` has the formulas.

Axial attention too: every row, or every column, is a map with a window that reaches from end to end.
"""

import math
from dataclasses import astuple, dataclass
from typing import Literal, cast

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from trionet_bench.networks.attention.calls import address, groups, maps, new_gradients, problem_of, run
from trionet_bench.networks.attention.kernels.problem import Problem, Task

Lines = Literal["map", "rows", "columns"]


@dataclass(frozen=True)
class Window:
    """Which positions attend over which.

    Args:
        heads: n.
        qk, v: dimensions per head; the first ``qk_rows`` and ``v_rows`` of a position vector depend on the row offset,
            the others on the column offset.
        rows, columns: offsets that the position tables hold.
        lines: "map" for windows on the feature map, "rows" or "columns" where each of them is an independent map.
    """

    heads: int
    qk: int
    v: int
    qk_rows: int
    v_rows: int
    rows: int
    columns: int
    lines: Lines = "map"

    def map_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of one map, of a feature map of this size."""
        return {"map": (height, width), "rows": (1, width), "columns": (1, height)}[self.lines]

    def maps_by_head(self, x: Tensor) -> tuple[int, int, int]:
        """Images, heads, and independent maps of each, of a feature map (B, C, H, W)."""
        return x.shape[0], self.heads, {"map": 1, "rows": x.shape[2], "columns": x.shape[3]}[self.lines]

    def pairs(self, height: int, width: int) -> int:
        """Pairs of positions of one head that have both ends on a map, of a feature map of this size."""
        rows, columns = self.map_size(height, width)
        return height * width // (rows * columns) * _pairs_along(rows, self.rows) * _pairs_along(columns, self.columns)

    def valid_pairs(self, x: Tensor) -> int:
        """``pairs`` of all images of a feature map (B, C, H, W)."""
        return x.shape[0] * self.pairs(x.shape[2], x.shape[3])

    def table_size(self, size: int, rows: int) -> int:
        """Entries of a table of position vectors of ``size`` dimensions, of which ``rows`` depend on the row offset."""
        return rows * self.rows + (size - rows) * self.columns

    def table_sizes(self) -> list[int]:
        """Entries of the query, key and value tables."""
        qk = self.table_size(self.qk, self.qk_rows)
        return [qk, qk, self.table_size(self.v, self.v_rows)]

    def split(self, qkv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``split_heads`` for these heads."""
        return split_heads(qkv, self.heads, self.qk, self.v)

    def packed(self) -> tuple[list[int], Lines]:
        """The fields in types that a custom operation of torch may take; ``unpacked`` is the inverse."""
        *numbers, _ = astuple(self)
        return numbers, self.lines


def split_heads(qkv: Tensor, heads: int, qk: int, v: int) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys (B, n, d_qk, H, W), and values (B, n, d_v, H, W), of (B, n (2 d_qk + d_v), H, W)."""
    queries, keys, values = qkv.split([heads * qk, heads * qk, heads * v], dim=1)
    return queries.unflatten(1, (heads, qk)), keys.unflatten(1, (heads, qk)), values.unflatten(1, (heads, v))


def _pairs_along(size: int, window: int) -> int:
    """Pairs of two of ``size`` positions on a line that are at most half a window apart."""
    return sum(max(0, size - abs(offset)) for offset in range(-(window // 2), window // 2 + 1))


def unpacked(numbers: list[int], lines: str) -> Window:
    """The window of ``Window.packed``."""
    heads, qk, v, qk_rows, v_rows, rows, columns = numbers
    return Window(heads, qk, v, qk_rows, v_rows, rows, columns, cast(Lines, lines))


# Calls of the kernels.


def _problem(
    window: Window, qkv: Tensor, query_table: Tensor, key_table: Tensor | None, value_table: Tensor | None = None
) -> Problem:
    """Sizes and inputs that every task needs; see ``calls.problem_of``."""
    height, width = qkv.shape[2:]
    problem = problem_of(qkv, window.heads, window.qk, window.v)
    problem.lines, problem.line_stride, problem.position_stride = {
        "map": (1, 0, 1),
        "rows": (height, width, 1),
        "columns": (width, 1, width),
    }[window.lines]
    problem.groups = groups(math.prod(window.maps_by_head(qkv)), qkv.dtype)
    problem.height, problem.width = window.map_size(height, width)
    problem.window_rows, problem.window_columns = window.rows, window.columns
    problem.qk_row_size, problem.v_row_size = window.qk_rows, window.v_rows
    problem.position_sensitive = int(key_table is not None)
    problem.query_table, problem.key_table = address(query_table), address(key_table)
    problem.value_table = address(value_table)
    return problem


def _set_output(problem: Problem, window: Window, output: Tensor) -> None:
    """Content, then where there are tables for it positional values: (B, n d_v or 2 n d_v, H, W)."""
    problem.content = maps(output, 0, window.v)
    problem.positional = maps(output, window.heads * window.v, window.v)


def _set_gradients(problem: Problem, window: Window, qkv: Tensor) -> tuple[Tensor, Tensor]:
    """New memory for the gradients of qkv and, a row for each group, of the tables end to end."""
    dtables = qkv.new_empty(problem.groups, sum(window.table_sizes()))
    problem.dtables = address(dtables)
    return new_gradients(problem, qkv), dtables


# Attention. Custom operations, so that torch's counter sees what they stand for.


@torch.library.custom_op("trionet::attend", mutates_args=(), device_types="cpu")
def _attend(
    qkv: Tensor,
    query_table: Tensor,
    key_table: Tensor | None,
    value_table: Tensor | None,
    scale: Tensor | None,
    window: list[int],
    lines: str,
) -> tuple[Tensor, Tensor]:
    """Retrieved values (B, n d_v or 2 n d_v, H, W), content first, and what backward needs of each query's softmax."""
    w = unpacked(window, lines)
    batch, _, height, width = qkv.shape
    kinds = 1 if value_table is None else 2
    output = qkv.new_empty(batch, kinds * w.heads * w.v, height, width)
    softmax = qkv.new_empty(batch, w.heads * 2, height, width)
    problem = _problem(w, qkv, query_table, key_table, value_table)
    problem.scale, problem.softmax = address(scale), maps(softmax, 0, 2)
    _set_output(problem, w, output)
    run(Task.ATTEND, problem, qkv.dtype)
    return output, softmax


@_attend.register_fake
def _(
    qkv: Tensor,
    query_table: Tensor,
    key_table: Tensor | None,
    value_table: Tensor | None,
    scale: Tensor | None,
    window: list[int],
    lines: str,
) -> tuple[Tensor, Tensor]:
    w = unpacked(window, lines)
    batch, _, height, width = qkv.shape
    kinds = 1 if value_table is None else 2
    output = qkv.new_empty(batch, kinds * w.heads * w.v, height, width)
    return output, qkv.new_empty(batch, w.heads * 2, height, width)


@torch.library.custom_op("trionet::attend_back", mutates_args=(), device_types="cpu")
def _attend_backward(
    doutput: Tensor,
    softmax: Tensor,
    qkv: Tensor,
    query_table: Tensor,
    key_table: Tensor | None,
    value_table: Tensor | None,
    scale: Tensor | None,
    window: list[int],
    lines: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of qkv, of the tables in one row, and of the scale (n, 3)."""
    w = unpacked(window, lines)
    problem = _problem(w, qkv, query_table, key_table, value_table)
    dscale = qkv.new_zeros(*w.maps_by_head(qkv), 3)
    problem.scale, problem.softmax, problem.dscale = address(scale), maps(softmax, 0, 2), address(dscale)
    _set_output(problem, w, doutput)
    dqkv, dtables = _set_gradients(problem, w, qkv)
    run(Task.ATTEND_BACKWARD, problem, qkv.dtype)
    return dqkv, dtables.sum(0), dscale.sum((0, 2))


Shape = tuple[int, ...]  # torch hands shapes to a formula in place of tensors


def _flops(window: list[int], lines: str, qkv: Shape, sensitive: bool) -> int:
    w = unpacked(window, lines)
    batch, _, height, width = qkv
    terms = 3 * w.qk + 2 * w.v if sensitive else 2 * w.qk + w.v
    return 2 * batch * w.heads * w.pairs(height, width) * terms


@register_flop_formula(torch.ops.trionet.attend)
def _attend_flops(
    qkv: Shape,
    query: Shape,
    key: Shape | None,
    value: Shape | None,
    scale: Shape | None,
    window: list[int],
    lines: str,
    **_: object,
) -> int:
    """Every product of every pair on the map, whatever the kernel does to get it."""
    return _flops(window, lines, qkv, key is not None)


@register_flop_formula(torch.ops.trionet.attend_back)
def _attend_backward_flops(
    doutput: Shape,
    softmax: Shape,
    qkv: Shape,
    query: Shape,
    key: Shape | None,
    value: Shape | None,
    scale: Shape | None,
    window: list[int],
    lines: str,
    **_: object,
) -> int:
    """Each product has two adjoints."""
    return 2 * _flops(window, lines, qkv, key is not None)


class _AttendFunction(torch.autograd.Function):
    """``attend``; its inputs are those of the operation."""

    window: tuple[list[int], Lines]

    @staticmethod
    def forward(
        ctx: "_AttendFunction",
        qkv: Tensor,
        query_table: Tensor,
        key_table: Tensor | None,
        value_table: Tensor | None,
        scale: Tensor | None,
        window: Window,
    ) -> Tensor:
        ctx.window = window.packed()
        output: Tensor
        output, softmax = _attend(qkv, query_table, key_table, value_table, scale, *ctx.window)
        saved = softmax, qkv, query_table, key_table, value_table, scale
        ctx.save_for_backward(*saved)  # type: ignore[arg-type]  # torch also takes None, and gives it back
        return output

    @staticmethod
    def backward(ctx: "_AttendFunction", doutput: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor | None, ...] = ctx.saved_tensors
        dqkv, dtables, dscale = _attend_backward(doutput.contiguous(), *saved, *ctx.window)
        dquery, dkey, dvalue = dtables.split(unpacked(*ctx.window).table_sizes())
        if saved[3] is None:
            return dqkv, dquery, None, None, None, None
        return dqkv, dquery, dkey, dvalue, dscale, None


def attend(
    window: Window,
    qkv: Tensor,
    query_table: Tensor,
    key_table: Tensor | None = None,
    value_table: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """Attention on a CPU, in a type for which there are kernels.

    Args:
        qkv: queries, keys and values (B, n (2 d_qk + d_v), H, W).
        query_table, key_table, value_table: position vectors, flat: (row dimensions, rows), then (the others, columns).
        scale: (n, 3), multiplies q.k, q.r and k.r.

    Returns (B, n d_v, H, W); with all tables (B, 2 n d_v, H, W), first the content, then the positional values.
    """
    scale = None if scale is None else scale.contiguous()
    result: Tensor = _AttendFunction.apply(qkv.contiguous(), query_table, key_table, value_table, scale, window)
    return result


# Moments of the terms, for their batch normalisation.


class _ObserveFunction(torch.autograd.Function):
    """``observe``."""

    window: Window
    shape: torch.Size

    @staticmethod
    def forward(ctx: "_ObserveFunction", qkv: Tensor, query_table: Tensor, key_table: Tensor, window: Window) -> Tensor:
        moments = qkv.new_empty(*window.maps_by_head(qkv), 3, 2)
        problem = _problem(window, qkv, query_table, key_table)
        problem.moments = address(moments)
        run(Task.OBSERVE, problem, qkv.dtype)
        ctx.save_for_backward(qkv, query_table, key_table)
        ctx.window, ctx.shape = window, moments.shape
        return moments.sum((0, 2), dtype=torch.float64)

    @staticmethod
    def backward(ctx: "_ObserveFunction", dmoments: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors
        qkv, query_table, key_table = saved
        w = ctx.window
        moments = dmoments.to(qkv.dtype)[:, None].expand(ctx.shape).contiguous()
        problem = _problem(w, qkv, query_table, key_table)
        problem.moments = address(moments)
        dqkv, dtables = _set_gradients(problem, w, qkv)
        dqkv[:, 2 * w.heads * w.qk :] = 0  # values have no part in the terms
        run(Task.OBSERVE_BACKWARD, problem, qkv.dtype)
        dquery, dkey, _ = dtables.sum(0).split(w.table_sizes())
        return dqkv, dquery, dkey, None


def observe(window: Window, qkv: Tensor, query_table: Tensor, key_table: Tensor) -> Tensor:
    """Sums and sums of squares of q.k, q.r and k.r over the pairs on the map: (n, 3, 2), float64. Arguments as of
    ``attend``.
    """
    result: Tensor = _ObserveFunction.apply(qkv.contiguous(), query_table, key_table, window)
    return result
