"""``trionet-bench bench``: speed and memory, each as a ratio to a reference measured in the same run."""

import json

import click


@click.group()
def bench() -> None:
    """How fast this machine is, and how fast we are on it.

    Every figure stands beside that of a reference, measured in turns with it. Close other programs first.
    """


@bench.command()
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps.")
@click.option("--threads", type=click.IntRange(min=1), help="Of torch on a CPU.  [default: torch's own choice]")
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True, help="Number format."
)
@click.option("--samples", type=click.IntRange(min=1), default=7, show_default=True, help="Timed steps of each.")
@click.option("--quick", is_flag=True, help="Only the cases that targets are stated for.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, with every sample.")
def operators(device: str, threads: int | None, dtype: str, samples: int, quick: bool, as_json: bool) -> None:
    """Local and axial attention, forward and backward, against simple ways to write them."""
    import torch  # loads here, not for --help

    from trionet_bench.networks.benchmark import CASES, TARGETED, describe, measure_operators

    found = measure_operators(
        TARGETED if quick else CASES,
        device,
        threads,
        getattr(torch, dtype),
        samples,
        progress=lambda line: click.echo(line, err=True),
    )
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for row in found["cases"]:
        click.echo(describe(row))
    _show_targets(found)


def _show_targets(found: dict[str, list[dict[str, str | float | bool]]]) -> None:
    click.echo("\nTargets")
    for target in found["targets"]:
        bound = "at least" if target["at_least"] else "at most"
        verdict = "met" if target["met"] else "MISSED"
        click.echo(f"  {target['name']}: {target['found']:.2f}, {bound} {target['limit']} wanted: {verdict}")
