"""Is a cell what its record says? Key, hashes, counts, costs and metrics computed again from the files beside it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from trionet_bench.errors import BenchError, DamagedFile
from trionet_bench.jsontypes import JsonObject
from trionet_bench.records.columns import read_columns
from trionet_bench.records.layout import ARCHITECTURE, NO_WEIGHTS, PREDICTIONS, WEIGHTS, cell_folder, is_file_name
from trionet_bench.records.phase import file_faults, read_phase
from trionet_bench.records.record import Placement, Record
from trionet_bench.records.store import canonical, is_as_written, read_json
from trionet_bench.spaces.card import read_card
from trionet_bench.systems.cell import cell_key, data_key_fields
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import resolve_task
from trionet_bench.training.recipe import Recipe

_ROUNDING = 1e-9  # accuracies are quotients of integers, stored in full


def is_doubtful(folder: Path, record: Record) -> bool:
    """Whether the numbers of a cell need a mark in a report: something of it does not verify.

    Only the weights are not read. No number of a report comes from them, and they are nearly all bytes of a study: 8 ms
    a cell are measured for all else, and as much again for 7 MB of weights.
    """
    files = files_here(folder, record)
    files.pop(WEIGHTS, None)
    return bool(faults_of_cell(folder, record, files))


def faults_of_cell(folder: Path, record: Record, files: Mapping[str, str]) -> list[str]:
    """What is wrong with a cell, each fault once.

    Args:
        files: name and SHA-256 of those that are compared with what was written.
    """
    found = list(dict.fromkeys(fault for part in _parts(folder, record, files) for fault in messages(part)))
    if not found and not is_as_written(folder):
        return ["it was changed after it was written, in something that cannot be computed again"]
    return found


def messages(faults: Iterator[str]) -> Iterator[str]:
    """The faults; one that keeps the others from being found is named too, whatever it is, and ends them."""
    try:
        yield from faults
    except BenchError as error:
        yield str(error)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        yield f"it cannot be verified further: {wrong}"
    except Exception as error:  # a file may hold anything
        yield f"it cannot be verified further: {type(error).__name__}: {error}"


def files_here(folder: Path, record: Record) -> dict[str, str]:
    """The files of a record that must be there: all, but for its weights where the suite was passed on without any."""
    files = dict(record.artifacts)
    if (_suite_folder(folder) / NO_WEIGHTS).is_file() and not (folder / WEIGHTS).exists():
        files.pop(WEIGHTS, None)
    return files


def _parts(folder: Path, record: Record, files: Mapping[str, str]) -> Iterator[Iterator[str]]:
    """What is looked at one by one, so that a fault in one part does not hide those of the others."""
    yield _place_faults(folder, record)
    if record.status == "failed":
        return
    yield _key_faults(record)
    yield file_faults(folder, files)
    yield _number_faults(record)
    yield _prediction_faults(folder, record)
    yield _network_faults(folder, record)
    yield _input_faults(folder, record)


def _place_faults(folder: Path, record: Record) -> Iterator[str]:
    suite_folder = _suite_folder(folder)
    place = cell_folder(
        suite_folder.parent, suite_folder.name, record.dataset, record.model, record.budget, record.seed
    )
    if place != Path(os.path.abspath(folder)):
        yield f"it is the record of {place.relative_to(suite_folder)}"
    if record.status == "failed" and record.error is None:
        yield "it failed without an error"


def _suite_folder(folder: Path) -> Path:
    """Three levels above a cell, wherever it lies and however it is named."""
    return Path(os.path.abspath(folder / "../../.."))


def _key_faults(record: Record) -> Iterator[str]:
    if record.key != recomputed_key(record):
        yield "its key does not follow from its contents"


def _input_faults(folder: Path, record: Record) -> Iterator[str]:
    for name, item in record.inputs.items():
        if not all(map(is_file_name, item.path.split("/"))):
            yield f"the path of its phase {name} leads out of its suite"
            continue
        phase = read_phase(_suite_folder(folder) / item.path)
        if phase is not None and (phase.key, phase.content) != (item.key, item.content):
            yield f"its phase {name} has been made anew since"


def recomputed_key(record: Record) -> str:
    """The key that a cell with the values of ``record`` has, by the rule that made it."""
    data = record.data
    return cell_key(
        system=record.system,
        options=SYSTEMS.get(record.system).options_type.model_validate(record.options),
        data=data_key_fields(
            data["fingerprint"],
            data["search_val"],
            data["val"],
            data["skip_broken"],
            data.get("train_images"),
            task_of(record),
        ),
        canonical_space=canonical({name: value for name, value in record.space.items() if name != "name"}),
        recipe=Recipe.model_validate(record.recipe),
        resolution=record.resolution,
        budget=record.budget,
        seed=record.seed,
        inputs={name: item.content for name, item in record.inputs.items()},
        computation=record.computation,
    )


def task_of(record: Record) -> Task:
    """The task of a record, with its options."""
    return resolve_task({"name": record.task.name, **record.task.options})


def _number_faults(record: Record) -> Iterator[str]:
    counts = record.counts
    if counts is None:
        yield "it has no counts"
    elif counts.evaluated != (0 if record.ranked else counts.test):
        yield f"{counts.evaluated} of {counts.test} test images were evaluated"
    if record.ranked:
        most = max(entry.macs for entry in record.ranked)
        if most > record.budget:
            yield f"one of its architectures has {most} MACs, above the budget of {record.budget}"
    elif record.macs is None:
        yield "it has no MACs"
    elif record.macs > record.budget:
        yield f"{record.macs} MACs exceed the budget of {record.budget}"
    for name, parts in (("macs_by_operator", record.macs_by_operator), ("macs_by_stage", record.macs_by_stage)):
        if parts and sum(parts.values()) != record.macs:
            yield f"{name} adds up to {sum(parts.values())}, not to {record.macs} MACs"
    for name, value in record.metrics.items():
        metric = record.task.metric_of(name)
        if metric is not None and metric.unit == "fraction" and not 0 <= value <= 1:
            yield f"{name} is {value}, not between 0 and 1"


def _network_faults(folder: Path, record: Record) -> Iterator[str]:
    """Architecture against its space and its file, and what the network costs, counted again."""
    if record.architecture is None or ARCHITECTURE not in record.artifacts or not (folder / ARCHITECTURE).is_file():
        return
    card = read_json(folder / ARCHITECTURE)
    if not isinstance(card, dict) or "space" not in card:
        return  # a plugin describes its networks otherwise
    import torch  # here, where there is a network to count

    from trionet_bench.networks.mac_totals import profile
    from trionet_bench.networks.named import subject

    architecture, _ = read_card(folder / ARCHITECTURE)
    if architecture.to_dict() != record.architecture:
        yield f"its architecture is not the one in {ARCHITECTURE}"
    of = subject(str(folder / ARCHITECTURE))
    with torch.device("meta"):
        network = of.build()
    cost = profile(network, of.resolution)
    placed = network.placement(of.resolution)
    macs = cost.of_placement(placed)
    again: JsonObject = {
        "macs": cost.macs,
        "params": cost.params,
        "macs_by_operator": cost.macs_by_operator,
        "macs_by_stage": cost.macs_by_stage,
        "placement": [Placement(**entry, macs=of).model_dump() for entry, of in zip(placed, macs, strict=True)],
    }
    stated = record.model_dump(include=set(again))
    for name, value in again.items():
        if stated[name] != value:
            yield f"its {name} is not what its architecture has"


def _prediction_faults(folder: Path, record: Record) -> Iterator[str]:
    path = folder / PREDICTIONS
    if PREDICTIONS not in record.artifacts or not path.is_file():
        return
    try:
        columns = read_columns(path)
        measured = task_of(record).measure(columns)
    except (DamagedFile, ValueError, KeyError) as error:
        yield f"{PREDICTIONS} cannot be read: {error}"
        return
    lengths = {len(column) for column in columns.values()}
    if record.counts is not None and lengths != {record.counts.evaluated}:
        yield f"{PREDICTIONS} has {max(lengths, default=0)} images, not {record.counts.evaluated}"
    for name, value in task_of(record).on_part("test", measured).items():
        stated = record.metrics.get(name)
        if stated is None or not abs(stated - value) <= _ROUNDING:
            yield f"{name} is {stated}, but by {PREDICTIONS} {value}"
