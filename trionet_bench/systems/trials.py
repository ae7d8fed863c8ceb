"""Stand-alone networks that are trained to be compared on the search-validation images, before the one that counts."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from trionet_bench.networks.layers import initialise
from trionet_bench.search.evolution import Ledger
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.training import distributed

O = TypeVar("O", bound=BaseModel)  # noqa: E741
S = TypeVar("S", bound=Space)


def trial_scores(
    context: TrainingContext[O, S], networks: Sequence[Genes], epochs: int, name: str, space: Space | None = None
) -> list[tuple[Genes, float]]:
    """Networks with their fitness after so many epochs on the train images, by the whole schedule.

    Scores are kept in ``NAME.jsonl``: what was scored before an interruption is not trained again.

    Args:
        space: that the genes belong to; None is that of the cell.
    """
    cell, recipe = context.cell, context.cell.recipe.scaled(epochs)
    decode = (space or cell.space).decode
    ledger = Ledger(context.run.folder / f"{name}.jsonl", writes=distributed.rank() == 0)

    def trained(genes: Genes) -> float:
        phase = f"{name}, network {networks.index(genes) + 1} of {len(networks)}"
        network = initialise(context.build(decode(genes)), cell.seed)
        context.train(network, recipe, phase, parts=("train",))
        return context.task.fitness(network, context.eval_batches("search_val"))

    scores = []
    for genes in networks:
        known = genes in ledger.scores
        scores.append((genes, ledger.score(genes, trained)))
        if not known:  # its checkpoint goes when the score is safe; another may be of the next network
            context.drop_checkpoints()
    return scores
