"""``trionet-bench profile``: what a network costs."""

from pathlib import Path
from typing import Literal

import click

from trionet_bench.cli._options import json_option, results_option

THROUGHPUT_BATCH, SAMPLES = 32, 20
FORMATS = ("md", "csv", "tex", "html")


@click.command()
@click.argument("network", required=False)
@click.option("--resolution", type=click.IntRange(min=1), help="Side of the images in pixels.  [default: 224]")
@click.option("--classes", type=click.IntRange(min=1), help="Classes of the last layer.  [default: 1000]")
@click.option("--latency", is_flag=True, help="Also measure how long one image and a batch of them take here.")
@click.option("--device", help="With --latency: auto, cpu, cuda, cuda:1, mps.  [default: auto]")
@click.option("--threads", type=click.IntRange(min=1), help="With --latency: of torch on a CPU.  [default: torch's]")
@click.option("--dtype", type=click.Choice(["float32", "bfloat16"]), help="With --latency.  [default: float32]")
@click.option("--batch", type=click.IntRange(min=2), help=f"With --latency.  [default: {THROUGHPUT_BATCH}]")
@click.option("--samples", type=click.IntRange(min=2), help=f"With --latency: timed passes.  [default: {SAMPLES}]")
@click.option("--published", is_flag=True, help="All networks of the literature: printed values beside our counts.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="With --published.  [default: md]")
@results_option
@json_option
def profile(
    network: str | None,
    resolution: int | None,
    classes: int | None,
    latency: bool,
    device: str | None,
    threads: int | None,
    dtype: Literal["float32", "bfloat16"] | None,
    batch: int | None,
    samples: int | None,
    published: bool,
    form: Literal["md", "csv", "tex", "html"] | None,
    results: Path,
    as_json: bool,
) -> None:
    """Parameters and MACs of a named network, an architecture file or a cell.

    NETWORK is a name such as resnet50, local_resnet26 or axial_resnet50_s, the path of an architecture.json, or a cell
    such as quickstart:digits/trionet/3M-s0.
    One MAC is one multiply-accumulate; many papers print MACs as FLOPs. What is printed is the closed form. For --json,
    and for an architecture file, it is also counted operator by operator, which takes two seconds more.
    """
    timing = {"device": device, "threads": threads, "dtype": dtype, "batch": batch, "samples": samples}
    given = [name for name, value in timing.items() if value is not None]
    if given and not latency:
        raise click.UsageError(f"--{given[0]} goes with --latency.")
    if published:
        if network or resolution or classes or latency:
            raise click.UsageError("--published is a table of all networks at 224 pixels: it takes only a --format.")
        from trionet_bench.cli.actions.published import print_published  # torch loads here, not for --help

        print_published(form or "md", as_json)
        return
    if form:
        raise click.UsageError("--format goes with --published.")
    if not network:
        raise click.UsageError("name a NETWORK, or give --published.")
    from trionet_bench.records.store import network_file
    from trionet_bench.spaces.card import is_card, read_card

    network = network_file(network, results)
    if is_card(network):
        read_card(Path(network))  # refused, where it must be, before torch is loaded
    from trionet_bench.cli.actions import profile as action  # torch loads here, not for --help

    measured = None
    if latency:
        measured = action.LatencyOptions(
            device or "auto", threads, dtype or "float32", batch or THROUGHPUT_BATCH, samples or SAMPLES
        )
    action.print_profile(network, resolution, classes, measured, as_json)
