"""How the direction and the unit of a metric enter statistics."""

from trionet_bench.records.task_info import Metric, TaskInfo


def sign(metric: Metric) -> int:
    """1 where more is better, -1 where less is."""
    return 1 if metric.higher_is_better else -1


def margin_unit(metric: Metric) -> float:
    """What a declared margin of 1 is in the values of records: a percentage point of a fraction, else 1."""
    return 0.01 if metric.unit == "fraction" else 1.0


def is_accuracy(metric: Metric) -> bool:
    """Whether it is the share of images whose class is among the first k answers, which tasks label ``top-k``."""
    return metric.label.startswith("top-")


def metric_of(task: TaskInfo, measured: str) -> Metric:
    """The metric of a column of cells.

    A column that the task does not name, such as a time, is a plain number of which more counts as better.
    """
    return task.metric_of(measured) or Metric(name="other", label=measured.replace("_", " "), unit="none")
