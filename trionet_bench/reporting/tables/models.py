"""What the models of a study are, for readers who know their names alone."""

import pandas as pd

from trionet_bench.analysis.results import Results
from trionet_bench.jsontypes import JsonObject
from trionet_bench.reporting.tables.table import Table
from trionet_bench.reporting.text import DASH, option_value
from trionet_bench.systems.registry import SYSTEMS

_NOTE = (
    "How the networks of each model come about. Operators by hand are those of all blocks, or stage by stage; others "
    "are those that a search may use. Options are those that differ from what the system does by default."
)


def models_in_words(results: Results) -> Table | None:
    """A row for each model: its system, how networks come about, operators, options; None without a result."""
    known = results.complete.drop_duplicates("model").set_index("model")
    names = [name for name in results.models if name in known.index]
    if not names:
        return None
    cells = known.loc[names]
    options = [_changed(row.system, row.options) for row in cells.itertuples()]
    text = pd.DataFrame(
        {
            "Model": names,
            "System": cells.system.to_numpy(),
            "How its networks come about": [_summary(system) or DASH for system in cells.system],
            "Operators": [_operators(row.options, row.operators) or DASH for row in cells.itertuples()],
            "Options": ["; ".join(f"{name} {value}" for name, value in each.items()) or DASH for each in options],
        }
    )
    text = text.loc[:, [name == "Model" or bool((text[name] != DASH).any()) for name in text]]
    data = text.rename(columns={name: name.split()[-1].lower() for name in text})
    return Table(data.replace(DASH, ""), text, _NOTE)


def _summary(system: str) -> str:
    return SYSTEMS.get(system).summary if system in SYSTEMS else ""


def _operators(options: JsonObject, of_space: str) -> str:
    """Those that were given by hand, else those of the space; empty for a space without operators."""
    given = options.get("operator")
    return of_space.replace("+", ", ") if given is None else option_value(given)


def _changed(system: str, options: JsonObject) -> dict[str, str]:
    """Options, in words, that are not what the system does by default; all that are set where it is not known here."""
    usual = SYSTEMS.get(system).options_type.model_construct().model_dump(mode="json") if system in SYSTEMS else {}
    return {
        name.replace("_", " "): option_value(value)
        for name, value in options.items()
        if name != "operator" and value != usual.get(name)
    }
