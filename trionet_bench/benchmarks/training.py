"""How fast networks train: ResNet-50 beside torchvision's, and number and memory formats beside the chosen ones.

A step is forward, backward and the optimizer's update on images in memory. The two ResNet-50 are the same network: with
the same weights they give the same logits, which is checked first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import resnet50

from trionet_bench.benchmarks.measure import (
    Document,
    OnCase,
    Row,
    Target,
    at_most,
    compared,
    document,
    line_of,
)
from trionet_bench.benchmarks.peak import TRAINING, products, rates
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import profile
from trionet_bench.networks.skeletons import Skeleton, build_network
from trionet_bench.spaces.presets import SPACES
from trionet_bench.spaces.published import published
from trionet_bench.timing import in_turns, threads
from trionet_bench.training.device import resolve_device
from trionet_bench.training.loop import memory_format
from trionet_bench.training.optimizer import build_optimizer
from trionet_bench.training.recipe import IMAGENET_130, QUICK, Recipe

CLASSES = 1000
EQUAL = 0.01  # smaller relative differences of time count as equal
HELPS = 1.1  # the other memory format may be faster by this factor
BATCHES = {"resnet-nano": 32, "resnet-tiny": 8}  # on a CPU


@dataclass(frozen=True)
class Format:
    """Number format of the forward pass, and order of the images' memory."""

    dtype: torch.dtype
    channels_last: bool

    def __str__(self) -> str:
        name = str(self.dtype).removeprefix("torch.")
        return f"{name} {'channels-last' if self.channels_last else 'contiguous'}"


FORMATS = tuple(Format(dtype, last) for dtype in (torch.float32, torch.bfloat16) for last in (False, True))
SMALL = tuple((space, operator) for space in ("resnet-nano", "resnet-tiny") for operator in ("conv", "local", "axial"))


def measure(setting: Setting, on_case: OnCase) -> Document:
    """ResNet-50 in the formats, then small networks in the formats."""
    device = resolve_device(setting.device)
    fast = device.type == "cuda"
    batch = 128 if fast else 4
    formats = FORMATS if fast else FORMATS[:2]  # a CPU emulates bfloat16 unless it is recent; see the small networks
    rows: list[Row] = []
    chosen = SMALL[:1] if setting.quick else SMALL
    total = len(formats) + len(chosen)
    with threads(setting.threads) as used:
        for form in formats:
            rows.append(resnet50_row(form, device, batch, setting.count(20 if fast else 12)))
            on_case(len(rows), total, line_of(rows[-1]))
        for done, (space, operator) in enumerate(chosen, start=len(formats) + 1):
            rows.extend(
                _formats(space, operator, device, 256 if fast else BATCHES[space], setting.count(20 if fast else 3))
            )
            on_case(done, total, line_of(rows[-1]))
    return document("training", device, used, rows, targets(rows))


def targets(rows: Sequence[Row]) -> list[Target]:
    """At most the time of torchvision; and the other memory format is not much faster than the chosen one."""
    resnet50_target = at_most(
        "ResNet-50, training step over torchvision's",
        1 + EQUAL,
        [r["ratio"] for r in rows if r["network"] == "resnet50"],
    )
    small = [1 / r["ratio"] for r in rows if r["network"] != "resnet50" and r["dtype"] == "float32"]
    return resnet50_target + at_most("chosen memory format over the other", HELPS, small)


def resnet50_row(form: Format, device: torch.device, batch: int, samples: int, resolution: int = 224) -> Row:
    """A step of ResNet-50 beside torchvision's."""
    ours = initialise(build_network(published("resnet50"), CLASSES, 3, resolution), 0)
    theirs = twin(ours)
    options = IMAGENET_130.optimizer
    reference = torch.optim.SGD(
        theirs.parameters(), IMAGENET_130.peak_lr, options.momentum, weight_decay=options.weight_decay, nesterov=True
    )
    images = torch.randn(batch, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))
    steps = {
        "ours": training_step(ours, IMAGENET_130, images, form, device),
        "theirs": training_step(theirs, IMAGENET_130, images, form, device, reference),
    }
    times = in_turns({**steps, **products(device)}, samples, device)
    facts = {"case": f"resnet50, {form}", "network": "resnet50", "batch": batch, "device": str(device)}
    facts |= {"dtype": str(form.dtype).removeprefix("torch."), "channels_last": form.channels_last}
    row = compared(facts, times["ours"], "torchvision", times["theirs"])
    return row | rates(step_macs(ours, resolution, batch), row["median_ms"], times, device)


def step_macs(network: Skeleton, resolution: int, batch: int) -> int:
    """MACs of a step of training: forward and backward."""
    return TRAINING * batch * profile(network, resolution).macs


def twin(ours: nn.Module, classes: int = CLASSES) -> nn.Module:
    """torchvision's ResNet-50 with the same weights; ArithmeticError unless it gives the same logits."""
    theirs: nn.Module = resnet50(weights=None, num_classes=classes)
    names, values = theirs.state_dict().keys(), ours.state_dict().values()  # both in the order of the computation
    theirs.load_state_dict(dict(zip(names, values, strict=True)))
    images = torch.randn(1, 3, 65, 65, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, expected = ours.eval()(images), theirs.eval()(images)
    if not torch.allclose(logits, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max())):
        raise ArithmeticError("our ResNet-50 does not give the logits of torchvision's with the same weights")
    return theirs


def _formats(space_name: str, operator: str, device: torch.device, batch: int, samples: int) -> list[Row]:
    space = SPACES[space_name]
    architecture = space.decode(space.middle(space.operators_set_to(operator)))
    images = torch.randn(batch, 3, space.resolution, space.resolution, generator=torch.Generator().manual_seed(0))
    steps = {
        str(form): training_step(
            initialise(build_network(architecture, 10, 3, space.resolution), 0), QUICK, images, form, device
        )
        for form in FORMATS
    }
    times = in_turns({**steps, **products(device)}, samples, device)
    network = build_network(architecture, 10, 3, space.resolution)
    macs = step_macs(network, space.resolution, batch)
    chosen = str(Format(torch.float32, memory_format(network, QUICK, device) == torch.channels_last))
    rows = []
    for form in FORMATS:
        if str(form) != chosen:
            facts: Row = {"case": f"{space_name} {operator}, {form}", "network": f"{space_name} {operator}"}
            facts |= {"batch": batch, "device": str(device), "channels_last": form.channels_last}
            facts |= {"dtype": str(form.dtype).removeprefix("torch.")}
            row = compared(facts, times[str(form)], f"the chosen {chosen}", times[chosen])
            of_chosen = rates(macs, row["reference_ms"], times, device)
            row["reference_gmacs_per_second"] = of_chosen["gmacs_per_second"]
            row |= {f"reference_{key}": of_chosen[key] for key in of_chosen if key.startswith("share")}
            rows.append(row | rates(macs, row["median_ms"], times, device))
    return rows


def training_step(
    network: nn.Module,
    recipe: Recipe,
    images: Tensor,
    form: Format,
    device: torch.device,
    optimizer: torch.optim.Optimizer | None = None,
) -> Callable[[], None]:
    """One step of training by ``optimizer``, or by the recipe's as the loop makes it."""
    layout = torch.channels_last if form.channels_last else torch.contiguous_format
    network.to(device).to(memory_format=layout).train()
    images = images.to(device, memory_format=layout)
    labels = torch.zeros(len(images), dtype=torch.long, device=device)
    optimizer = optimizer or build_optimizer(network, recipe)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=form.dtype == torch.bfloat16):
            logits = network(images)
        F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing).backward()
        optimizer.step()

    return step
