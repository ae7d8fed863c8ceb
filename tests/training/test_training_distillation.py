import math

import pytest
import torch

from trionet_bench.training.distillation import soft_cross_entropy


def tensors(*rows):
    return torch.tensor(rows, dtype=torch.float64, requires_grad=True)


def test_by_hand_at_temperature_one():
    # teacher logits (0, ln 3) are probabilities 1/4, 3/4; student logits (0, 0) are 1/2, 1/2: the loss is ln 2;
    # student logits (0, ln 3): the entropy of (1/4, 3/4)
    teacher = tensors([0.0, math.log(3)])
    assert soft_cross_entropy(tensors([0.0, 0.0]), teacher).item() == pytest.approx(math.log(2), abs=1e-12)
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert soft_cross_entropy(teacher, teacher).item() == pytest.approx(entropy, abs=1e-12)


def test_by_hand_at_temperature_two_over_a_batch():
    # logits divided by 2: the teacher's (0, 2 ln 3) become (0, ln 3), so 1/4, 3/4; the student's (0, 2 ln 2) become
    # 1/3, 2/3; times 4. The second row's student is even: ln 2, times 4.
    teacher = tensors([0.0, 2 * math.log(3)], [0.0, 2 * math.log(3)])
    student = tensors([0.0, 2 * math.log(2)], [0.0, 0.0])
    first = -(0.25 * math.log(1 / 3) + 0.75 * math.log(2 / 3))
    assert soft_cross_entropy(student, teacher, 2.0).item() == pytest.approx(4 * (first + math.log(2)) / 2, abs=1e-12)


def test_gradient_is_the_difference_of_probabilities_and_the_teacher_gets_none():
    teacher, student = tensors([0.0, math.log(3)]), tensors([0.0, 0.0])
    soft_cross_entropy(student, teacher).backward()
    assert student.grad.tolist() == [pytest.approx([0.5 - 0.25, 0.5 - 0.75], abs=1e-12)]
    assert teacher.grad is None
