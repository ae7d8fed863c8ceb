"""The comparisons that a suite declared before it ran, with their verdicts. Nothing undeclared is tested.

Differences are candidate minus baseline, whatever the direction of the metric; verdicts know which sign is better.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from trionet_bench.analysis.crossed import ImagePart
from trionet_bench.analysis.image_scores import part_of_difference
from trionet_bench.analysis.merging import CELL
from trionet_bench.analysis.metrics import margin_unit, sign
from trionet_bench.analysis.pooled import PooledError, noninferiority, pooled_difference, shared_error
from trionet_bench.analysis.results import Comparison, Results
from trionet_bench.analysis.statistics import LEVEL, holm, paired_difference, t_interval

ALPHA = 1 - LEVEL
DECIDED = ("better", "matches", "worse, within the margin", "worse")  # verdicts

COLUMNS = [
    "metric",
    "baseline",
    "candidate",
    "budget",
    "dataset",
    "datasets",
    "declared",
    "pairs",
    "expected_pairs",
    "mean",
    "low",
    "high",
    "new_low",
    "new_high",
    "pair_low",
    "pair_high",
    "p_pair",
    "df",
    "p",
    "p_holm",
    "p_sign_flip",
    "p_smallest",
    "margin",
    "p_noninferior",
    "p_noninferior_holm",
    "verdict",
]


@lru_cache(maxsize=2)
def compare(results: Results) -> pd.DataFrame:
    """Every declared comparison: candidate minus baseline, paired by (data set, seed), for each budget.

    ``low``, ``high``, ``p`` and ``p_noninferior`` rest on the error that all models of the budget share (see
    ``analysis.pooled``), ``pair_low``, ``pair_high`` and ``p_pair`` on the two models alone; where scores of single
    images are stored, both count their noise too (``df`` degrees of freedom in all, see ``analysis.crossed``).

    Rows with ``declared`` are the family that Holm's correction runs over: one for each comparison, candidate and
    budget, over all data sets together. Where there are several data sets, rows of single ones follow, for reading
    only: they have the error of their data set, no p and no verdict. ``low, high`` speak of these data sets under new
    seeds; ``new_low, new_high`` of data sets like these. A row of which pairs were not run yet, or of one seed, has an
    interval and no p; one of which a cell failed has no numbers.
    """
    rows: list[dict[str, object]] = []
    for comparison in results.declared.comparisons:
        for candidate in comparison.candidates:
            rows += _rows(results, comparison, candidate)
    table = pd.DataFrame(
        rows, columns=[column for column in COLUMNS if column not in ("p_holm", "p_noninferior_holm", "verdict")]
    )
    family = table.declared.astype(bool).to_numpy()
    table["p_holm"] = np.nan
    table["p_noninferior_holm"] = np.nan
    table.loc[family, "p_holm"] = holm(table.p[family].tolist())
    table.loc[family, "p_noninferior_holm"] = holm(table.p_noninferior[family].tolist())
    table["verdict"] = [
        _verdict(row, sign(results.metric(str(row.metric))), decides_at(results)) if row.declared else ""
        for row in table.itertuples()
    ]
    return table[COLUMNS]


def decides_at(results: Results) -> float:
    """The level at which comparisons are decided: that of the last look where there are several."""
    return results.declared.looks.level if results.declared.looks else ALPHA


def _rows(results: Results, comparison: Comparison, candidate: str) -> list[dict[str, object]]:
    pairs = _pairs(results, comparison, candidate)
    fixed = {
        "metric": comparison.metric,
        "baseline": comparison.baseline,
        "candidate": candidate,
        "margin": np.nan if (margin := margin_of(results, comparison)) is None else margin,
    }
    rows: list[dict[str, object]] = []
    for budget, group in pairs.groupby("budget", sort=True):
        datasets = [name for name in results.datasets if name in set(group.dataset)]
        name = datasets[0] if len(datasets) == 1 else "all"
        within = _Within(results, comparison, candidate, int(str(budget)), tuple(datasets))
        rows.append({**fixed, "budget": budget, "dataset": name, **_declared_row(group, within)})
        if len(datasets) > 1:
            by_set = {str(dataset): of_set for dataset, of_set in group.groupby("dataset", sort=False)}
            for dataset in datasets:  # by its own error: seeds are noisier on one data set than on another
                row = _single_data_set(by_set[dataset], replace(within, datasets=(dataset,)))
                rows.append({**fixed, "budget": budget, "dataset": dataset, **row})
    return rows


@dataclass(frozen=True)
class _Within:
    """What the pairs of a candidate have in common at a budget, on some data sets."""

    results: Results
    comparison: Comparison
    candidate: str
    budget: int
    datasets: tuple[str, ...]

    @property
    def error(self) -> PooledError | None:
        """That of all models on these data sets."""
        return shared_error(self.results, self.comparison.metric, self.budget, self.datasets)

    def parts(self, pairs: pd.DataFrame) -> list[ImagePart]:
        """What the test images of each data set add to the difference."""
        if self.comparison.metric != self.results.score:
            return []
        names = (self.budget, self.candidate, self.comparison.baseline)
        of_sets = pairs.groupby("dataset", sort=False).seed
        return [part_of_difference(self.results, str(dataset), *names, [*seeds]) for dataset, seeds in of_sets]


def margin_of(results: Results, comparison: Comparison) -> float | None:
    """The margin in the unit of the metric's values in records; None where no equivalence is claimed."""
    return None if comparison.margin is None else comparison.margin * margin_unit(results.metric(comparison.metric))


def declared_margin(results: Results) -> float:
    """The greatest of the metric that decides, in the unit of its values; NaN where no comparison of it has one."""
    declared = [margin_of(results, each) for each in results.declared.comparisons if each.metric == results.score]
    return max((margin for margin in declared if margin is not None), default=np.nan)


def _pairs(results: Results, comparison: Comparison, candidate: str) -> pd.DataFrame:
    """Expected pairs of cells with their difference; NaN where one of the two has no result, or even ``failed``."""
    cells = results.complete
    metric = comparison.metric
    values = (
        cells.set_index(CELL)[metric]
        if metric in cells
        else pd.Series(dtype=float, index=cells.set_index(CELL).index[:0])
    )
    expected = results.declared.expected
    keys = ["dataset", "budget", "seed"]
    pairs = expected[expected.model == comparison.baseline][keys].merge(
        expected[expected.model == candidate][keys], on=keys
    )
    for column, model in (("baseline", comparison.baseline), ("candidate", candidate)):
        index = pd.MultiIndex.from_frame(pairs.assign(model=model)[CELL])
        pairs[column] = values.reindex(index).to_numpy()
    failed = set(results.cells[results.cells.status == "failed"][CELL].itertuples(index=False, name=None))
    models = (comparison.baseline, candidate)
    pairs["failed"] = [
        any((row.dataset, row.budget, model, row.seed) in failed for model in models) for row in pairs.itertuples()
    ]
    return pairs.assign(difference=pairs.candidate - pairs.baseline)


def _declared_row(pairs: pd.DataFrame, within: _Within) -> dict[str, object]:
    """The comparison over all data sets of one budget; only counts where a cell failed or a data set has no pair."""
    known = pairs.dropna(subset=["difference"])
    row: dict[str, object] = {
        "declared": True,
        "datasets": pairs.dataset.nunique(),
        "pairs": len(known),
        "expected_pairs": len(pairs),
    }
    if pairs.failed.any() or known.dataset.nunique() < pairs.dataset.nunique():
        return row
    parts = within.parts(known)
    pair = paired_difference(known.difference.tolist(), known.dataset.tolist(), parts)
    by_set = known.groupby("dataset", sort=False).difference
    across = t_interval(by_set.mean().to_numpy())
    row |= {
        "mean": pair.mean,
        "low": pair.low,
        "high": pair.high,
        "new_low": across.low,
        "new_high": across.high,
        "pair_low": pair.low,
        "pair_high": pair.high,
    }
    error = within.error
    if error is None:
        return row
    margin, direction = (
        margin_of(within.results, within.comparison),
        sign(within.results.metric(within.comparison.metric)),
    )
    means, sizes = by_set.mean().tolist(), by_set.size().tolist()
    pooled = pooled_difference(means, sizes, error, parts)
    row |= {"low": pooled.low, "high": pooled.high, "df": pooled.df}
    if len(known) < len(pairs):
        return row
    return row | {
        "p_pair": pair.p,
        "p_sign_flip": pair.p_sign_flip,
        "p_smallest": pair.p_smallest,
        "p": pooled.p,
        "p_noninferior": noninferiority(pooled, margin, direction),
    }


def _single_data_set(pairs: pd.DataFrame, within: _Within) -> dict[str, object]:
    """For reading beside a declared row: the interval of one data set, none of whose cells failed."""
    known = pairs.dropna(subset=["difference"])
    row: dict[str, object] = {"declared": False, "datasets": 1, "pairs": len(known), "expected_pairs": len(pairs)}
    if pairs.failed.any() or known.empty:
        return row
    parts = within.parts(known)
    pair = paired_difference(known.difference.tolist(), parts=parts)
    row |= {"mean": pair.mean, "low": pair.low, "high": pair.high, "pair_low": pair.low, "pair_high": pair.high}
    error = within.error
    if error is None:
        return row
    pooled = pooled_difference([pair.mean], [len(known)], error, parts)
    return row | {"low": pooled.low, "high": pooled.high, "df": pooled.df}


def _verdict(row: Any, direction: int, alpha: float) -> str:
    """In words. "matches" means shown to be no worse than the margin allows, not merely no difference seen."""
    if row.pairs < row.expected_pairs:
        return f"incomplete: {row.pairs} of {row.expected_pairs} pairs"
    if np.isnan(row.p):
        return "undecided: one seed" if row.pairs == row.datasets else "undecided: no spread"
    differs = row.p_holm < alpha
    within = row.p_noninferior_holm < alpha
    if differs and direction * row.mean > 0:
        return "better"
    if differs:
        return "worse, within the margin" if within else "worse"
    return "matches" if within else "undecided"
