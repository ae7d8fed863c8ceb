"""What a study of some size can decide, before it is run: in standard deviations of one training run.

What test images add is left out: it is not known before they are seen.
"""

from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from trionet_bench.analysis.design import Design
from trionet_bench.analysis.metrics import margin_unit
from trionet_bench.analysis.pooled import shared_error
from trionet_bench.analysis.results import load_by_task
from trionet_bench.analysis.statistics import LEVEL


@dataclass(frozen=True)
class Foresight:
    """What a study of a size can decide.

    Args:
        seeds: of each model on each data set.
        df: degrees of freedom of the error that all models share.
        half_width: of the 95 % interval of a difference, in standard deviations of one run.
        detectable: the difference that is found with 80 % chance in the first step of Holm's correction, likewise.
    """

    seeds: int
    df: int
    half_width: float
    detectable: float


def foreseen(
    seeds: int, models: int, datasets: int = 1, comparisons: int = 1, level: float = 1 - LEVEL
) -> Foresight | None:
    """None where no error can be estimated: with one seed, or with one model.

    Args:
        comparisons: that Holm's correction runs over.
        level: at which they are decided.
    """
    design = Design(models, datasets, max(1, comparisons), level=level)
    df = design.df(seeds)
    if df < 1:
        return None
    half_width = float(stats.t.ppf((1 + LEVEL) / 2, df)) * design.by_seeds(seeds) ** 0.5
    return Foresight(seeds, df, half_width, design.shown(seeds))


def known_sd(folder: Path, budget: int) -> tuple[float, str] | None:
    """Standard deviation of one run in earlier records of a suite, in percentage points or the unit of the metric.

    None where there are none of two models and seeds, or of several tasks.
    """
    if not folder.is_dir() or not any(folder.glob("*/*/*/record.json")):
        return None
    results, *others = load_by_task([folder])
    error = shared_error(results, results.score, budget)
    if others or error is None or error.sd == 0:
        return None
    unit = "points" if results.primary.unit == "fraction" else results.primary.unit
    return error.sd / margin_unit(results.primary), unit
