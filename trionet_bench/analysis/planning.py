"""What a study of some size can decide, before it is run: in standard deviations of one training run.

The error is that of ``analysis.pooled``: with k models and n seeds on d data sets it has (k - 1) (n - 1) d degrees of
freedom, and a difference of two models over all of them has the standard error sd sqrt(2 / (n d)). What test images add
is left out: it is not known before they are seen.
"""

from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from trionet_bench.analysis.metrics import margin_unit
from trionet_bench.analysis.pooled import shared_error
from trionet_bench.analysis.results import load_by_task
from trionet_bench.analysis.statistics import LEVEL

POWER = 0.8


@dataclass(frozen=True)
class Resolution:
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


def resolution(
    seeds: int, models: int, datasets: int = 1, comparisons: int = 1, level: float = 1 - LEVEL
) -> Resolution | None:
    """None where no error can be estimated: with one seed, or with one model.

    Args:
        comparisons: that Holm's correction runs over.
        level: at which they are decided.
    """
    df = (models - 1) * (seeds - 1) * datasets
    if df < 1:
        return None
    error = (2 / (seeds * datasets)) ** 0.5
    half_width = float(stats.t.ppf((1 + LEVEL) / 2, df)) * error
    critical = stats.t.ppf(1 - level / 2 / max(1, comparisons), df)
    return Resolution(seeds, df, half_width, float(critical + stats.t.ppf(POWER, df)) * error)


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
