"""What every call of the C kernels needs: the maps in the tensors, and the parts that the work is cut into."""

import torch
from torch import Tensor

from trionet_bench.networks.attention import kernels
from trionet_bench.networks.attention.kernels.problem import Maps, Problem, Task

MOST_GROUPS = 64  # the most threads that can work on one call


def maps(x: Tensor, first: int, size: int) -> Maps:
    """Heads of ``size`` channels each, from channel ``first`` of (B, C, H, W)."""
    plane = x.stride(1)
    return Maps(x.data_ptr() + first * plane * x.element_size(), x.stride(0), size * plane)


def address(x: Tensor | None) -> int | None:
    """Of the first number."""
    return None if x is None else x.data_ptr()


def groups(count: int, dtype: torch.dtype) -> int:
    """Parts of the work on this many maps: at most one for each vector of them, of the widest vectors there are."""
    return min(MOST_GROUPS, -(-count // (64 // dtype.itemsize)))


def problem_of(qkv: Tensor, heads: int, qk: int, v: int) -> Problem:
    """Sizes and inputs that every task needs, for maps that are whole feature maps.

    Queries, keys and values are (B, n (2 d_qk + d_v), H, W). All tensors are contiguous, and must outlive the call.
    """
    batch, _, height, width = qkv.shape
    return Problem(
        images=batch,
        heads=heads,
        lines=1,
        line_stride=0,
        height=height,
        width=width,
        position_stride=1,
        channel_stride=height * width,
        qk_size=qk,
        v_size=v,
        groups=groups(batch * heads, qkv.dtype),
        q=maps(qkv, 0, qk),
        k=maps(qkv, heads * qk, qk),
        v=maps(qkv, 2 * heads * qk, v),
    )


def new_gradients(problem: Problem, qkv: Tensor) -> Tensor:
    """New memory for the gradients of queries, keys and values, which becomes an output of the problem."""
    heads, qk, v = problem.heads, problem.qk_size, problem.v_size
    dqkv = torch.empty_like(qkv)
    problem.dq, problem.dk = maps(dqkv, 0, qk), maps(dqkv, heads * qk, qk)
    problem.dv = maps(dqkv, 2 * heads * qk, v)
    return dqkv


def run(task: Task, problem: Problem, dtype: torch.dtype) -> None:
    """Do a task in numbers of a type."""
    kernels.run(dtype, problem, task, problem.groups)
