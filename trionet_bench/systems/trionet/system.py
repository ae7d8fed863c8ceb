"""TrioNet: a supernet over convolution, local and axial attention, a search under the budget, and retraining of what it
finds.

Pi et al. 2021 (arXiv 2111.07547). One supernet serves every budget, and every way to search it. The best child is
trained from scratch like any stand-alone one (``test_top1``), and scored with the supernet's weights, recalibrated
(``inherited_*``) and trained on (``finetuned_test_top1``); which of these the paper reports is not known.
"""

from typing import ClassVar, Literal, TypeAlias

from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import COMPUTATION, Cell, Phase, SystemOptions, option_fields, space_fields
from trionet_bench.training.recipe import Recipe

SUPERNET = "supernet"  # the phase


class SupernetOptions(SystemOptions):
    """What a suite may say of a supernet. The defaults are the paper's method; the rest are ablation arms.

    Subsets of the operators are subsets of the space: ``space: {operators: [...]}``.

    Args:
        sampler: how random children are drawn: operators first, all candidates of a block alike, or operators in turn.
        children: whether the biggest and the random children spend a budget of the suite, or any of the space.
        operator_level: whether a random child draws its operator by block, by stage, or once.
        sandwich: whether each step also trains the biggest and the smallest child.
        distillation: whether children learn from the biggest; None is as the recipe says.
        sharing: which entries of a shared weight a child uses, see ``networks.sharing``.
        pointwise: whether the operators of a block share its two 1x1 convolutions, with their normalisations.
    """

    added_later: ClassVar[tuple[str, ...]] = ("pointwise",)

    sampler: Literal["hierarchical", "uniform", "fair"] = "hierarchical"
    children: Literal["budget", "space"] = "budget"
    operator_level: Literal["block", "stage", "network"] = "block"
    sandwich: bool = True
    distillation: bool | None = None
    sharing: Literal["multi-head", "first-heads", "prefix"] = "multi-head"
    pointwise: Literal["shared", "separate"] = "shared"


class Options(SupernetOptions):
    """What a suite may say of a TrioNet model: its supernet, and how that is searched.

    Args:
        search: random is the control, at equal evaluations.
    """

    search: Literal["evolution", "random"] = "evolution"


SupernetCell: TypeAlias = Cell[SupernetOptions, ResNetSpace]


def supernet_phase(cell: SupernetCell) -> Phase:
    """The training of the supernet that the cell's options describe, whatever it is used for."""
    recipe, options = supernet_recipe(cell), cell.options
    other = {name for name in type(options).model_fields if name not in SupernetOptions.model_fields}
    spec = {
        "computation": COMPUTATION,
        "space": space_fields(cell.space),
        "recipe": recipe.key_fields(without=("search", "epochs", "finetune_epochs", "finetune_lr_scale")),
        "calibration": [recipe.search.calibration_images, recipe.search.calibration_batch],
        "options": option_fields(options, without={"distillation", *other}),
        "data": cell.data.key_fields(),
        "resolution": cell.resolution,
        "seed": cell.seed,
        **({"budgets": cell.served, "least_share": recipe.search.least_share} if options.children == "budget" else {}),
    }
    return Phase(SUPERNET, spec)


def supernet_recipe(cell: SupernetCell) -> Recipe:
    """The recipe, with what the model says of distillation."""
    distillation = cell.options.distillation
    if distillation is None:
        return cell.recipe
    supernet = cell.recipe.supernet.model_copy(update={"distillation": distillation})
    return cell.recipe.model_copy(update={"supernet": supernet})


class TrioNet(System[Options, ResNetSpace]):
    """One supernet over all operators, searched under the budget."""

    name = "trionet"
    summary = "searched in a supernet whose networks share weights; what is found is trained anew"
    options_type = Options
    space_type = ResNetSpace
    implementation = "trionet_bench.systems.trionet.running:TrioNetRunner"

    def phases(self, cell: Cell[Options, ResNetSpace]) -> tuple[Phase, ...]:
        """One supernet, whatever the budget and the way to search."""
        return (supernet_phase(cell),)
