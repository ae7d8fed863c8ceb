"""What a study of this size can show, and what more of it would take."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from trionet_bench.analysis.comparisons import DECIDED, compare, decides_at, declared_margin
from trionet_bench.analysis.decision import compared, decide, image_parts
from trionet_bench.analysis.design import MOST_SEEDS, Design
from trionet_bench.analysis.pooled import shared_error
from trionet_bench.analysis.results import Results

_STEPS = ("supernet_s", "search_s", "select_s", "alone_s", "retrain_s", "finetune_s", "evaluate_s")
_SHARED = ("supernet_s", "alone_s")  # one phase serves several cells, each of which names its time
_LEFT_OUT = {
    "--seeds": 1,
    "--only": 1,
    "--minutes": 1,
    "--json": 0,
    "--force": 0,
    "--dry-run": 0,
    "--no-report": 0,
}


@dataclass(frozen=True)
class Resolution:
    """What the seeds of a study can show of a difference between two models, in the unit of the primary metric.

    Args:
        seeds: of each model on each data set, the least.
        shows: a difference that is shown in four of five studies like this, as the first of ``tests`` corrected tests,
            which are those of all budgets and metrics; NaN with one seed.
        observed: the largest difference between two means.
        verdicts: how many of the ``declared`` comparisons ended with each verdict that decides.
        target: the difference that is to be settled: a point of a fraction, else the declared margin; NaN without one.
        needed: seeds that show it; None where no number up to 200 does.
        by_images: what would be shown with any number of seeds: the test images are what they are.
        hours: of one worker for the seeds that are still needed.
        command: that runs them.
    """

    seeds: int
    tests: int
    shows: float
    observed: float
    verdicts: Mapping[str, int]
    declared: int
    target: float
    needed: int | None
    by_images: float
    hours: float
    command: str

    @property
    def decided(self) -> int:
        """How many of the declared comparisons are."""
        return sum(self.verdicts.values())


@lru_cache(maxsize=2)
def resolution(results: Results) -> Resolution | None:
    """Of differences at the largest budget; None where fewer than two models can be compared."""
    table, decision = compared(results), decide(results)
    if table is None or decision is None or table.shape[1] < 2:
        return None
    budget, sizes = results.budgets[-1], table.groupby("dataset", sort=False).size()
    datasets = tuple(str(name) for name in sizes.index)
    family = compare(results)
    family = family[family.declared.astype(bool)]
    decided = family.verdict[family.verdict.isin(DECIDED)]
    here = family[(family.budget == budget) & (family.metric == results.score)]
    pairs = [(str(row.candidate), str(row.baseline)) for row in here.itertuples()]
    pairs = [pair for pair in pairs if set(pair) <= set(table)]
    means = table.groupby("dataset").mean().mean()
    pairs = pairs or [(decision.best, model) for model in table.columns if model != decision.best]
    seeds, tests = int(sizes.min()), len(family) or len(pairs)
    error = shared_error(results, results.score, budget, datasets) if seeds > 1 else None
    target = 0.01 if results.primary.unit == "fraction" else declared_margin(results)
    shows = by_images = np.nan
    needed = None
    if error is not None:
        images = _of_images(results, table, pairs)
        study = Design(table.shape[1], len(datasets), tests, error.sd**2, images, decides_at(results))
        shows, by_images = study.shown(seeds), study.shown(MOST_SEEDS * 100)
        needed = study.seeds_for(target)
    return Resolution(
        seeds=seeds,
        tests=tests,
        shows=shows,
        observed=float(means.max() - means.min()),
        verdicts={str(verdict): int(count) for verdict, count in decided.value_counts().items()},
        declared=len(family),
        target=target,
        needed=needed,
        by_images=by_images,
        hours=(needed - seeds) * seconds_of_a_seed(results) / 3600 if needed and needed > seeds else 0.0,
        command=next_command(results, needed or seeds),
    )


def _of_images(results: Results, table: pd.DataFrame, pairs: list[tuple[str, str]]) -> float:
    """Variance of a difference by the test images alone, however many seeds: the median over the pairs."""
    values = []
    for candidate, baseline in pairs:
        parts = image_parts(results, table, candidate, baseline)
        values.append(sum(max(part.variance - part.shared, 0.0) for part in parts) / len(parts) ** 2)
    return float(np.median(values))


def seconds_of_a_seed(results: Results) -> float:
    """Recorded time of all cells and shared phases of one seed, one after the other: the mean over seeds."""
    cells = results.complete
    total: float = 0.0
    for step in _STEPS:
        if step in cells:
            known = cells.dropna(subset=[step])
            if step in _SHARED:
                known = known.drop_duplicates(["dataset", "seed", step])
            total += float(known[step].sum())
    return total / max(1, int(cells.seed.nunique()))


def next_command(results: Results, seeds: int) -> str:
    """The command that the newest record came from, for so many seeds."""
    newest = results.cells.sort_values("finished").command.iloc[-1]
    words = shlex.split(newest)
    if words[:1] != ["trionet-bench"] or words[1:2] not in (["run"], ["compare"]):
        words = ["trionet-bench", "run", results.declared.names[0]]
    kept: list[str] = []
    skip = 0
    for word in words:
        name = word.split("=")[0]
        if skip:
            skip -= 1
        elif name in _LEFT_OUT:
            skip = _LEFT_OUT[name] if "=" not in word else 0
        else:
            kept.append(word)
    return shlex.join([*kept, "--seeds", str(seeds)])
