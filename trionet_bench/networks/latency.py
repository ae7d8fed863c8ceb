"""Latency of a network for one image, and its throughput for batches."""

import statistics
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from trionet_bench.timing import in_turns
from trionet_bench.timing import threads as computing_threads
from trionet_bench.training.device import environment, resolve_device

WARM_UP = 3  # rounds before the clock counts


def measure_latency(
    network: nn.Module,
    image: Sequence[int],
    batches: Sequence[int],
    device: str = "auto",
    threads: int | None = None,
    dtype: torch.dtype = torch.float32,
    samples: int = 20,
) -> dict[str, Any]:
    """Milliseconds of a forward pass in evaluation mode, for each batch size in turns, after a warm-up.

    The network is moved to ``device`` and ``dtype``; weights and images are in ``dtype``.

    Args:
        network: of images (B, C, H, W).
        image: shape (C, H, W).
        batches: batch sizes B.
        device: as ``training.device.resolve_device`` reads it.
        threads: of torch on a CPU; None leaves their number.
        dtype: floating-point type.
        samples: of each batch size.

    Returns device, threads, type and samples, and for each batch size median, quartiles and samples in milliseconds,
    and images a second.
    """
    where = resolve_device(device)
    network = network.to(where, dtype).eval()
    generator = torch.Generator().manual_seed(0)
    inputs = {batch: torch.randn(batch, *image, generator=generator).to(where, dtype) for batch in batches}
    steps = {str(batch): lambda images=images: network(images) for batch, images in inputs.items()}
    with computing_threads(threads) as used, torch.inference_mode():
        rounds = in_turns(steps, samples + WARM_UP - 1, where)  # which drops the first itself
    return {
        "device": str(where),
        "device_name": environment(where).device_name,
        "threads": used,
        "dtype": str(dtype).removeprefix("torch."),
        "warm_up": WARM_UP,
        "samples": samples,
        "batches": [_summary(batch, rounds[str(batch)][WARM_UP - 1 :]) for batch in batches],
    }


def _summary(batch: int, times: list[float]) -> dict[str, Any]:
    """Median and quartiles of milliseconds, each an interpolation between samples."""
    lower, median, upper = statistics.quantiles(times, n=4, method="inclusive")
    return {
        "batch": batch,
        "median_ms": median,
        "quartiles_ms": [lower, upper],
        "images_per_s": 1000 * batch / median,
        "samples_ms": times,
    }
