"""The shared phases in which the architectures of a correlation are trained alone. No torch."""

from collections.abc import Iterator

from trionet_bench.systems.cell import COMPUTATION, AnyCell, Phase, space_fields

ALONE = "alone-"
_NOT_FOR_ONE = ("supernet", "search", "finetune_epochs", "finetune_lr_scale")


def alone_phases(cell: AnyCell, architectures: int, runs: int, near: float | None) -> Iterator[Phase]:
    """One for each architecture and run; none waits for another. ``near`` is a share of the budget that all spend."""
    spec = {
        "computation": COMPUTATION,
        "space": space_fields(cell.space),
        "budget": cell.budget,
        "recipe": cell.recipe.key_fields(without=_NOT_FOR_ONE),
        "data": cell.data.key_fields(),
        "resolution": cell.resolution,
        "seed": cell.seed,
        **({"near": near} if near is not None else {}),
    }
    for number in range(architectures):
        for run in range(runs):
            yield Phase(phase_name(number, run), {"number": number, **({"run": run} if run else {}), **spec}, needs=())


def phase_name(number: int, run: int) -> str:
    """Of the phase that trains this architecture for this time."""
    return f"{ALONE}{number:03}" + (f"-run-{run}" if run else "")


def phase_number(phase: Phase) -> tuple[int, int]:
    """Which architecture a phase trains, and for which time."""
    number, _, run = phase.name.removeprefix(ALONE).partition("-run-")
    return int(number), int(run or 0)
