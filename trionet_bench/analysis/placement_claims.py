"""Whether searches place an operator somewhere more often than blind draws would, and whether that may be claimed.

The null hypothesis is that every found network was drawn from the sampling prior of its own search. The statistic is
the share of an operator in a stage, a network counting once however many blocks it has there; its distribution is drawn
by Monte Carlo. All operators of all stages are looked at, so p values are Holm's (all our choice). Below ``LEAST``
searches nothing is claimed. How often that goes wrong is simulated in tests/analysis/test_analysis_placement_claims.py.
"""

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.placement import PLACE, by_depth, searched_blocks
from trionet_bench.analysis.results import Results
from trionet_bench.analysis.statistics import LEVEL, holm

LEAST = 8  # searches
DRAWS = 4999
_COLUMNS = ["stage", "operator", "networks", "share", "prior", "p", "p_holm", "claimed"]


def placement_claims(results: Results, by: list[str], datasets: Collection[str] | None = None) -> pd.DataFrame:
    """One row for each operator of each stage (see ``by_depth``), for every group; of some data sets or of all.

    Columns: by, stage, operator, networks, share (mean over networks), prior (the same under blind draws), p
    (one-sided), p_holm (over the group), claimed.
    """
    blocks, priors = by_depth(searched_blocks(results)), by_depth(results.priors)
    if datasets is not None:
        blocks = blocks[blocks.dataset.isin(datasets)]
    rows = []
    for group, of_group in blocks.groupby(by, sort=False) if not blocks.empty else ():
        table = _tested(of_group, priors)
        rows.append(table.assign(**dict(zip(by, group, strict=True))))
    if not rows:
        return pd.DataFrame(columns=[*by, *_COLUMNS])
    return pd.concat(rows, ignore_index=True)[[*by, *_COLUMNS]]


def _tested(blocks: pd.DataFrame, priors: pd.DataFrame) -> pd.DataFrame:
    """The rows of one group."""
    generator = np.random.default_rng(0)  # the same records give the same page
    rows = []
    for stage, of_stage in blocks.groupby("stage", sort=True):
        places = of_stage[[*CELL, *PLACE]].drop_duplicates()
        at_place = places.merge(priors, on=[*CELL, *PLACE])  # (operators of each place)
        prior = at_place.pivot_table(index=[*CELL, *PLACE], columns="operator", values="share", fill_value=0.0)
        found = of_stage.pivot_table(
            index=[*CELL, *PLACE], columns="operator", values="share", aggfunc="sum", fill_value=0.0
        ).reindex(index=prior.index, columns=prior.columns, fill_value=0.0)
        network = prior.index.droplevel(PLACE)
        weight = 1 / network.map(network.value_counts()).to_numpy(float)  # of a block in its network
        networks = int(network.nunique())
        shares = weight @ found.to_numpy() / networks
        drawn = _drawn(prior.to_numpy(), weight, generator) / networks  # (DRAWS, operators)
        reached = (drawn >= shares - 1e-9).sum(axis=0)
        for operator, share, expected, above in zip(
            prior.columns, shares, weight @ prior.to_numpy() / networks, reached, strict=True
        ):
            p = (1 + int(above)) / (1 + DRAWS)
            rows.append((int(str(stage)), operator, networks, float(share), float(expected), p))
    table = pd.DataFrame(rows, columns=_COLUMNS[:6])
    table["p_holm"] = holm(table.p.tolist())
    return table.assign(claimed=(table.p_holm <= 1 - LEVEL) & (table.networks >= LEAST))


def _drawn(
    prior: NDArray[np.float64], weight: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.float64]:
    """Sums over blocks (B, operators) of one operator each, drawn by the prior and weighted: (DRAWS, operators)."""
    ends = np.cumsum(prior / prior.sum(axis=1, keepdims=True), axis=1)  # (B, operators)
    uniform = generator.random((DRAWS, len(prior)))
    chosen = np.minimum((uniform[:, :, None] > ends).sum(axis=2), prior.shape[1] - 1)  # (DRAWS, B)
    return np.stack([(chosen == operator) @ weight for operator in range(prior.shape[1])], axis=1)
