import numpy as np
import pytest
import torch
from support.classifying import evaluate
from torch import nn

from trionet_bench.errors import TrainingError


class Listed:
    """Logits as images, so that a network can be the identity: batches of ``batch`` in a given order."""

    def __init__(self, logits, labels, batch=2, order=None, promised=None):
        self.logits, self.labels, self.batch = logits, torch.tensor(labels), batch
        self.order = torch.arange(len(labels)) if order is None else torch.tensor(order)
        self.images = range(len(labels) if promised is None else promised)

    def __iter__(self):
        for rows in self.order.split(self.batch):
            yield self.logits[rows], self.labels[rows], rows


def test_accuracy_by_hand():
    # 7 classes; the label's rank is 1st, 2nd, 6th of 7, so top-1 is 1/3 and top-5 is 2/3
    logits = torch.tensor([7.0, 6, 5, 4, 3, 2, 1]).repeat(3, 1)
    result = evaluate(lambda x: x, Listed(logits, [0, 1, 5]))
    assert (result.metrics, result.n) == (pytest.approx({"top1": 1 / 3, "top5": 2 / 3}), 3)
    assert result.columns["predictions"].tolist() == [0, 0, 0]
    assert result.columns["top5_correct"].tolist() == [True, True, False]
    # softmax of consecutive integers: 1 / (1 + e^-1 + ... + e^-6)
    assert result.columns["confidence"][0] == pytest.approx(1 / sum(np.exp(-k) for k in range(7)), abs=1e-3)


def test_top5_of_three_classes_counts_all():
    result = evaluate(lambda x: x, Listed(torch.eye(3), [1, 2, 0]))
    assert result.metrics == {"top1": 0.0, "top5": 1.0}


def test_columns_are_in_the_order_of_the_set():
    logits = torch.eye(4)
    result = evaluate(lambda x: x, Listed(logits, [0, 1, 2, 0], order=[3, 0, 2, 1]))
    assert result.columns["labels"].tolist() == [0, 1, 2, 0]
    assert result.columns["predictions"].tolist() == [0, 1, 2, 3]
    dtypes = {name: str(column.dtype) for name, column in result.columns.items()}
    assert dtypes == {"labels": "int32", "predictions": "int32", "top5_correct": "bool", "confidence": "float16"}


@pytest.mark.parametrize(("order", "promised"), [([0, 1], 3), ([0, 1, 1], 3), ([0, 1, 2], 2)])
def test_an_image_missing_or_seen_twice_is_an_error(order, promised):
    with pytest.raises(TrainingError, match=f"but the set has {promised}"):
        evaluate(lambda x: x, Listed(torch.eye(3), [0, 1, 2], order=order, promised=promised))


def test_an_empty_set_is_an_error():
    with pytest.raises(TrainingError, match="no images"):
        evaluate(lambda x: x, Listed(torch.eye(3), [], promised=0))


def test_logits_that_are_not_finite_are_wrong_whatever_the_label():
    logits = torch.tensor([[float("nan"), 0.0], [0.0, float("inf")], [1.0, 0.0]])
    result = evaluate(lambda x: x, Listed(logits, [0, 1, 0]))
    assert result.columns["predictions"].tolist() == [-1, -1, 0]
    assert result.metrics == pytest.approx({"top1": 1 / 3, "top5": 1 / 3})
    assert result.columns["confidence"].tolist()[:2] == [0.0, 0.0]


def test_a_module_is_evaluated_in_evaluation_mode_and_left_as_it_was():
    module = nn.Dropout(0.99)
    result = evaluate(module, Listed(torch.eye(4), [0, 1, 2, 3]))
    assert result.metrics["top1"] == 1.0
    assert module.training
