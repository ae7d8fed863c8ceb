"""Options that several commands share. Each can also be set in the environment, as TRIONET_BENCH_RESULTS and so on."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click
from click.shell_completion import CompletionItem

from trionet_bench.records.layout import FOLDER_NAME

Command = TypeVar("Command", bound=Callable[..., object])


class SuiteName(click.ParamType[str]):
    """A suite file, or the name of a shipped suite."""

    name = "suite"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Shipped suites, and files."""
        from trionet_bench.suite.specification import shipped_suites  # parsing libraries load here, not for --help

        names = [CompletionItem(name) for name in shipped_suites() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


def study_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Callback of ``--name``: what can be a folder."""
    if value is not None and not re.fullmatch(FOLDER_NAME, value):
        raise click.BadParameter(f"{value!r} cannot be a folder; use letters, digits, dots, dashes and underscores.")
    return value


def with_precision(settings: tuple[str, ...], precision: str | None) -> tuple[str, ...]:
    """The values of ``--set``, and among them that of ``--precision``."""
    return settings if precision is None else (*settings, f"recipe.precision={precision}")


def suite_argument(command: Command) -> Command:
    """SUITE"""
    return click.argument("suite", type=SuiteName(), metavar="SUITE")(command)


def folder_option(name: str, default: str, text: str) -> Callable[[Command], Command]:
    """An option that names a folder."""
    return click.option(
        f"--{name}",
        type=click.Path(file_okay=False, path_type=Path),
        default=default,
        show_default=True,
        envvar=f"TRIONET_BENCH_{name.replace('-', '_').upper()}",
        help=text,
    )


results_option = folder_option("results", "results", "Folder of results; each suite has its own folder in it.")
reports_option = folder_option("reports", "reports", "Folder of reports; each suite has its own folder in it.")
data_root_option = folder_option("data-root", "data", "Folder of the named data sets.")
only_option = click.option(
    "--only",
    metavar="KEY=GLOB[,...]",
    help="Some cells only, by dataset, model, budget and seed: model=tri*,dataset=!cars.",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Another value in the suite, by its path there: recipe.optimizer.lr=1e-3. May be given several times.",
)
precision_option = click.option(
    "--precision",
    type=click.Choice(["auto", "float32", "bf16"]),
    help="Number format of forward passes; auto chooses one and says why.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
