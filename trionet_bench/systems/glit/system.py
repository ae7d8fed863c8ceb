"""GLiT: a transformer whose blocks divide their channels between global attention and the locality module, by
hierarchical search.

Chen et al. 2021 (arXiv 2107.02960). The first level finds how many channels of each block attend: its supernet is
searched, the best few distributions are trained from scratch and compared on the search-validation images. The second
level finds the details under the winner. Both supernets train one path a step, drawn uniformly, and every candidate of
a block has separate weights. Known: the levels, five retrained distributions, 1000 children scored under a limit on
FLOPs. Ours: that each level scores as many children, and trains as many epochs, as the recipe says; that true MACs are
limited; that batch norm keeps its affine weights in the supernet; and the width, the largest of the space whose plain
transformer fits the budget. The chosen network is then treated as a TrioNet's.
"""

from typing import Literal, TypeAlias

from pydantic import Field

from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import COMPUTATION, Cell, Phase, SystemOptions, option_fields, space_fields

FIRST, CHOICE, SECOND, JOINT = "distribution-supernet", "distribution", "detail-supernet", "joint-supernet"


class Options(SystemOptions):
    """What a suite may say of a GLiT model. The defaults are the paper's method; the rest are its comparisons.

    Args:
        levels: ``two``; ``one`` supernet and one search over distributions and details together, with the steps and
            evaluations of both levels; or ``none``: the plain transformer, without a search.
        search: ``random`` scores as many children, all of them drawn blindly.
        sharing: ``independent`` weights for each candidate of a block, or ``slices`` of common ones.
        retrain: how many distributions are trained from scratch before one is chosen.
    """

    levels: Literal["two", "one", "none"] = "two"
    search: Literal["evolution", "random"] = "evolution"
    sharing: Literal["independent", "slices"] = "independent"
    retrain: int = Field(default=5, ge=1)


GLiTCell: TypeAlias = Cell[Options, GLiTSpace]


class GLiT(System[Options, GLiTSpace]):
    """A hierarchical search over the division of channels and the details of both branches."""

    name = "glit"
    summary = (
        "GLiT: a transformer, searched in two supernets, first the division of channels, then the rest; what "
        "is found is trained anew"
    )
    options_type = Options
    space_type = GLiTSpace
    implementation = "trionet_bench.systems.glit.running:GLiTRunner"

    def phases(self, cell: GLiTCell) -> tuple[Phase, ...]:
        """Both supernets, and between them the choice of a distribution. With one width, budgets share the first."""
        options, recipe = cell.options, cell.recipe
        if options.levels == "none":
            return ()
        common = {
            "computation": COMPUTATION,
            "space": space_fields(cell.space),
            "data": cell.data.key_fields(),
            "resolution": cell.resolution,
            "seed": cell.seed,
            "sharing": options.sharing,
            **({"budget": cell.budget} if len(cell.space.widths) > 1 else {}),
        }
        training = {
            "recipe": recipe.key_fields(without=("search", "epochs", "finetune_epochs", "finetune_lr_scale")),
            "calibration": [recipe.search.calibration_images, recipe.search.calibration_batch],
        }
        if options.levels == "one":
            return (Phase(JOINT, common | training),)
        first = Phase(FIRST, common | training)
        recipe_fields = recipe.key_fields(without=("finetune_epochs", "finetune_lr_scale"))
        choosing = {"recipe": recipe_fields, "budget": cell.budget, "options": option_fields(options)}
        choosing |= {"supernet": first.key}
        choice = Phase(CHOICE, common | choosing)
        return (first, choice, Phase(SECOND, common | training | {"distribution": choice.key}))
