"""Whether the searches of a study find the placements that are known: those of its generated data sets.

A claim of where an operator belongs on photographs rests on nothing where the same search does not find an operator
that it must find. A set of known placement (``data.sources.generated``) is a control: it holds where the known operator
is in the known stage of at least ``ENOUGH`` of the found networks. The set ``noise``, whose labels say nothing, holds
where nothing is claimed of it.
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.placement_claims import LEAST, placement_claims
from trionet_bench.analysis.results import Results
from trionet_bench.data.sources.synthetic import generated_set

ENOUGH = 0.8
FEWEST = 5  # networks by which a control is judged

Standing = Literal["held", "missed", "unchecked"]


@dataclass(frozen=True)
class Controls:
    """How the searches of a model fare where the answer is known: ``outcomes`` has a row for each known placement.

    Columns of ``outcomes``: dataset, stage, operator, found, networks, standing, why.
    """

    outcomes: pd.DataFrame

    @property
    def standing(self) -> Standing:
        """``held`` where every control was judged and holds."""
        if (self.outcomes.standing == "missed").any():
            return "missed"
        known = self.outcomes[self.outcomes.operator != "none"]
        return "held" if len(known) and (known.standing == "held").all() else "unchecked"


def is_control(source: str) -> bool:
    """Whether the data set of this source has a known placement, or none by construction."""
    known = generated_set(source)
    return known is not None and bool(known.known or known.label_noise)


def other_datasets(results: Results) -> list[str]:
    """The data sets with results that are no controls."""
    sources = _sources(results)
    return [dataset for dataset in results.datasets if dataset in sources and not is_control(sources[dataset])]


def asked_datasets(results: Results) -> list[str]:
    """The data sets that an answer is about: those that are no controls, or all where there are only controls."""
    return other_datasets(results) or list(results.datasets)


def controls_of(results: Results, model: str) -> Controls:
    """The controls among the data sets of a study, for the searches of a model."""
    sources = _sources(results)
    blocks = searched_blocks(results)
    blocks = blocks[blocks.model == model]
    begun = results.cells[results.cells.at_chance.isna()][CELL]
    rows: list[tuple[str, str, str, int, int, Standing, str]] = []
    for dataset in results.datasets:
        known = generated_set(sources.get(dataset, ""))
        of_set = blocks[blocks.dataset == dataset]
        if known is None or of_set.empty:
            continue
        networks = len(of_set.drop_duplicates(CELL))
        for placement in known.known:
            # A network that was drawn blindly, since its supernet was at chance, was not found by a search.
            found = _found_in(of_set.merge(begun, on=CELL), placement.stage, placement.operator)
            standing: Standing = "unchecked"
            if networks >= FEWEST:
                standing = "held" if found >= ENOUGH * networks else "missed"
            rows.append((dataset, placement.stage, placement.operator, found, networks, standing, placement.why))
        if known.label_noise:
            claims = placement_claims(results, ["model"], [dataset])
            claims = claims[(claims.model == model) & claims.claimed.astype(bool)]
            noise: Standing = "unchecked" if networks < LEAST else "missed" if len(claims) else "held"
            why = "the labels say nothing of the images, so no operator belongs anywhere"
            rows.append((dataset, "any", "none", networks if claims.empty else 0, networks, noise, why))
    columns = ["dataset", "stage", "operator", "found", "networks", "standing", "why"]
    return Controls(pd.DataFrame(rows, columns=columns))


def _sources(results: Results) -> dict[str, str]:
    """Where the images of each data set are from."""
    known = results.cells.drop_duplicates("dataset")
    return dict(zip(known.dataset, known.source, strict=True))


def _found_in(blocks: pd.DataFrame, stage: str, operator: str) -> int:
    """Networks at least half of whose blocks in their first or last stage have the operator."""
    end = blocks.groupby(CELL).stage.transform("min" if stage == "first" else "max")
    at_end = blocks[blocks.stage == end]
    share = (at_end.share * (at_end.operator == operator)).groupby([at_end[name] for name in CELL]).sum()
    total = at_end.groupby(CELL).share.sum()
    return int((share / total >= 0.5).sum())
