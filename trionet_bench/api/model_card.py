"""The network of a cell as a folder for others: weights, architecture, and a model card in the form of the Hugging Face
hub (https://huggingface.co/docs/hub/model-cards). ``load`` and ``create_model`` read it back.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import yaml

from trionet_bench.analysis.placement import counted_from_1
from trionet_bench.analysis.statistics import proportion_interval
from trionet_bench.data.sources.catalogue import facts_of
from trionet_bench.errors import StoreError, UsageError
from trionet_bench.files import write_atomically
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.layout import ARCHITECTURE, WEIGHTS, format_budget
from trionet_bench.records.record import Record
from trionet_bench.records.store import read_record
from trionet_bench.reporting.text import code, prose
from trionet_bench.tasks.classification.task import Classification
from trionet_bench.units import duration, prefixed

CARD = "README.md"
_CLASSIFIES = """\
import trionet_bench

model = trionet_bench.load(".")             # this folder
print(model.classify("photo.jpg"))          # classes with probabilities
table = model.predict("photos")             # a data frame, a row for each image
network = trionet_bench.create_model(".")   # the same architecture with initial weights
"""
_GIVES_NUMBERS = """\
import trionet_bench

model = trionet_bench.load(".")                      # this folder
numbers = model(model.prepare("photo.jpg")[None])    # (1, D)
network = trionet_bench.create_model(".")            # the same architecture with initial weights
"""


def export_folder(cell: Path, out: Path) -> Path:
    """Write ``README.md``, ``architecture.json`` and ``model.safetensors`` of a complete cell.

    The record stays: it names folders of the machine that it comes from.

    Returns the folder. UsageError where the cell left no network, or where ``out`` holds something else; StoreError
    where it cannot be written.
    """
    record = read_record(cell)
    if record is None or record.status != "complete" or not (cell / WEIGHTS).is_file():
        raise UsageError(f"{cell} left no network; name the folder of a complete cell.")
    if out.exists() and not (out / ARCHITECTURE).is_file() and any(out.iterdir()):
        raise UsageError(f"{out} holds something else; name another folder by --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in (ARCHITECTURE, WEIGHTS):
            shutil.copyfile(cell / name, out / name)
        write_atomically(out / CARD, model_card(record))
    except OSError as error:
        raise StoreError(f"{out} could not be written: {error.strerror or error}. Name another by --out.") from error
    return out


def push(folder: Path, repository: str) -> str:
    """Upload an exported folder to the Hugging Face hub as ``USER/NAME``; returns its address.

    Whoever is logged in by ``hf auth login`` pushes. UsageError where the hub refuses.
    """
    from huggingface_hub import HfApi  # only where something is pushed
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    hub = HfApi(library_name="trionet_bench")
    try:
        hub.create_repo(repository, exist_ok=True)
        return str(hub.upload_folder(repo_id=repository, folder_path=folder, commit_message="Add the network"))
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise UsageError(f"{repository} could not be pushed: {error}. Log in by `hf auth login`.") from error


def model_card(record: Record) -> str:
    """Task, data and their licence, accuracy with its interval, cost, placement, and how to use the network."""
    title = f"{record.model}, {'searched for' if record.search else 'trained on'}"
    head = yaml.safe_dump(_metadata(record), sort_keys=False, allow_unicode=True)
    parts = [f"---\n{head}---", f"# {title} {record.dataset} under {format_budget(record.budget)} MACs", *_text(record)]
    return "\n\n".join(parts) + "\n"


def _metadata(record: Record) -> JsonObject:
    """The head of the card, by which the hub finds it."""
    results = [
        {
            "task": {"type": "image-classification"},
            "dataset": {"name": record.dataset, "type": record.dataset},
            "metrics": [{"type": "accuracy", "name": name, "value": value} for name, value in _tested(record)],
        }
    ]
    of_classifier = {
        "pipeline_tag": "image-classification",
        "model-index": [{"name": record.model, "results": results}],
    }
    return {
        "library_name": "trionet_bench",
        "tags": ["trionet_bench", "neural-architecture-search", record.system, record.task.name],
        **(of_classifier if record.task.name == Classification.name else {}),
    }


def _tested(record: Record) -> Iterator[tuple[str, float]]:
    """Names and values of what was measured on test images."""
    for metric in record.task.metrics:
        if (value := record.metrics.get(f"test_{metric.name}")) is not None:
            yield metric.label, value


def _text(record: Record) -> Iterator[str]:
    yield "\n".join(
        [
            "| | |",
            "| --- | --- |",
            *(f"| {name} | {prose(value)} |" for name, value in _rows(record)),
        ]
    )
    yield "## Use"
    yield f"```python\n{_CLASSIFIES if record.task.name == Classification.name else _GIVES_NUMBERS}```"
    first = min((p.stage for p in record.placement), default=0)
    yield "## Which operator stands where"
    yield "\n".join(
        ["| stage | block | operator | MACs |", "| ---: | ---: | --- | ---: |"]
        + [
            f"| {counted_from_1(p.stage, first)} | {p.block + 1} | {p.operator} | {prefixed(p.macs)} |"
            for p in record.placement
        ]
    )
    yield "## Data"
    yield "\n".join(f"- {line}" for line in _data(record))
    yield "## Limits"
    yield (
        "What was measured is one training run on one data set. Weights learnt from images may fall under the "
        "licence of these images; nothing here grants more than it does."
    )


def _rows(record: Record) -> Iterator[tuple[str, str]]:
    yield "task", record.task.name
    if record.start is not None:
        yield "started from", f"{record.start.network}, {record.start.division}"
    for metric in record.task.metrics:
        value = record.metrics.get(f"test_{metric.name}")
        if value is None:
            continue
        if metric.unit != "fraction" or record.counts is None:
            yield f"test {metric.label}", f"{value:.4g}"
            continue
        images = record.counts.evaluated
        low, high = (float(bound) for bound in proportion_interval(round(value * images), images))
        bounds = f"95 % interval [{100 * low:.1f}, {100 * high:.1f}], Wilson, {images} test images, one run"
        yield f"test {metric.label}", f"{100 * value:.1f} % ({bounds})"
    yield "MACs", f"{record.macs:,} for one image of {record.resolution} x {record.resolution} pixels"
    yield "parameters", f"{record.params:,}"
    if "latency_s" in record.timings:
        device = record.environment.device_name or record.environment.cpu
        yield "latency", f"{1000 * record.timings['latency_s']:.2f} ms for one image on {device}"
    else:
        yield "latency", "not measured; `trionet-bench profile architecture.json --latency` measures it where you are"
    if "retrain_s" in record.timings:
        yield "training", f"{duration(record.timings['retrain_s'])} on {record.environment.device_name or 'CPU'}"
    yield "suite, seed", f"{record.suite}, {record.seed}"
    yield "made with", f"trionet_bench {record.code.version}, torch {record.environment.torch}"
    yield "key", f"`{record.key}`"


def _data(record: Record) -> Iterator[str]:
    source, counts = str(record.data.get("source", record.dataset)), record.counts
    facts = facts_of(source)
    kind, _, place = source.partition(":")
    yield f"Source: {code(source if facts or kind == 'hf' else f'{kind}:{Path(place).name}')}"
    if counts is not None:
        yield f"{counts.train + counts.search_val} images to train, {counts.val} to validate, {counts.test} to test"
    yield f"Identity of the images: {code(record.data.get('fingerprint', 'unknown'))}"
    yield f"Licence: {facts.licence if facts else 'not known to this program; ask whoever made the images'}"
    if facts:
        yield f"Cite: {facts.citation}"
