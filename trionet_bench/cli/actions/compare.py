"""Writes the suite that compares operators on a data set, runs it, and prints the verdict."""

from pathlib import Path

from trionet_bench.api.running import comparison, quick_without_gpu
from trionet_bench.cli._run_options import RunOptions
from trionet_bench.cli.actions.run import run_suite
from trionet_bench.suite.autosuite import CompareOptions
from trionet_bench.terminal import echo


def compare_on(
    data: str,
    models: tuple[str, ...],
    budget: int | None,
    seeds: int | None,
    epochs: int | None,
    resolution: int | None,
    recipe: str | None,
    quick: bool | None,
    name: str | None,
    settings: tuple[str, ...],
    run_options: RunOptions,
) -> int:
    """Write and run the suite, print the verdict; returns the exit code.

    Args:
        data: a path or the URI of a data source.
        models, budget, seeds, epochs, resolution, recipe: content of the suite, as in ``CompareOptions``.
        quick: None: quick unless there is a GPU.
        name: of the study; None: from the data.
        settings: changes of the suite, ``KEY=VALUE`` each.
        run_options: how the suite is run. Its file is written into their results folder, unless it is a dry run.
    """
    if quick is None:
        quick = quick_without_gpu(run_options.device)
    options = CompareOptions(models, budget, seeds, epochs, resolution, recipe, quick, name)
    keep = not run_options.dry_run
    suite, _ = comparison(data, options, run_options, named=name is not None, keep=keep, changes=settings)
    code = run_suite(suite, run_options, with_answer=False)
    if not run_options.dry_run and not run_options.as_json:
        _print_verdict(Path(run_options.results) / suite.name)
    return code


def _print_verdict(folder: Path) -> None:
    from trionet_bench.reporting.verdict import verdict  # pandas, which a dry run does not need

    table, sentences = verdict([folder])
    echo()
    echo(table.to_markdown(index=False, disable_numparse=True))
    for sentence in sentences:
        echo(f"\n{sentence}")
