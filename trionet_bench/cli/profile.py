"""``trionet-bench profile``: what a network costs."""

import json

import click


@click.command()
@click.argument("network")
@click.option("--resolution", type=click.IntRange(min=1), help="Side of the images in pixels.  [default: 224]")
@click.option("--classes", type=click.IntRange(min=1), help="Classes of the last layer.  [default: 1000]")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def profile(network: str, resolution: int | None, classes: int | None, as_json: bool) -> None:
    """Parameters and MACs of a named network or an architecture file.

    NETWORK is a name such as resnet50, local_resnet26 or axial_resnet50_s, or the path of an architecture.json.
    One MAC is one multiply-accumulate; many papers print MACs as FLOPs.
    """
    from trionet_bench.networks.named import profile_network  # torch loads here, not for --help

    found = profile_network(network, resolution, classes)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{found['name']}: {found['params'] / 1e6:.2f} M parameters, {found['macs'] / 1e9:.3f} G MACs")
    click.echo(f"at {found['resolution']}x{found['resolution']} pixels, {found['classes']} classes, one image")
    for title, parts in (("by stage", found["macs_by_stage"]), ("by operator", found["macs_by_operator"])):
        click.echo(f"\nMACs {title}")
        for name, macs in parts.items():
            click.echo(f"  {name:<12}{macs / 1e6:>12,.2f} M{macs / found['macs']:>8.1%}")
