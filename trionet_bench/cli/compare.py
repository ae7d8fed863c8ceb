"""``trionet-bench compare``: the operators on a data set that no suite was written for."""

from pathlib import Path
from typing import Any

import click

from trionet_bench.cli._running import RunOptions, run_options, run_suite


def _budget(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    from trionet_bench.records.layout import parse_budget

    return None if value is None else parse_budget(value)


@click.command(epilog="Example: trionet-bench compare photos/ --models conv,local,axial,trionet --seeds 3")
@click.argument("data")
@click.option("--models", default="conv,local,axial,trionet", show_default=True, help="The first is the baseline.")
@click.option("--budget", callback=_budget, metavar="MACS", help="Such as 30M.  [default: from the data]")
@click.option("--seeds", type=click.IntRange(min=1), help="How many.  [default: 2 quick, 3 full]")
@click.option("--epochs", type=click.IntRange(min=1), help="Of each network.  [default: from the data]")
@click.option("--resolution", type=click.IntRange(min=8), help="Side in pixels.  [default: from the data]")
@click.option("--recipe", help="A named recipe.  [default: quick or small]")
@click.option("--quick/--full", default=None, help="A first look, or the whole recipe.  [default: quick without a GPU]")
@run_options
@click.pass_context
def compare(ctx: click.Context, data: str, options: RunOptions, **wishes: Any) -> None:
    """Compare the operators on DATA, and write the suite that does it.

    DATA is a folder of images in class folders, a folder of Parquet files, a .csv or .npz file, or a source such as
    torchvision:Flowers102. Resolution, space, budget and epochs are picked from the data; the reasons are printed.
    """
    from trionet_bench.suite.autosuite import Wishes, propose
    from trionet_bench.suite.specification import load_suite

    models = tuple(name.strip() for name in wishes.pop("models").split(",") if name.strip())
    quick = wishes.pop("quick")
    folder = options.results
    proposal = propose(data, Wishes(models=models, quick=_quick(quick, options), **wishes), folder, options.data_root)
    path = folder / f"{proposal.name}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(proposal.text)
    for reason in proposal.reasons:
        click.echo(reason, err=True)
    click.echo(f"suite: {path}", err=True)
    code = run_suite(load_suite(path), options)
    if not options.dry_run and not options.as_json:
        _print_verdict(folder / proposal.name)
    ctx.exit(code)


def _quick(asked: bool | None, options: RunOptions) -> bool:
    if asked is not None:
        return asked
    if options.device not in ("auto", "cpu"):
        return False
    import torch  # only to see whether there is a GPU

    return options.device == "cpu" or not torch.cuda.is_available()


def _print_verdict(folder: Path) -> None:
    from trionet_bench.reporting.verdict import verdict  # pandas loads here, not for --help

    table, sentence = verdict([folder])
    click.echo()
    click.echo(table.to_markdown(index=False, disable_numparse=True))
    if sentence:
        click.echo(f"\n{sentence}")
