"""Criss-cross attention by the C kernels, as a differentiable function; ``kernels/cross.h`` has the formulas."""

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from trionet_bench.networks.attention.calls import maps, new_gradients, problem_of, run
from trionet_bench.networks.attention.kernels.problem import Task

# Images times heads that are worth a call: with fewer, lanes of wide vectors are empty, and matrix products are faster.
LEAST = 16

# Custom operations, so that torch's counter sees what they stand for.


@torch.library.custom_op("trionet::cross", mutates_args=(), device_types="cpu")
def _cross(qkv: Tensor, heads: int, qk: int, v: int) -> tuple[Tensor, Tensor]:
    """Retrieved values (B, n d_v, H, W), and what backward needs of each query's softmax."""
    output, softmax = _outputs(qkv, heads, v)
    problem = problem_of(qkv, heads, qk, v)
    problem.content, problem.softmax = maps(output, 0, v), maps(softmax, 0, 2)
    run(Task.CROSS, problem, qkv.dtype)
    return output, softmax


@_cross.register_fake
def _(qkv: Tensor, heads: int, qk: int, v: int) -> tuple[Tensor, Tensor]:
    return _outputs(qkv, heads, v)


def _outputs(qkv: Tensor, heads: int, v: int) -> tuple[Tensor, Tensor]:
    batch, _, height, width = qkv.shape
    return qkv.new_empty(batch, heads * v, height, width), qkv.new_empty(batch, heads * 2, height, width)


@torch.library.custom_op("trionet::cross_back", mutates_args=(), device_types="cpu")
def _cross_backward(
    doutput: Tensor, output: Tensor, softmax: Tensor, qkv: Tensor, heads: int, qk: int, v: int
) -> Tensor:
    """The gradient of qkv."""
    problem = problem_of(qkv, heads, qk, v)
    problem.content, problem.attended, problem.softmax = maps(doutput, 0, v), maps(output, 0, v), maps(softmax, 0, 2)
    dqkv = new_gradients(problem, qkv)
    run(Task.CROSS_BACKWARD, problem, qkv.dtype)
    return dqkv


Shape = tuple[int, ...]  # torch hands shapes to a formula in place of tensors


@register_flop_formula(torch.ops.trionet.cross)
def _flops(qkv: Shape, heads: int, qk: int, v: int, **_: object) -> int:
    """Products with all keys of the row and all of the column, as ``CrissCrossAttention.keys`` counts them."""
    batch, _channels, height, width = qkv
    return 2 * batch * heads * height * width * (height + width) * (qk + v)


@register_flop_formula(torch.ops.trionet.cross_back)
def _backward_flops(
    doutput: Shape, output: Shape, softmax: Shape, qkv: Shape, heads: int, qk: int, v: int, **_: object
) -> int:
    """Each product has two adjoints."""
    return 2 * _flops(qkv, heads, qk, v)


class _CrossFunction(torch.autograd.Function):
    """``attend``."""

    sizes: tuple[int, int, int]

    @staticmethod
    def forward(ctx: "_CrossFunction", qkv: Tensor, heads: int, qk: int, v: int) -> Tensor:
        ctx.sizes = heads, qk, v
        output: Tensor
        output, softmax = _cross(qkv, *ctx.sizes)
        ctx.save_for_backward(output, softmax, qkv)
        return output

    @staticmethod
    def backward(ctx: "_CrossFunction", doutput: Tensor) -> tuple[Tensor | None, ...]:
        saved: tuple[Tensor, ...] = ctx.saved_tensors
        return _cross_backward(doutput.contiguous(), *saved, *ctx.sizes), None, None, None


def attend(qkv: Tensor, heads: int, qk: int, v: int) -> Tensor:
    """Criss-cross attention on a CPU, in a type for which there are kernels: queries, keys and values
    (B, n (2 d_qk + d_v), H, W) to (B, n d_v, H, W).
    """
    result: Tensor = _CrossFunction.apply(qkv.contiguous(), heads, qk, v)
    return result
