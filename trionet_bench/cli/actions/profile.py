"""Prints parameters, MACs and latency of a network."""

import json
from dataclasses import dataclass
from typing import Literal

import torch

from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.latency import measure_latency
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.named import Subject, profile_network, subject
from trionet_bench.spaces.published import PUBLISHED
from trionet_bench.terminal import echo
from trionet_bench.units import counted

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class LatencyOptions:
    """How latency is measured.

    Args:
        device: ``auto``, or a torch device name.
        threads: of torch on a CPU; None leaves their number.
        dtype: number format of weights and images.
        batch: images in the batch that is timed beside a single image.
        samples: timed passes.
    """

    device: str
    threads: int | None
    dtype: Literal["float32", "bfloat16"]
    batch: int
    samples: int


def print_profile(
    network: str, resolution: int | None, classes: int | None, latency: LatencyOptions | None, as_json: bool
) -> None:
    """Print what a network costs.

    Args:
        network: a name, or the path of an architecture file.
        resolution: side of the images in pixels; None: that of the file, or 224.
        classes: None: those of the file, or 1000.
        latency: None: it is not measured.
    """
    # Tests hold the two counts of every published network equal.
    profile = profile_network(network, resolution, classes, count=as_json or network not in PUBLISHED)
    if latency is not None:
        profile["latency"] = _latency(subject(network, resolution, classes), latency)
    if as_json:
        echo(json.dumps(profile, indent=2))
        return
    echo(f"{profile['name']}: {profile['params'] / 1e6:.2f} M parameters, {profile['macs'] / 1e9:.3f} G MACs")
    echo(f"at {profile['resolution']}x{profile['resolution']} pixels, {profile['classes']} classes, one image")
    for title, parts in (("by stage", profile["macs_by_stage"]), ("by operator", profile["macs_by_operator"])):
        echo(f"\nMACs {title}")
        for name, macs in parts.items():
            echo(f"  {name:<12}{macs / 1e6:>12,.2f} M{macs / profile['macs']:>8.1%}")
    if "macs_of_glit_code" in profile:
        echo(f"\nGLiT's released code counts {profile['macs_of_glit_code'] / 1e9:.3f} G: its gates by half.")
    if latency is not None:
        _show_latency(profile["latency"])


def _latency(network: Subject, options: LatencyOptions) -> JsonObject:
    image = (network.channels, network.resolution, network.resolution)
    return measure_latency(
        initialise(network.build(), 0),
        image,
        (1, options.batch),
        options.device,
        options.threads,
        _DTYPES[options.dtype],
        options.samples,
    )


def _show_latency(latency: JsonObject) -> None:
    threads = f", {counted(latency['threads'], 'thread')}" if latency["device"] == "cpu" else ""
    echo(f"\nLatency on {latency['device_name']} ({latency['device']}{threads}, {latency['dtype']})")
    for row in latency["batches"]:
        low, high = row["quartiles_ms"]
        images = "1 image  " if row["batch"] == 1 else f"{row['batch']} images"
        speed = f"{row['images_per_s']:,.1f} images/s"
        echo(f"  {images:<12}{row['median_ms']:>10.2f} ms, quartiles {low:.2f} to {high:.2f}, {speed}")
    echo(f"  medians of {latency['samples']} passes after {latency['warm_up']} to warm up")
