"""What every task must keep to, on the tiny images of ``support.tiny`` in four classes."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from support.tiny import RECIPE, TINY, cell, index

from trionet_bench.networks.layers import initialise
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.records.task_info import TaskInfo
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.training_context import AnyTrainingContext, TrainingContext
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import resolve_task


def opened(task: Task, folder: Path) -> AnyTrainingContext:
    of = cell("standalone", operator="conv", task=task)
    of = replace(of, data=replace(of.data, index=index(classes=4)))
    return TrainingContext.open(of, RunContext(folder))


def network_of(context: AnyTrainingContext) -> Skeleton:
    architecture = TINY.decode(TINY.middle(TINY.operators_set_to("conv")))
    return initialise(context.build(architecture), 0)


def check_a_task_survives_its_record(task: Task, folder: Path) -> None:
    info = TaskInfo.model_validate(json.loads(task.info.model_dump_json()))
    assert info == task.info
    assert resolve_task({"name": info.name, **info.options}) == task
    assert resolve_task({"name": task.name, **task.options}).key_fields() == task.key_fields()


def check_it_is_known_before_torch_is(task: Task, folder: Path) -> None:
    assert task.metrics[0] == task.primary
    assert {metric.name for metric in task.metrics} == {metric.name for metric in task.info.metrics}
    assert task.fitness({task.primary.name: 0.25}) == (0.25 if task.primary.higher_is_better else -0.25)


def check_test_images_are_those_of_every_split(task: Task, folder: Path) -> None:
    images = index(classes=4)
    tested = task.test_images(images).places
    for seed, val in ((0, 0.1), (1, 0.2)):
        assert task.splits(images, seed, 0.1, val, None).test.places == tested


def check_views_are_functions_of_batch_and_step(task: Task, folder: Path) -> None:
    context = opened(task, folder)
    images, targets = next(context.train_batches("train").epoch(0))
    for view in (lambda: context.task.views(images, targets, 3), lambda: evaluation_view(context)):
        (inputs, wanted), (again, wanted_again) = view(), view()
        assert torch.equal(inputs, again)
        assert torch.equal(wanted, wanted_again)


def evaluation_view(context: AnyTrainingContext) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels, positions = next(iter(context.eval_batches("val")))
    return context.task.evaluation_views(images, labels, positions)


def check_losses_are_finite_scalars_with_gradients(task: Task, folder: Path) -> None:
    context = opened(task, folder)
    network = network_of(context).train()
    inputs, targets = context.task.views(*next(context.train_batches("train").epoch(0)), 0)
    outputs = network(inputs)
    for loss in (
        context.task.loss(outputs, targets),
        context.task.distillation_loss(outputs, 2 * outputs.detach(), 1.0),
    ):
        network.zero_grad()
        loss.backward(retain_graph=True)
        assert loss.ndim == 0
        assert torch.isfinite(loss)
        gradients = [weight.grad for weight in network.parameters() if weight.grad is not None]
        assert any(bool(gradient.abs().sum() > 0) for gradient in gradients)


def check_metrics_follow_from_what_is_noted_of_each_image(task: Task, folder: Path) -> None:
    context = opened(task, folder)
    result = context.evaluate(network_of(context), "test")
    tested = len(context.images.part("test"))
    assert result.n == tested
    assert {len(column) for column in result.columns.values()} == {tested}
    path = folder / "columns.npz"
    np.savez(path, **dict(result.columns))
    with np.load(path) as stored:
        assert task.measure({name: stored[name] for name in stored.files}) == result.metrics
    assert list(result.metrics) == [metric.name for metric in task.metrics]
    assert all(np.isfinite(value) for value in result.metrics.values())


def check_training_lowers_the_loss(task: Task, folder: Path) -> None:
    context = opened(task, folder)
    recipe = RECIPE.model_copy(update={"epochs": 12})
    rows = context.train(network_of(context), recipe, "retrain")
    assert min(row["train_loss"] for row in rows[-3:]) < rows[0]["train_loss"]


TASK_CHECKS: tuple[Callable[[Task, Path], None], ...] = (
    check_a_task_survives_its_record,
    check_it_is_known_before_torch_is,
    check_test_images_are_those_of_every_split,
    check_views_are_functions_of_batch_and_step,
    check_losses_are_finite_scalars_with_gradients,
    check_metrics_follow_from_what_is_noted_of_each_image,
    check_training_lowers_the_loss,
)


def torch_is_loaded_by(module: str) -> bool:
    """Whether importing a module of the package loads torch."""
    code = f"import sys, {module}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"
