"""Whether a space's networks are worth their time: stand-alone ones beside a three-layer CNN, same recipe and steps.

Every network trains on all images that are not for testing and is tested once, with each seed. Time is that of the
process's CPU while it trains, so that other load on the machine matters little.
"""

import math
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.benchmarks.measure import Document, OnCase, Row, Target, at_least, at_most, compared, document
from trionet_bench.benchmarks.opened_suites import Keys, opened
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.errors import UsageError
from trionet_bench.networks.layers import BatchNorm, Convolution2d, Linear, initialise
from trionet_bench.networks.sharing import channels, fixed
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.spaces.card import read_card
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.resnet import TRIO, ResNetSpace
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.scaling import scale_to_budget
from trionet_bench.systems.training_context import AnyTrainingContext
from trionet_bench.tasks.training_step import TrainingStep
from trionet_bench.timing import threads
from trionet_bench.training.device import resolve_device
from trionet_bench.training.loop import fit

SEEDS = 5
WIDTHS = (32, 64, 128)
REFERENCE = "the small CNN"


class SmallCNN(nn.Module):
    """Three 3x3 convolutions with batch normalisation and ReLU, 2x2 maxima between them, the mean, a linear layer.

    (B, C, H, W) to logits (B, classes); 0.1 M parameters for three channels.
    """

    def __init__(self, classes: int, input_channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        inputs = fixed(input_channels)
        for width in WIDTHS:
            self.layers.append(nn.Sequential(Convolution2d(inputs, channels(width), 3), BatchNorm(channels(width))))
            inputs = channels(width)
        self.head = Linear(inputs, fixed(classes), std=inputs.size**-0.5)

    def forward(self, images: Tensor) -> Tensor:
        x = images
        for number, layer in enumerate(self.layers):
            x = F.relu(layer(F.max_pool2d(x, 2) if number else x))
        logits: Tensor = self.head(x.mean(dim=(2, 3)))
        return logits

    def faster_channels_last(self, device: torch.device) -> bool:
        """As for the networks of convolutions that it is compared with."""
        return device.type == "cpu"


def measure(
    setting: Setting,
    on_case: OnCase,
    data: str,
    space: str,
    stem: str | None,
    resolution: int,
    budget: str,
    steps: int,
    operators: Sequence[str] | None = None,
    architectures: Sequence[Path] = (),
    data_root: Path | None = None,
) -> Document:
    """A case for each operator, with the accuracies and CPU milliseconds of all seeds: ``setting.samples`` of them.

    Without ``operators`` the paper's three. Further cases are the networks of the files ``architectures``, by the names
    of these.

    DataError where the data are missing; UsageError where an operator is unknown or does not fit the budget, a file
    describes no network, or two networks have one name.
    """
    operators = operators or TRIO
    others = _others(architectures, operators)
    device = resolve_device(setting.device)
    keys: Keys = {
        "name": "skeleton",
        "datasets": {"data": {"source": data, "resolution": resolution}},
        "space": {"base": space, "stem": stem} if stem else space,
        "recipe": "quick",
        "budgets": [budget],
        "models": {name: {"system": "standalone", "operator": name} for name in dict.fromkeys((TRIO[0], *operators))},
    }
    names = (*operators, *others)
    accuracy: dict[str, list[float]] = {name: [] for name in (REFERENCE, *names)}
    cpu_ms: dict[str, list[float]] = {name: [] for name in accuracy}
    macs: dict[str, int] = {}
    seeds = setting.count(SEEDS)
    with threads(setting.threads) as used:
        for seed in range(seeds):
            for number, name in enumerate(accuracy):
                model = name if name in operators else TRIO[0]
                with opened({**keys, "seeds": [seed]}, model, str(device), data_root) as context:
                    if name == REFERENCE:
                        network: nn.Module = SmallCNN(context.task.outputs, context.images.channels)
                    else:
                        architecture = others[name] if name in others else _scaled(context, name)
                        network, macs[name] = context.build(architecture), _macs(context, architecture)
                    top1, ms = _trained(initialise(network, seed), context, steps)
                accuracy[name].append(top1)
                cpu_ms[name].append(ms)
                done = seed * len(accuracy) + number + 1
                on_case(done, seeds * len(accuracy), f"{name}, seed {seed}: {top1:.1%}, {ms / 1000:.0f} s of CPU")
    rows = []
    for name in names:
        text = f"{name}, {macs[name] / 1e6:.1f}M MACs, {_mean(accuracy[name])} beside {_mean(accuracy[REFERENCE])}"
        facts: Row = {"case": text, "network": name, "macs": macs[name], "steps": steps, "seeds": [*range(seeds)]}
        facts |= {"accuracy": accuracy[name], "reference_accuracy": accuracy[REFERENCE]}
        rows.append(compared(facts, cpu_ms[name], REFERENCE, cpu_ms[REFERENCE]))
    return document("skeleton", device, used, rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """Convolution is at least as accurate as the small CNN and takes no more CPU time."""
    conv = [row for row in rows if row["network"] == "conv"]
    gains = [statistics.fmean(row["accuracy"]) - statistics.fmean(row["reference_accuracy"]) for row in conv]
    return [
        *at_least(f"accuracy of conv minus that of {REFERENCE}", 0.0, gains),
        *at_most(f"CPU time of conv over that of {REFERENCE}", 1.0, [row["ratio"] for row in conv]),
    ]


def _others(files: Sequence[Path], operators: Sequence[str]) -> dict[str, Architecture]:
    """The networks of architecture files by the names of these; UsageError where two networks have one name."""
    others: dict[str, Architecture] = {}
    for file in files:
        if file.stem in (*operators, *others):
            raise UsageError(f"{file}: another network is called {file.stem} already. Rename the file.")
        others[file.stem] = read_card(file)[0]
    return others


def _scaled(context: AnyTrainingContext, operator: str) -> Architecture:
    """The rule-scaled network of an operator."""
    space = context.cell.space
    assert isinstance(space, ResNetSpace)
    return space.decode(scale_to_budget(space, (operator,), {}, cost_in(context.cell), context.cell.budget))


def _macs(context: AnyTrainingContext, architecture: Architecture) -> int:
    """For one image of the data set."""
    return architecture_macs(architecture, context.task.outputs, context.images.channels, context.cell.resolution)


def _trained(network: nn.Module, context: AnyTrainingContext, steps: int) -> tuple[float, float]:
    """Test accuracy, 0 to 1, after about ``steps`` steps, and the CPU milliseconds of training."""
    batches = context.train_batches("train", "search_val", "val")
    recipe = context.cell.recipe.scaled(max(1, round(steps / len(batches))))
    step = TrainingStep(context.task, network)
    began = time.process_time()
    fit(network, batches, recipe, seed=context.cell.seed, device=context.device, step=step)
    spent = time.process_time() - began
    return context.measured(network, "test"), 1000 * spent


def _mean(values: Sequence[float]) -> str:
    """Mean in percent, with its standard error where there are several values."""
    mean = f"{100 * statistics.fmean(values):.1f}"
    return f"{mean} ± {100 * statistics.stdev(values) / math.sqrt(len(values)):.1f} %" if values[1:] else f"{mean} %"
