"""What a device does with the networks of ImageNet, in at most three minutes: a first look at a GPU.

``python -m trionet_bench.benchmarks.device_check`` measures, in bfloat16 unless it says otherwise:

- each operator at the sizes of ResNet-50's maps, beside a 3x3 convolution of the same width (on a GPU cuDNN's) and
  beside other libraries' local attention where they are installed; time, share of the peak, memory;
- a training step of ResNet-50 beside torchvision's, and one of its local and axial counterparts;
- a sandwich step of the supernet of ``resnet-imagenet``, and of one whose blocks are all of one operator;
- how far each operator is from float64, in float32 and bfloat16.

What no time is left for is named in the document. On a CPU everything is small, to see that it runs.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from trionet_bench.benchmarks import measure
from trionet_bench.benchmarks.everything import machine
from trionet_bench.benchmarks.external import references
from trionet_bench.benchmarks.measure import Document, Row, Target, at_least, at_most, compared, document
from trionet_bench.benchmarks.operators import Case, case_peak_bytes, error_of, step_of
from trionet_bench.benchmarks.peak import products, rates
from trionet_bench.benchmarks.supernet import timed
from trionet_bench.benchmarks.training import Format, resnet50_row, step_macs, training_step
from trionet_bench.integrity.provenance import code_state, command_line
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.networks.skeletons import build_network
from trionet_bench.records.store import write_json
from trionet_bench.search.sampling import HierarchicalSampler
from trionet_bench.search.supernet import SupernetStep
from trionet_bench.spaces.presets import SPACES
from trionet_bench.spaces.published import published
from trionet_bench.tasks.classification.runner import ClassificationRunner
from trionet_bench.tasks.classification.task import Classification
from trionet_bench.timing import in_turns
from trionet_bench.training.device import peak_memory, reset_peak_memory, resolve_device
from trionet_bench.training.recipe import IMAGENET_130

SECONDS = 180
BF16 = Format(torch.bfloat16, channels_last=True)
OPERATORS = ("conv", "local", "axial")
SHARES = {"conv": 0.4, "local": 0.2, "axial": 0.2, "all": 0.2}  # of the bfloat16 peak in a supernet's step
CLASSES = 1000


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Args:
        maps: (side, channels, heads) of feature maps, in batches of ``batch``.
        images: of a training step of a network, of ``resolution`` pixels.
        space: of the supernet, which trains on half as many images, at its own resolution.
        samples: of each case.
    """

    maps: tuple[tuple[int, int, int], ...]
    batch: int
    images: int
    resolution: int
    space: str
    samples: int


FULL = Scale(((56, 64, 8), (28, 128, 8), (14, 256, 8), (7, 512, 8)), 64, 128, 224, "resnet-imagenet", 10)
SMALL = Scale(((7, 16, 4),), 2, 2, 32, "resnet-nano", 1)

Part = tuple[str, Callable[[], Row]]  # a case's name and what measures it


def check(device: torch.device, scale: Scale, seconds: float, say: Callable[[str], None]) -> Document:
    """Measure what fits into ``seconds``; ``say`` gets a line for each case.

    A case that fails has an ``error`` in place of figures: a library that is not made for the device, no memory.
    """
    end = time.monotonic() + seconds
    rows: list[Row] = []
    left_out: list[str] = []
    for name, figures in _parts(device, scale):
        if time.monotonic() > end:
            left_out.append(name)
            continue
        try:
            row = {"case": name, "device": str(device), **figures()}
        except Exception as error:
            row = {"case": name, "device": str(device), "error_message": f"{type(error).__name__}: {error}"}
        rows.append(row)
        say(line_of(row))
    return {**document("device", device, torch.get_num_threads(), rows, targets(rows)), "left_out": left_out}


def line_of(row: Row) -> str:
    """A case in one line."""
    if "error_message" in row:
        return f"{row['case']}: {row['error_message']}"
    if "error" in row:
        return f"{row['case']}: {row['error']:.2g} from float64"
    return measure.line_of(row)


def targets(rows: list[Row]) -> list[Target]:
    """The bounds for an H100 that the rows can decide."""
    done = [row for row in rows if "median_ms" in row]
    local = [r["ratio"] for r in done if r["kind"] == "operator" and (r["operator"], r["size"]) == ("local", 56)]
    bounds = at_most("local 7x7 at 56x56: time over conv 3x3", 1, local)
    bounds += at_most("ResNet-50: step over torchvision's", 1.01, [r["ratio"] for r in done if r["kind"] == "resnet50"])
    for operators, share in SHARES.items():
        found = [r["share_of_bfloat16_peak"] for r in done if r["kind"] == "supernet" and r["operators"] == operators]
        bounds += at_least(f"supernet step, {operators}: share of the bfloat16 peak", share, found)
    return bounds


def _parts(device: torch.device, scale: Scale) -> Iterator[Part]:
    for size, channels, heads in scale.maps:
        for case in _cases(size, channels, scale.batch, heads):
            yield case.name, partial(_operator, case, device, scale.samples)
    yield "resnet50", partial(_resnet50, device, scale)
    for name in ("local_resnet50", "axial_resnet50_s"):
        yield name, partial(_network, name, device, scale)
    for operators in SHARES:
        yield f"supernet step, {operators}", partial(_supernet, operators, device, scale)
    for case in _cases(*scale.maps[0][:2], 2, scale.maps[0][2]):
        for dtype in ("float32", "bfloat16"):
            yield f"{case.operator} {case.terms or ''} in {dtype}", partial(_error, case, device, dtype)
    size, channels, heads = scale.maps[0]
    for name in references(device):
        yield (
            f"{name} 7x7, {channels}x{size}x{size}",
            partial(_external, name, _cases(size, channels, scale.batch, heads)[0], device, scale.samples),
        )


def _cases(size: int, channels: int, batch: int, heads: int) -> list[Case]:
    return [
        Case("local", size, channels, batch, heads, 7, "plain", ("unfold",)),
        Case("local", size, channels, batch, heads, 7, "position_sensitive", ("unfold",)),
        Case("axial", size, channels, batch, heads, references=("einsum",)),
        Case("conv", size, channels, batch, heads, references=("torch's modules",)),
    ]


def _images_of(case: Case, device: torch.device) -> Tensor:
    return case.images().to(device, torch.bfloat16, memory_format=torch.channels_last)


def _operator(case: Case, device: torch.device, samples: int) -> Row:
    x = _images_of(case, device)
    conv = Case("conv", case.size, case.channels, case.batch)
    times = in_turns(
        {
            "ours": step_of(case.build(), x),
            "conv": step_of(conv.build("torch's modules"), x),
            **products(device),
        },
        samples,
        device,
    )
    facts = {"kind": "operator", "operator": case.operator, "terms": case.terms, "size": case.size}
    facts |= {"channels": case.channels, "heads": case.heads, "batch": case.batch, "dtype": "bfloat16"}
    facts["peak_memory_bytes"] = case_peak_bytes(case, None, device, torch.bfloat16)
    row = compared(facts, times["ours"], "a 3x3 convolution", times["conv"])
    return row | rates(case.macs, row["median_ms"], times, device)


def _external(name: str, case: Case, device: torch.device, samples: int) -> Row:
    assert case.window is not None
    x = _images_of(case, device)
    module = references(device)[name](case.channels, case.heads, case.window, case.size)
    times = in_turns({"ours": step_of(case.build(), x), "theirs": step_of(module, x)}, samples, device)
    return {"kind": "external", **compared({"dtype": "bfloat16"}, times["ours"], name, times["theirs"])}


def _resnet50(device: torch.device, scale: Scale) -> Row:
    return {**resnet50_row(BF16, device, scale.images, scale.samples, scale.resolution), "kind": "resnet50"}


def _network(name: str, device: torch.device, scale: Scale) -> Row:
    network = initialise(build_network(published(name), CLASSES, 3, scale.resolution), 0)
    images = _random_images(scale.images, scale.resolution)
    reset_peak_memory(device)
    step = training_step(network, IMAGENET_130, images, BF16, device)
    times = in_turns({"ours": step, **products(device)}, scale.samples, device)
    macs = step_macs(network, scale.resolution, scale.images)
    return {"kind": "network", **_step_row(times, macs, scale.images, device)}


def _supernet(operators: str, device: torch.device, scale: Scale) -> Row:
    """A sandwich step of the recipe of ``imagenet``; each sample draws its children anew."""
    space = SPACES[scale.space]
    space = space if operators == "all" else space.with_dimensions(operators=(operators,))
    recipe, count = IMAGENET_130.for_supernet(), max(1, scale.images // 2)
    task = ClassificationRunner(Classification(), CLASSES, CLASSES, 3, space.resolution, recipe, 0, device)
    supernet = Supernet(space, task.network, MultiHeadSharing(), 0).to(device).train()
    sampler = HierarchicalSampler(space, 0, recipe.supernet.random_children)
    step = SupernetStep(supernet, sampler, recipe, task)
    images = _random_images(count, space.resolution).to(device, memory_format=torch.channels_last)
    labels = torch.zeros(count, dtype=torch.long, device=device)
    multiply = products(device)
    times: dict[str, list[float]] = {name: [] for name in ("ours", *multiply)}
    macs = []
    reset_peak_memory(device)
    for number in range(max(1, scale.samples // 2) + 1):  # the first warms up and is dropped
        supernet.zero_grad(set_to_none=True)
        spent = timed(partial(step, images, labels, number), device)
        if number:
            times["ours"].append(spent)
            children = [space.decode(child.genes) for child in sampler.draw(number)]
            macs.append(sum(step_macs(task.network(child), space.resolution, count) for child in children))
            for name, product in multiply.items():
                times[name].append(timed(product, device))
    row = _step_row({**times, "ours": [sum(times["ours"]) / len(macs)]}, sum(macs) / len(macs), count, device)
    return {"kind": "supernet", "operators": operators, **row, "samples_ms": times["ours"]}


def _step_row(times: dict[str, list[float]], macs: float, images: int, device: torch.device) -> Row:
    median = sorted(times["ours"])[len(times["ours"]) // 2]
    row: Row = {"dtype": "bfloat16", "batch": images, "median_ms": median, "samples_ms": times["ours"]}
    row |= {"images_per_second": 1000 * images / median, "peak_memory_bytes": peak_memory(device)}
    return row | rates(macs, median, times, device)


def _error(case: Case, device: torch.device, dtype: str) -> Row:
    return {"kind": "error", "dtype": dtype, "error": error_of(case, device, getattr(torch, dtype))}


def _random_images(count: int, side: int) -> Tensor:
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(0))


def main(arguments: list[str]) -> None:
    """Measure, print and write RESULTS/benchmarks/device-MACHINE.json."""
    parser = argparse.ArgumentParser(prog="python -m trionet_bench.benchmarks.device_check", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help=f"no case begins after these (default: {SECONDS})"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="folder of results (default: results)")
    options = parser.parse_args(arguments)
    device = resolve_device(options.device)
    scale = FULL if device.type == "cuda" else SMALL
    found = check(device, scale, options.seconds, lambda line: print(line, flush=True))
    found |= {"command": command_line(arguments), "code": code_state().model_dump()}
    file = options.results / "benchmarks" / f"device-{machine(found)}.json"
    write_json(file, found)
    print(json.dumps(found["targets"], indent=1))
    print(f"Left out for lack of time: {', '.join(found['left_out']) or 'nothing'}\nFigures: {file}")


if __name__ == "__main__":
    main(sys.argv[1:])
