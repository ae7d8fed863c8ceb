"""Tasks as records name them."""

from trionet_bench.records.task_info import Metric, TaskInfo

CLASSIFICATION = TaskInfo(
    name="classification",
    metrics=(
        Metric(name="top1", label="top-1", unit="fraction"),
        Metric(name="top5", label="top-5", unit="fraction"),
    ),
)

LIKELIHOOD = TaskInfo(
    name="likelihood", metrics=(Metric(name="nll", label="NLL", unit="nats", higher_is_better=False),)
)
"""Its one metric is in nats, and less of it is better."""
