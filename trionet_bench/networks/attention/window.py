"""Window attention by the C kernels, as differentiable functions; see ``kernels/window.c`` for what is computed.

Also axial attention: every row, or every column, a map of its own with a window that reaches from end to end.
"""

import ctypes
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from trionet_bench.networks.attention import kernels

ATTEND, ATTEND_BACK, OBSERVE, OBSERVE_BACK = range(4)
GROUPS = 64  # the most threads that can work on one call


@dataclass(frozen=True)
class Window:
    """What attends over what.

    Args:
        heads: n.
        qk, v: dimensions per head; the first ``qk_rows`` and ``v_rows`` of a position vector depend on the row offset,
            the others on the column offset.
        rows, columns: offsets that the position tables hold.
        lines: "map" for windows on the whole map, "rows" or "columns" where each of them is a map of its own.
    """

    heads: int
    qk: int
    v: int
    qk_rows: int
    v_rows: int
    rows: int
    columns: int
    lines: str = "map"

    def map_size(self, height: int, width: int) -> tuple[int, int]:
        """Of one map, out of a feature map of this size."""
        return {"map": (height, width), "rows": (1, width), "columns": (1, height)}[self.lines]

    def maps_by_head(self, x: Tensor) -> tuple[int, int, int]:
        """Images, heads, and independent maps of each, of a feature map (B, C, H, W)."""
        return x.shape[0], self.heads, {"map": 1, "rows": x.shape[2], "columns": x.shape[3]}[self.lines]

    def pairs(self, height: int, width: int) -> int:
        """Keys for each query by definition, those masked at the border included."""
        return self.rows * self.columns if self.lines == "map" else self.map_size(height, width)[1]

    def valid_pairs(self, x: Tensor) -> int:
        """Pairs of one head with both ends on a map, for a feature map (B, C, H, W)."""

        def along(size: int, window: int) -> int:
            return sum(max(0, size - abs(offset)) for offset in range(-(window // 2), window // 2 + 1))

        batch, _, lines = self.maps_by_head(x)
        rows, columns = self.map_size(x.shape[2], x.shape[3])
        return batch * lines * along(rows, self.rows) * along(columns, self.columns)

    def table_size(self, size: int, rows: int) -> int:
        """Entries of a position table."""
        return rows * self.rows + (size - rows) * self.columns


def _window(fields: list[int], lines: str) -> Window:
    heads, qk, v, qk_rows, v_rows, rows, columns = fields
    return Window(heads, qk, v, qk_rows, v_rows, rows, columns, lines)


class _Maps(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("batch", ctypes.c_int64), ("head", ctypes.c_int64)]


_INTEGERS = (
    *("batch", "heads", "inner", "inner_stride", "height", "width", "step", "plane"),
    *("rows", "columns", "qk", "qk_rows", "v", "v_rows", "sensitive", "groups"),
)
_MAPS = ("q", "k", "value", "content", "placed", "dq", "dk", "dvalue")
_ARRAYS = ("query_table", "key_table", "value_table", "scale", "softmax", "moments", "dscale", "dtables")


class _Problem(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int64) for name in _INTEGERS),
        *((name, _Maps) for name in _MAPS),
        *((name, ctypes.c_void_p) for name in _ARRAYS),
    ]


def _groups(window: Window, qkv: Tensor) -> int:
    """Parts that the work is cut into; the maps of the widest vector are the smallest."""
    return min(GROUPS, -(-math.prod(window.maps_by_head(qkv)) // (64 // qkv.element_size())))


def _maps(x: Tensor, first: int, size: int) -> _Maps:
    """Heads of ``size`` channels each, from channel ``first`` of (B, C, H, W)."""
    plane = x.stride(1)
    return _Maps(x.data_ptr() + first * plane * x.element_size(), x.stride(0), size * plane)


def _run(task: int, window: Window, qkv: Tensor, **tensors: Tensor | None) -> None:
    """``tensors``: arrays by their names; ``dqkv``, and ``output`` for content and placed, (B, C, H, W) all."""
    batch, _, height, width = qkv.shape
    problem = _Problem()
    rows, columns = window.map_size(height, width)
    inner, inner_stride, step = {"map": (1, 0, 1), "rows": (height, width, 1), "columns": (width, 1, width)}[
        window.lines
    ]
    groups = _groups(window, qkv)
    values = (
        *(batch, window.heads, inner, inner_stride, rows, columns, step, height * width),
        *(window.rows, window.columns, window.qk, window.qk_rows, window.v, window.v_rows),
        *(int(tensors.get("key_table") is not None), groups),
    )
    for name, value in zip(_INTEGERS, values, strict=True):
        setattr(problem, name, value)
    starts = [0, window.heads * window.qk, 2 * window.heads * window.qk]
    sizes = [window.qk, window.qk, window.v]
    for names, whole in ((("q", "k", "value"), qkv), (("dq", "dk", "dvalue"), tensors.pop("dqkv", None))):
        if whole is not None:
            for name, start, size in zip(names, starts, sizes, strict=True):
                setattr(problem, name, _maps(whole, start, size))
    output = tensors.pop("output", None)
    if output is not None:
        problem.content, problem.placed = _maps(output, 0, window.v), _maps(output, window.heads * window.v, window.v)
    for name, tensor in tensors.items():
        if tensor is not None:
            setattr(problem, name, tensor.data_ptr())
    kernels.run(qkv.dtype, problem, task, groups)


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
    """Retrieved values (B, n d_v or 2 n d_v, H, W), content first, and what the softmax of each query was."""
    w = _window(window, lines)
    batch, _, height, width = qkv.shape
    kinds = 1 if value_table is None else 2
    output = qkv.new_empty(batch, kinds * w.heads * w.v, height, width)
    softmax = qkv.new_empty(batch * w.heads * height * width, 2)
    tables = {"query_table": query_table, "key_table": key_table, "value_table": value_table, "scale": scale}
    _run(ATTEND, w, qkv, output=output, softmax=softmax, **tables)
    return output, softmax


@torch.library.custom_op("trionet::attend_back", mutates_args=(), device_types="cpu")
def _attend_back(
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
    w = _window(window, lines)
    dqkv, dtables = _gradients(w, qkv)
    dscale = qkv.new_zeros(*w.maps_by_head(qkv), 3)
    tables = {"query_table": query_table, "key_table": key_table, "value_table": value_table, "scale": scale}
    _run(ATTEND_BACK, w, qkv, output=doutput, softmax=softmax, dqkv=dqkv, dtables=dtables, dscale=dscale, **tables)
    return dqkv, dtables.sum(0), dscale.sum((0, 2))


def _gradients(window: Window, qkv: Tensor) -> tuple[Tensor, Tensor]:
    """Room for the gradients of qkv and, a row for each group, of the tables."""
    size = 2 * window.table_size(window.qk, window.qk_rows) + window.table_size(window.v, window.v_rows)
    return torch.empty_like(qkv), qkv.new_empty(_groups(window, qkv), size)


def _flops(window: list[int], lines: str, shape: tuple[int, ...], sensitive: bool) -> int:
    w = _window(window, lines)
    batch, _, height, width = shape
    terms = 3 * w.qk + 2 * w.v if sensitive else 2 * w.qk + w.v
    return 2 * batch * w.heads * height * width * w.pairs(height, width) * terms


@register_flop_formula(torch.ops.trionet.attend)
def _attend_flops(qkv: Any, query: Any, key: Any, value: Any, scale: Any, window: Any, lines: Any, **_: Any) -> int:
    """As defined, every product over every offset, whatever the kernel saves."""
    return _flops(window, lines, qkv, key is not None)


@register_flop_formula(torch.ops.trionet.attend_back)
def _attend_back_flops(
    doutput: Any,
    softmax: Any,
    qkv: Any,
    query: Any,
    key: Any,
    value: Any,
    scale: Any,
    window: Any,
    lines: Any,
    **_: Any,
) -> int:
    """Each product has two adjoints."""
    return 2 * _flops(window, lines, qkv, key is not None)


class _Attend(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:  # type: ignore[override]
        output, softmax = _attend(*inputs)
        *tensors, ctx.window, ctx.lines = inputs
        ctx.save_for_backward(softmax, *tensors)
        return output

    @staticmethod
    def backward(ctx: Any, doutput: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        w = _window(ctx.window, ctx.lines)
        dqkv, dtables, dscale = _attend_back(doutput.contiguous(), *ctx.saved_tensors, ctx.window, ctx.lines)
        dquery, dkey, dvalue = _split_tables(w, dtables)
        if ctx.saved_tensors[3] is None:
            return dqkv, dquery, None, None, None, None, None
        return dqkv, dquery, dkey, dvalue, dscale, None, None


def _split_tables(w: Window, tables: Tensor) -> tuple[Tensor, ...]:
    size = w.table_size(w.qk, w.qk_rows)
    return tables.split([size, size, w.table_size(w.v, w.v_rows)])


class _Observe(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, qkv: Tensor, query_table: Tensor, key_table: Tensor, window: Window) -> Tensor:  # type: ignore[override]
        moments = qkv.new_empty(*window.maps_by_head(qkv), 3, 2)
        _run(OBSERVE, window, qkv, query_table=query_table, key_table=key_table, moments=moments)
        ctx.save_for_backward(qkv, query_table, key_table)
        ctx.window, ctx.shape = window, moments.shape
        return moments.sum((0, 2), dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, dmoments: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        qkv, query_table, key_table = ctx.saved_tensors
        w: Window = ctx.window
        moments = dmoments.to(qkv.dtype)[:, None].expand(ctx.shape).contiguous()
        dqkv, dtables = _gradients(w, qkv)
        dqkv[:, 2 * w.heads * w.qk :] = 0
        _run(
            OBSERVE_BACK,
            w,
            qkv,
            query_table=query_table,
            key_table=key_table,
            moments=moments,
            dqkv=dqkv,
            dtables=dtables,
        )
        dquery, dkey, _ = _split_tables(w, dtables.sum(0))
        return dqkv, dquery, dkey, None


def attend(
    window: Window,
    qkv: Tensor,
    query_table: Tensor,
    key_table: Tensor | None = None,
    value_table: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """(B, n (2 d_qk + d_v), H, W), queries, keys, values, to (B, n d_v, H, W); with all tables (B, 2 n d_v, H, W),
    first the content, then the positions. ``scale`` (n, 3) multiplies q.k, q.r and k.r.
    """
    scale = None if scale is None else scale.contiguous()
    fields = [window.heads, window.qk, window.v, window.qk_rows, window.v_rows, window.rows, window.columns]
    result: Tensor = _Attend.apply(qkv.contiguous(), query_table, key_table, value_table, scale, fields, window.lines)
    return result


def observe(window: Window, qkv: Tensor, query_table: Tensor, key_table: Tensor) -> Tensor:
    """Sums and sums of squares of q.k, q.r and k.r over the pairs on the map: (n, 3, 2)."""
    result: Tensor = _Observe.apply(qkv.contiguous(), query_table, key_table, window)
    return result
