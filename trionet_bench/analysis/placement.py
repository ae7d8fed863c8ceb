"""Which operator the searches chose where, beside what drawing blindly from the same space would have given.

Without the prior a placement map shows the search space, not the search.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy import stats

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.results import GROUP, Results
from trionet_bench.analysis.statistics import proportion_interval

PLACE = ["stage", "block"]


def searched_blocks(results: Results) -> pd.DataFrame:
    """Blocks of networks that were searched for (their record has a sampling prior); those of several operators have a
    row for each.
    """
    searched = results.priors[CELL].drop_duplicates()
    return results.blocks.merge(searched, on=CELL)


def by_depth(frame: pd.DataFrame) -> pd.DataFrame:
    """Blocks or priors with, for models whose networks have one stage only, each block in the place of a stage."""
    stages = frame.groupby("model").stage.transform("nunique")
    return frame.assign(stage=frame.stage.where(stages > 1, frame.block))


def depth_word(results: Results, models: Collection[str]) -> str:
    """What the column ``stage`` of ``by_depth`` counts for these models: "stage" or "block"."""
    priors = results.priors[results.priors.model.isin(models)]
    return "block" if priors.groupby("model").stage.nunique().max() == 1 else "stage"


def counted_from_1(stage: int, first: int) -> int:
    """The number of a stage for readers, where ``first`` is that of the first stage in the same table: 0 or 1."""
    return stage + 1 - min(first, 1)


def placement_shares(results: Results, by: list[str] | None = None, level: str = "block") -> pd.DataFrame:
    """Share of each operator over searched networks, with Wilson's interval, beside the prior's. A block of several
    operators counts for each by its share.

    Args:
        by: further columns to keep apart; ``GROUP`` when not given.
        level: "block" for each position, "stage" for all blocks of a stage together, where there are stages; see
            ``by_depth``. Blocks of one network are not independent draws: a stage's interval is the narrower reading.

    Columns: by, stage, (block), operator, count, n, share, low, high, prior, macs_share.
    """
    by = GROUP if by is None else by
    place = PLACE if level == "block" else ["stage"]
    blocks, priors = searched_blocks(results), results.priors
    if level == "stage":
        blocks, priors = by_depth(blocks), by_depth(priors)
    if blocks.empty:
        return pd.DataFrame(
            columns=[*by, *place, "operator", "count", "n", "share", "low", "high", "prior", "macs_share"]
        )
    prior = _expected(priors, blocks, by, place)
    totals = blocks.groupby([*by, *place]).agg(n=("share", "sum"), all_macs=("macs", "sum")).reset_index()
    counts = blocks.groupby([*by, *place, "operator"]).agg(count=("share", "sum"), macs=("macs", "sum")).reset_index()
    grid = totals.merge(prior[[*by, *place, "operator", "prior"]], on=[*by, *place], how="left")
    table = grid.merge(counts, on=[*by, *place, "operator"], how="outer").sort_values([*by, *place, "operator"])
    table["n"] = table.groupby([*by, *place]).n.transform("max")
    table["all_macs"] = table.groupby([*by, *place]).all_macs.transform("max")
    table = table.fillna({"count": 0, "macs": 0, "prior": 0.0})
    table["share"] = table["count"] / table.n
    table["low"], table["high"] = proportion_interval(table["count"].to_numpy(), table.n.to_numpy())
    table["macs_share"] = table.macs / table.all_macs
    table["n"] = table.n.round().astype(int)
    if np.allclose(table["count"], table["count"].round()):
        table["count"] = table["count"].round().astype(int)
    return table[[*by, *place, "operator", "count", "n", "share", "low", "high", "prior", "macs_share"]].reset_index(
        drop=True
    )


def _expected(priors: pd.DataFrame, blocks: pd.DataFrame, by: list[str], place: list[str]) -> pd.DataFrame:
    """Prior share at the places that the searched networks have, each network's blocks counted once."""
    present = blocks[[*CELL, *PLACE]].drop_duplicates().merge(priors, on=[*CELL, *PLACE])
    weight = blocks.groupby([*by, *place]).share.sum().rename("n").reset_index()
    summed = present.groupby([*by, *place, "operator"]).share.sum().reset_index()
    merged = summed.merge(weight, on=[*by, *place])
    return merged.assign(prior=merged.share / merged.n)


def stage_entropy(results: Results, by: list[str] | None = None) -> pd.DataFrame:
    """Entropy of the operators of each stage, in bits, searched and under the prior: 0 is one operator only."""
    by = GROUP if by is None else by
    shares = placement_shares(results, by, level="stage")
    rows = []
    for key, group in shares.groupby([*by, "stage"], sort=True):
        rows.append((*key, _bits(group.share), _bits(group.prior), int(group.n.iloc[0])))
    return pd.DataFrame(rows, columns=[*by, "stage", "entropy", "prior_entropy", "blocks"])


def _bits(shares: pd.Series) -> float:
    values = shares.to_numpy(float)
    return float(stats.entropy(values, base=2)) if values.sum() > 0 else np.nan
