"""``trionet-bench profile``: what a network costs."""

import json
from typing import TYPE_CHECKING, Any

import click

from trionet_bench.cli._options import json_option
from trionet_bench.units import counted

if TYPE_CHECKING:
    from trionet_bench.networks.named import Subject

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
@json_option
def profile(
    network: str | None,
    resolution: int | None,
    classes: int | None,
    latency: bool,
    published: bool,
    form: str | None,
    as_json: bool,
    **timing: Any,
) -> None:
    """Parameters and MACs of a named network or an architecture file.

    NETWORK is a name such as resnet50, local_resnet26 or axial_resnet50_s, or the path of an architecture.json.
    One MAC is one multiply-accumulate; many papers print MACs as FLOPs. What is printed is the closed form. For --json,
    and for an architecture file, it is also counted operator by operator, which takes two seconds more.
    """
    given = {name: value for name, value in timing.items() if value is not None}
    if given and not latency:
        raise click.UsageError(f"--{next(iter(given))} goes with --latency.")
    if published:
        if network or resolution or classes or latency:
            raise click.UsageError("--published is a table of all networks at 224 pixels: it takes only a --format.")
        _print_published(form or "md", as_json)
        return
    if form:
        raise click.UsageError("--format goes with --published.")
    if not network:
        raise click.UsageError("name a NETWORK, or give --published.")
    from trionet_bench.networks.named import profile_network, subject  # torch loads here, not for --help
    from trionet_bench.spaces.published import PUBLISHED

    # Tests hold the two counts of every published network equal.
    found = profile_network(network, resolution, classes, count=as_json or network not in PUBLISHED)
    if latency:
        found["latency"] = _latency(subject(network, resolution, classes), given)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['name']}: {found['params'] / 1e6:.2f} M parameters, {found['macs'] / 1e9:.3f} G MACs")
    click.echo(f"at {found['resolution']}x{found['resolution']} pixels, {found['classes']} classes, one image")
    for title, parts in (("by stage", found["macs_by_stage"]), ("by operator", found["macs_by_operator"])):
        click.echo(f"\nMACs {title}")
        for name, macs in parts.items():
            click.echo(f"  {name:<12}{macs / 1e6:>12,.2f} M{macs / found['macs']:>8.1%}")
    if "macs_of_glit_code" in found:
        click.echo(f"\nGLiT's released code counts {found['macs_of_glit_code'] / 1e9:.3f} G: its gates by half.")
    if latency:
        _show_latency(found["latency"])


def _latency(of: "Subject", given: dict[str, Any]) -> dict[str, Any]:
    import torch

    from trionet_bench.networks.latency import measure_latency
    from trionet_bench.networks.layers import initialise

    options = {"samples": SAMPLES, **given, "dtype": getattr(torch, given.get("dtype", "float32"))}
    batches = (1, options.pop("batch", THROUGHPUT_BATCH))
    image = (of.channels, of.resolution, of.resolution)
    return measure_latency(initialise(of.build(), 0), image, batches, **options)


def _show_latency(found: dict[str, Any]) -> None:
    threads = f", {counted(found['threads'], 'thread')}" if found["device"] == "cpu" else ""
    click.echo(f"\nLatency on {found['device_name']} ({found['device']}{threads}, {found['dtype']})")
    for row in found["batches"]:
        low, high = row["quartiles_ms"]
        images = "1 image  " if row["batch"] == 1 else f"{row['batch']} images"
        speed = f"{row['images_per_s']:,.1f} images/s"
        click.echo(f"  {images:<12}{row['median_ms']:>10.2f} ms, quartiles {low:.2f} to {high:.2f}, {speed}")
    click.echo(f"  medians of {found['samples']} passes after {found['warm_up']} to warm up")


def _print_published(form: str, as_json: bool) -> None:
    from trionet_bench.networks.named import profile_network
    from trionet_bench.reporting.references import read_references
    from trionet_bench.reporting.tables.published import TOLERANCE, compare, comparison_table
    from trionet_bench.reporting.tables.table import to_csv, to_html, to_latex, to_markdown
    from trionet_bench.spaces.published import PUBLISHED

    references = read_references()
    names = dict.fromkeys(reference.model for reference in references)
    ours = {name: profile_network(name) for name in names if name in PUBLISHED}
    compared = compare(references, ours)
    skipped = [name for name in names if name not in PUBLISHED]
    if as_json:
        rows = [row.to_dict() for row in compared]
        document = {"schema": 1, "tolerance": TOLERANCE, "networks": rows, "skipped": skipped}
        click.echo(json.dumps(document, indent=2))
        return
    title, made = "Published networks and ours", comparison_table(compared)
    writers = {
        "md": lambda: to_markdown(made, title),
        "csv": lambda: to_csv(made),
        "tex": lambda: to_latex(made, "published-networks", title),
        "html": lambda: to_html(made, title),
    }
    click.echo(writers[form](), nl=False)
    for name in skipped:
        click.echo(f"{name} has published values, but is not a network of this version yet: left out.", err=True)
