"""Whether the searches of a study find what is known."""

import pandas as pd

from trionet_bench.analysis.controls import ENOUGH, FEWEST, controls_of
from trionet_bench.analysis.placement import searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.reporting.tables.table import Table

_STANDING = {"held": "holds", "missed": "missed", "unchecked": "too few networks"}


def known_placements(results: Results) -> Table | None:
    """One row for each searched model and known placement of a generated data set."""
    searched = searched_blocks(results)
    models = [model for model in results.models if model in set(searched.model)]
    outcomes = [controls_of(results, model).outcomes.assign(model=model) for model in models]
    table = pd.concat(outcomes, ignore_index=True) if outcomes else pd.DataFrame()
    if table.empty:
        return None
    text = pd.DataFrame(
        {
            "Model": table.model,
            "Data set": table.dataset,
            "Known": [
                "no placement" if row.operator == "none" else f"{row.operator} in the {row.stage} stage"
                for row in table.itertuples()
            ],
            "Networks that have it": [f"{row.found} of {row.networks}" for row in table.itertuples()],
            "Control": table.standing.map(_STANDING),
            "Why": table.why,
        }
    )
    note = (
        "Generated data sets whose placement is known. A control holds where the operator takes at least half of the "
        f"stage's blocks in {100 * ENOUGH:.0f} % of at least {FEWEST} found networks; one without labels that mean "
        "anything where nothing is claimed of it. Only a model whose controls all hold may claim a placement elsewhere."
    )
    return Table(table, text, note, groups=2)
