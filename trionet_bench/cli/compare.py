"""``trionet-bench compare``: the operators on a data set that no suite was written for."""

import click

from trionet_bench.cli._options import precision_option, set_option, study_name, with_precision
from trionet_bench.cli._run_options import RunOptions, run_options
from trionet_bench.records.layout import parse_budget


def _budget(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    return None if value is None else parse_budget(value)


@click.command(epilog="Example: trionet-bench compare photos/ --models conv,local,axial,trionet --seeds 3")
@click.argument("data")
@click.option("--models", default="conv,local,axial,trionet", show_default=True, help="The first is the baseline.")
@click.option("--budget", callback=_budget, metavar="MACS", help="Such as 30M.  [default: from the data]")
@click.option("--seeds", type=click.IntRange(min=1), help="How many.  [default: 5]")
@click.option("--epochs", type=click.IntRange(min=1), help="Of each network.  [default: from the data]")
@click.option("--resolution", type=click.IntRange(min=8), help="Side in pixels.  [default: from the data]")
@click.option("--recipe", help="A named recipe.  [default: quick or small]")
@click.option("--quick/--full", default=None, help="A first look, or the full recipe.  [default: quick without a GPU]")
@click.option(
    "--name", metavar="NAME", callback=study_name, help="Of the study.  [default: from the folder and its content]"
)
@precision_option
@set_option
@run_options
@click.pass_context
def compare(
    ctx: click.Context,
    data: str,
    models: str,
    budget: int | None,
    seeds: int | None,
    epochs: int | None,
    resolution: int | None,
    recipe: str | None,
    quick: bool | None,
    name: str | None,
    precision: str | None,
    settings: tuple[str, ...],
    options: RunOptions,
) -> None:
    """Compare the operators on DATA, and write the suite that does it.

    DATA is a folder of images in class folders, a folder of Parquet files, a .csv or .npz file, or a source such as
    torchvision:Flowers102. Resolution, space, budget and epochs are picked from the data; the reasons are printed.
    """
    from trionet_bench.cli.actions.compare import compare_on  # torch loads here, not for --help

    names = tuple(name.strip() for name in models.split(",") if name.strip())
    settings = with_precision(settings, precision)
    ctx.exit(compare_on(data, names, budget, seeds, epochs, resolution, recipe, quick, name, settings, options))
