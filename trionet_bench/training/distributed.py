"""Several processes, one result: started by torchrun, each rank works on its share of every batch.

There is no wrapper around the module, since the children of a supernet use other parameters in every step: gradients
are averaged where they exist, and all ranks must agree on where that is.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trionet_bench.errors import TrainingError

Value = TypeVar("Value")

_BUCKET_ELEMENTS = 8 * 2**20


def rank() -> int:
    """This process's number; 0 when it is alone."""
    return dist.get_rank() if _together() else 0


def world() -> int:
    """How many processes work together."""
    return dist.get_world_size() if _together() else 1


@contextmanager
def process_group(device: torch.device) -> Iterator[torch.device]:
    """Joins the processes that torchrun started, and yields the device of this one; alone, it does nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or _together():
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def average_gradients(module: nn.Module, share: float | None = None) -> None:
    """Replaces gradients by their mean over the ranks; TrainingError when they disagree on which parameters have one.

    Args:
        share: this rank's part of the batch, which weighs its gradients; the parts of all ranks add up to 1.
    """
    if world() == 1:
        return
    weight = 1 / world() if share is None else share
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    _check_agreement(named)
    gradients = [parameter.grad for _, parameter in named if parameter.grad is not None]
    for bucket in _buckets(gradients):
        flat = torch.cat([gradient.reshape(-1) for gradient in bucket]).mul_(weight)
        dist.all_reduce(flat)
        for gradient, mean in zip(bucket, torch.split(flat, [gradient.numel() for gradient in bucket]), strict=True):
            gradient.copy_(mean.view(gradient.shape))


def share_weights(module: nn.Module) -> None:
    """Gives all ranks the parameters and buffers of rank 0."""
    if world() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, src=0)


def average_buffers(module: nn.Module) -> None:
    """Makes floating-point buffers, such as BatchNorm statistics, the mean over the ranks."""
    if world() == 1:
        return
    for buffer in module.buffers():
        if buffer.is_floating_point():
            dist.all_reduce(buffer)
            buffer.div_(world())


def summed(values: Tensor) -> Tensor:
    """``values`` added up over the ranks."""
    if world() > 1:
        dist.all_reduce(values)
    return values


def totals(counts: Sequence[int], device: torch.device) -> list[int]:
    """Each of ``counts`` added up over the ranks."""
    return summed(torch.tensor(counts, device=device)).tolist() if world() > 1 else list(counts)


def gathered(value: Value) -> list[Value]:
    """``value`` of every rank, in the order of ranks."""
    if world() == 1:
        return [value]
    values = [value] * world()
    dist.all_gather_object(values, value)
    return values


def _together() -> bool:
    return dist.is_available() and dist.is_initialized()


def _check_agreement(named: list[tuple[str, nn.Parameter]]) -> None:
    present = torch.tensor([parameter.grad is not None for _, parameter in named], dtype=torch.int32)
    counts = summed(present.to(named[0][1].device)).tolist()
    torn = [name for (name, _), count in zip(named, counts, strict=True) if count not in (0, world())]
    if torn:
        raise TrainingError(
            f"{len(torn)} parameters, {torn[0]} first, have a gradient on some processes only: the processes trained "
            "different children. Draw children from (seed, step) alone."
        )


def _buckets(gradients: Iterable[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one dtype together, up to about 8 million numbers."""
    by_type: dict[torch.dtype, list[Tensor]] = {}
    for gradient in gradients:
        bucket = by_type.setdefault(gradient.dtype, [])
        bucket.append(gradient)
        if sum(member.numel() for member in bucket) >= _BUCKET_ELEMENTS:
            yield by_type.pop(gradient.dtype)
    yield from by_type.values()
