"""FAB-NAS (reconstruction): full-attention networks from a stage-wise space, searched without labels.

Zhou et al. 2021, "Full-attention based neural architecture search using context auto-regression" (arXiv 2111.07139).
Known, from the abstract alone: a stage-wise space in which layers may take different attention operations, a
self-supervised search that uses context auto-regression, and what it was tried on: classification, fine-grained
recognition and zero-shot retrieval. Ours: the operators and the skeleton (``spaces.fab``), the form of the task
(``networks.context``), a supernet that trains one path a step with weights of their own for each operator of a block,
evolution on the validation loss over fixed images, orders and prefixes after recalibration, true MACs as the limit, and
the scale, the largest at which half of the networks fit the budget. The chosen network is then trained for the task of
the data set, from scratch.
"""

from typing import Literal, TypeAlias

from trionet_bench.spaces.fab import FabSpace
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import COMPUTATION, Cell, Phase, SystemOptions, space_fields
from trionet_bench.tasks.context.task import ContextAutoRegression

SUPERNET = "pretext-supernet"
LABELLED_SUPERNET = "labelled-supernet"
SCORED = ("evolution", "random")  # searches that score children of a supernet


class SupernetOptions(SystemOptions):
    """What a suite may say of a supernet.

    Args:
        objective: what it is trained for, and searched by: ``context``, the images alone; or ``labels``, the task of
            the data set.
        pretext: options of the task ``context-autoregression``; without effect under ``labels``.
    """

    objective: Literal["context", "labels"] = "context"
    pretext: ContextAutoRegression = ContextAutoRegression()


class Options(SupernetOptions):
    """What a suite may say of a FAB-NAS model. The defaults are the reconstruction; the rest are its comparisons.

    Args:
        search: ``evolution``; ``random`` scores as many children, all of them drawn blindly; ``gradient`` trains all
            operators at once and keeps the most probable (``search.relaxation``); ``macs`` draws as many as are scored
            and takes the one of most MACs, without a supernet; ``none`` takes local attention everywhere.
    """

    search: Literal["evolution", "random", "gradient", "macs", "none"] = "evolution"


FabCell: TypeAlias = Cell[SupernetOptions, FabSpace]


def supernet_phase(cell: FabCell) -> Phase:
    """The training of the supernet that the cell's options describe, whatever it is used for."""
    labelled, recipe = cell.options.objective == "labels", cell.recipe
    spec = {
        "computation": COMPUTATION,
        "space": space_fields(cell.space),
        "recipe": recipe.key_fields(without=("search", "epochs", "finetune_epochs", "finetune_lr_scale")),
        "calibration": [recipe.search.calibration_images, recipe.search.calibration_batch],
        "data": cell.data.key_fields(),
        "resolution": cell.resolution,
        "seed": cell.seed,
        **({"budget": cell.budget} if len(cell.space.scales) > 1 else {}),
        **({} if labelled else {"pretext": cell.options.pretext.key_fields()}),
    }
    return Phase(LABELLED_SUPERNET if labelled else SUPERNET, spec)


def relaxed_phase(cell: FabCell) -> Phase:
    """The training of all operators at once."""
    supernet = supernet_phase(cell)
    return Phase(supernet.name.replace("supernet", "relaxation"), supernet.spec)


class Fab(System[Options, FabSpace]):
    """A search over the operators of each layer, without labels or with them."""

    name = "fab"
    summary = (
        "FAB-NAS (reconstruction): operators of each layer searched in a supernet, by default without "
        "labels; what is found is trained anew"
    )
    options_type = Options
    space_type = FabSpace
    implementation = "trionet_bench.systems.fab.running:FabRunner"

    def phases(self, cell: Cell[Options, FabSpace]) -> tuple[Phase, ...]:
        """What is searched, where anything is; with one scale, budgets share it."""
        if cell.options.search == "gradient":
            return (relaxed_phase(cell),)
        return (supernet_phase(cell),) if cell.options.search in SCORED else ()
