"""Writes the suite that compares operators on a data set, runs it and prints the verdict."""

from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from trionet_bench.cli._run_options import RunOptions
from trionet_bench.cli.actions.run import run_suite
from trionet_bench.files import write_atomically
from trionet_bench.suite.autosuite import CompareOptions, propose
from trionet_bench.suite.specification import load_suite
from trionet_bench.suite.studies import without_collision
from trionet_bench.terminal import echo


def quick_without_gpu(device: str) -> bool:
    """Whether the quick setting is the default for ``device``: on the CPU, and for ``auto`` without a GPU."""
    return device == "cpu" or (device == "auto" and not torch.cuda.is_available())


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
    run_options: RunOptions,
) -> int:
    """Write and run the suite, print the verdict; returns the exit code.

    Args:
        data: a path or the URI of a data source.
        models, budget, seeds, epochs, resolution, recipe: content of the suite, as in ``CompareOptions``.
        quick: None: quick unless there is a GPU.
        name: of the study; None: from the data.
        run_options: how the suite is run. Its file is written into their results folder, unless it is a dry run.
    """
    folder = run_options.results
    if quick is None:
        quick = quick_without_gpu(run_options.device)
    options = CompareOptions(models, budget, seeds, epochs, resolution, recipe, quick, name)
    with TemporaryDirectory() as temporary:  # for a dry run, which leaves nothing
        place = Path(temporary) if run_options.dry_run else folder
        proposal = propose(data, options, place, run_options.data_root)
        proposal = without_collision(proposal, folder, named=name is not None)
        path = place / f"{proposal.name}.yaml"
        write_atomically(path, proposal.text)
        for reason in proposal.reasons:
            echo(reason, err=True)
        echo(f"suite: {folder / path.name}", err=True)
        code = run_suite(load_suite(path), run_options)
    if not run_options.dry_run and not run_options.as_json:
        _print_verdict(folder / proposal.name)
    return code


def _print_verdict(folder: Path) -> None:
    from trionet_bench.reporting.verdict import verdict  # pandas, which a dry run does not need

    table, sentence = verdict([folder])
    echo()
    echo(table.to_markdown(index=False, disable_numparse=True))
    if sentence:
        echo(f"\n{sentence}")
