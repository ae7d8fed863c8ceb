"""Batch normalisation by a batch's own statistics, with a shortcut's sum and a ReLU, as one differentiable function."""

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from trionet_bench.networks.normalisation import kernel
from trionet_bench.networks.normalisation.kernel import Problem


class _Context(FunctionCtx):
    """What forward keeps for backward; ``y`` only where it is rectified."""

    saved_tensors: tuple[Tensor, Tensor | None, Tensor, Tensor, Tensor]
    rectified: bool
    with_shortcut: bool


class _NormaliseFunction(torch.autograd.Function):
    """``normalise``, without what torch computes of the statistics."""

    @staticmethod
    def forward(
        ctx: _Context, x: Tensor, weight: Tensor, bias: Tensor, eps: float, shortcut: Tensor | None, rectified: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        y = torch.empty_like(x)
        mean, inverse = (torch.empty(x.shape[1], dtype=torch.float64) for _ in range(2))
        problem = _problem(x, rectified, mean, inverse, eps)
        problem.weight, problem.bias, problem.out = weight.data_ptr(), bias.data_ptr(), y.data_ptr()
        problem.shortcut = None if shortcut is None else shortcut.data_ptr()
        kernel.run(x.dtype, problem, backward=False)
        ctx.save_for_backward(x, y if rectified else None, weight, mean, inverse)  # type: ignore[arg-type]
        ctx.mark_non_differentiable(mean, inverse)
        ctx.rectified, ctx.with_shortcut = rectified, shortcut is not None
        return y, mean, inverse

    @staticmethod
    def backward(ctx: _Context, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight, mean, inverse = ctx.saved_tensors
        dy = dy.contiguous()
        dx, dweight, dbias = torch.empty_like(x), torch.empty_like(weight), torch.empty_like(weight)
        # Without a ReLU the shortcut's gradient is that of the output.
        dshortcut = dy if ctx.with_shortcut and not ctx.rectified else None
        problem = _problem(x, ctx.rectified, mean, inverse, 0.0)
        problem.weight, problem.dy, problem.out = weight.data_ptr(), dy.data_ptr(), dx.data_ptr()
        problem.dweight, problem.dbias = dweight.data_ptr(), dbias.data_ptr()
        if y is not None:
            problem.y = y.data_ptr()
            if ctx.with_shortcut:
                dshortcut = torch.empty_like(x)
                problem.dshortcut = dshortcut.data_ptr()
        kernel.run(x.dtype, problem, backward=True)
        return dx, dweight, dbias, None, dshortcut, None


def normalise(
    x: Tensor, weight: Tensor, bias: Tensor, eps: float, shortcut: Tensor | None = None, rectified: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Contiguous maps (B, C, H, W), normalised by their own statistics.

    Args:
        weight, bias: (C), behind the normalisation.
        shortcut: (B, C, H, W), added to the normalised maps.
        rectified: whether a ReLU follows.

    Returns the maps, and what they were normalised by: the mean and 1 over the standard deviation (C), float64.
    """
    shortcut = None if shortcut is None else shortcut.contiguous()
    result: tuple[Tensor, Tensor, Tensor] = _NormaliseFunction.apply(
        x, weight.contiguous(), bias.contiguous(), eps, shortcut, rectified
    )
    return result


def _problem(x: Tensor, rectified: bool, mean: Tensor, inverse: Tensor, eps: float) -> Problem:
    """Sizes and what both directions need. All tensors must outlive the call."""
    return Problem(
        images=x.shape[0],
        channels=x.shape[1],
        positions=x.shape[2] * x.shape[3],
        rectified=int(rectified),
        x=x.data_ptr(),
        mean=mean.data_ptr(),
        inverse=inverse.data_ptr(),
        eps=eps,
    )
