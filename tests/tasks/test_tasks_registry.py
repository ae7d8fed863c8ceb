"""Tasks by name and option, what of them enters a key, and classification by hand."""

import math

import pytest
import torch
from support.classifying import classification
from support.tiny import cell

from trionet_bench.errors import UsageError
from trionet_bench.tasks.classification.task import Classification
from trionet_bench.tasks.registry import DEFAULT, TASKS, resolve_task
from trionet_bench.training.recipe import QUICK


def test_a_task_by_name_or_mapping():
    assert resolve_task("classification") == resolve_task({"name": "classification"}) == DEFAULT == Classification()
    assert TASKS.names()[0] == "classification"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("clasification", 'unknown task "clasification"; did you mean "classification"'),
        ({"options": 1}, 'a task has no "name"; give one of classification'),
        ({"name": "classification", "scale": 2}, 'task classification has no option "scale"; it has no options'),
    ],
)
def test_wrong_tasks_are_named(value: str | dict[str, object], message: str):
    with pytest.raises(UsageError) as caught:
        resolve_task(value)
    assert message in str(caught.value)


def test_the_default_task_leaves_keys_as_they_were():
    assert "task" not in cell("standalone", operator="conv").data.key_fields()


def test_the_loss_is_cross_entropy_with_the_smoothing_of_the_recipe():
    # Two classes, logits (1, 0), label 0, smoothing 0.2: the target is (0.9, 0.1).
    task = classification(QUICK.model_copy(update={"label_smoothing": 0.2}))
    total = math.log(math.e + 1)
    expected = 0.9 * (total - 1) + 0.1 * total
    loss = task.loss(torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([0]))
    assert float(loss) == pytest.approx(expected, abs=1e-12)
    shares = task.loss(torch.tensor([[1.0, 0.0]], dtype=torch.float64), torch.tensor([[1.0, 0.0]], dtype=torch.float64))
    assert float(shares) == pytest.approx(expected, abs=1e-12)


def test_metrics_of_three_images_by_hand():
    task = classification()
    logits = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 2.0], [math.nan, 0.0, 0.0]])
    columns = {name: column.numpy() for name, column in task.judge(logits, torch.tensor([0, 0, 0])).items()}
    assert columns["predictions"].tolist() == [0, 2, -1]
    # all of three classes are among the top five, but not where logits are not finite
    assert task.task.measure(columns) == {"top1": pytest.approx(1 / 3), "top5": pytest.approx(2 / 3)}
