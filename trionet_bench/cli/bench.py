"""``trionet-bench bench``: speed and memory, each as a ratio to a reference measured in the same run."""

import functools
from pathlib import Path

import click

from trionet_bench.benchmarks.setting import Setting
from trionet_bench.cli._options import Command, data_root_option, json_option, reports_option, results_option

_OPTIONS = (
    click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps."),
    click.option("--threads", type=click.IntRange(min=1), help="Of torch on a CPU.  [default: torch's choice]"),
    click.option("--samples", type=click.IntRange(min=1), help="Timed samples of each case.  [default: 2 to 20]"),
    click.option("--quick", is_flag=True, help="A first look: the cases with targets, few samples."),
)


def setting_options(command: Command) -> Command:
    """Adds how to measure to a command, which gets it as one ``Setting`` named ``setting``."""

    @functools.wraps(command)
    def with_options(device: str, threads: int | None, samples: int | None, quick: bool, **others: object) -> object:
        return command(setting=Setting(device, threads, samples, quick), **others)

    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[return-value]


@click.group()
def bench() -> None:
    """How fast this machine is, and how fast we are on it.

    Every figure stands beside that of a reference, measured in turns with it. Close other programs first.
    """


@bench.command()
@setting_options
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True, help="Number format."
)
@json_option
def operators(setting: Setting, dtype: str, as_json: bool) -> None:
    """Local and axial attention, forward and backward, against simple ways to write them."""
    _one("operators", setting, as_json, dtype=dtype)


@bench.command()
@setting_options
@json_option
def normalisation(setting: Setting, as_json: bool) -> None:
    """Batch normalisation by the kernel in C against torch's operations."""
    _one("normalisation", setting, as_json)


@bench.command()
@setting_options
@json_option
def training(setting: Setting, as_json: bool) -> None:
    """Steps of ResNet-50 against torchvision's; number and memory formats."""
    _one("training", setting, as_json)


@bench.command()
@setting_options
@json_option
def supernet(setting: Setting, as_json: bool) -> None:
    """Steps of a supernet against its children apart; scoring a candidate against plain inference."""
    _one("supernet", setting, as_json)


@bench.command()
@setting_options
@json_option
def cost(setting: Setting, as_json: bool) -> None:
    """MACs of an architecture in closed form against the operator-level counter."""
    _one("cost", setting, as_json)


@bench.command()
@setting_options
@click.option("--data", metavar="URI", help="A data set of yours, such as folder:photos, instead of the shipped ones.")
@click.option("--space", default="resnet-tiny", show_default=True, help="Space of the network that is fed with --data.")
@click.option("--recipe", default="small", show_default=True, help="Recipe whose augmentation is used with --data.")
@data_root_option
@json_option
def data(setting: Setting, data: str | None, space: str, recipe: str, data_root: Path, as_json: bool) -> None:
    """The input pipeline's share of a training step."""
    custom = (data, space, recipe) if data else None
    _one("data", setting, as_json, custom=custom, data_root=data_root)


@bench.command()
@setting_options
@click.option("--data", metavar="URI", required=True, help="A data set of small images, such as folder:photos.")
@click.option("--space", default="resnet-nano", show_default=True, help="Space of the networks.")
@click.option("--stem", help="Another stem than the space's, such as conv3-pool.")
@click.option("--resolution", default=32, show_default=True, type=click.IntRange(min=1), help="Side in pixels.")
@click.option("--budget", default="3.5M", show_default=True, help="MACs of each network.")
@click.option("--steps", default=800, show_default=True, type=click.IntRange(min=1), help="Of 64 images.")
@click.option("--operator", "operators", multiple=True, help="Of the space; may be given again.  [default: all three]")
@click.option(
    "--architecture",
    "architectures",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An architecture file, whose network is trained too; may be given again.",
)
@data_root_option
@json_option
def skeleton(
    setting: Setting,
    data: str,
    space: str,
    stem: str | None,
    resolution: int,
    budget: str,
    steps: int,
    operators: tuple[str, ...],
    architectures: tuple[Path, ...],
    data_root: Path,
    as_json: bool,
) -> None:
    """Accuracy and CPU time of stand-alone networks beside a three-layer CNN; --samples is the number of seeds."""
    asked = {"data": data, "space": space, "stem": stem, "resolution": resolution, "budget": budget, "steps": steps}
    chosen = {"operators": operators or None, "architectures": architectures}
    _one("skeleton", setting, as_json, **asked, **chosen, data_root=data_root)


@bench.command()
@setting_options
@json_option
def suite(setting: Setting, as_json: bool) -> None:
    """Cells side by side against one at a time; how busy the cores are; what the harness adds."""
    _one("suite", setting, as_json)


@bench.command()
@click.argument("suite", default="quickstart")
@setting_options
@data_root_option
@json_option
def study(setting: Setting, suite: str, data_root: Path, as_json: bool) -> None:
    """Where the time of a whole study goes: SUITE is run in a temporary folder.  [default: quickstart]"""
    _one("study", setting, as_json, suite=suite, data_root=data_root)


@bench.command()
@click.argument("suite", default="quickstart")
@setting_options
@data_root_option
@json_option
def recalibration(setting: Setting, suite: str, data_root: Path, as_json: bool) -> None:
    """From how many images candidates of SUITE's search are recalibrated; --samples is their number.

    The supernet of its first cell of model trionet is trained. [default: quickstart]
    """
    _one("recalibration", setting, as_json, suite=suite, data_root=data_root)


@bench.command()
@setting_options
@json_option
def start(setting: Setting, as_json: bool) -> None:
    """Seconds until help, the state of a suite of 1000 cells, and a network's cost are printed."""
    _one("start", setting, as_json)


@bench.command(name="all")
@setting_options
@results_option
@reports_option
@json_option
@click.pass_context
def everything(ctx: click.Context, setting: Setting, results: Path, reports: Path, as_json: bool) -> None:
    """All but skeleton, study, recalibration: one file under RESULTS/benchmarks, one page under REPORTS/benchmarks."""
    from trionet_bench.cli.actions.bench import measure_every  # torch loads here, not for --help

    ctx.exit(0 if measure_every(setting, results, reports, as_json) else 1)


def _one(
    bench: str,
    setting: Setting,
    as_json: bool,
    **options: str | int | Path | tuple[str, ...] | tuple[Path, ...] | None,
) -> None:
    from trionet_bench.cli.actions.bench import measure_named  # torch loads here, not for --help

    measure_named(bench, setting, as_json, **options)
