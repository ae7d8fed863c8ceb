"""Reads weights from elsewhere and fine-tunes their network."""

from pathlib import Path

import torch
from torch import Tensor

from trionet_bench.errors import DataError, StoreError, UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.skeletons import Skeleton, architecture_macs
from trionet_bench.networks.transfer import adopt
from trionet_bench.records.layout import ARCHITECTURE, WEIGHTS
from trionet_bench.records.record import CellResult, Start
from trionet_bench.records.store import file_digest, read_record
from trionet_bench.spaces.card import read_card
from trionet_bench.spaces.choice import Architecture, Space
from trionet_bench.spaces.library import LibraryArchitecture
from trionet_bench.spaces.presets import resolve_space
from trionet_bench.systems.base import PhaseResult, RunContext, SystemRunner
from trionet_bench.systems.cell import Phase
from trionet_bench.systems.pretrained.system import READING, Options, PretrainedCell, weight_files, weights_path
from trionet_bench.systems.retraining import retrain_and_describe
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.work import Work
from trionet_bench.training import distributed
from trionet_bench.training.checkpoint import load_weights, save_weights
from trionet_bench.units import prefixed

SAFE = ".safetensors"


class PretrainedRunner(SystemRunner[Options, Space]):
    """Carries pre-trained cells out."""

    def check(self, cell: PretrainedCell) -> None:
        """UsageError where the network is above the budget on these images; DataError where it is not there."""
        weight_files(cell)
        if cell.options.network is not None:
            architecture: Architecture = LibraryArchitecture.named(cell.options.network)
        else:
            architecture, _ = read_card(weights_path(cell) / ARCHITECTURE)
        index = cell.data.index
        macs = architecture_macs(architecture, cell.data.task.outputs(index), index.channels, cell.resolution)
        if macs > cell.budget:
            raise UsageError(
                f'model "{cell.model}": its network takes {prefixed(macs, 3)} MACs at {cell.resolution} pixels, above '
                f"the budget of {prefixed(cell.budget, 3)}. Raise the budget, or lower the resolution."
            )

    def phase_work(self, phase: Phase, cell: PretrainedCell) -> list[Work]:
        """Reading computes nothing."""
        return []

    def run_phase(self, phase: Phase, cell: PretrainedCell, context: RunContext) -> PhaseResult:
        """Copy the weights; facts say what they are of."""
        *_, file = weight_files(cell)
        facts = _facts_of_cell(file.parent) if cell.options.network is None else {"network": cell.options.network}
        if distributed.rank() == 0:
            save_weights(context.folder / WEIGHTS, read_weights(file))
        return PhaseResult({**facts, "file": file_digest(file)}, {})

    def run_cell(self, cell: PretrainedCell, context: RunContext) -> CellResult:
        """Fine-tune by the recipe, test."""
        facts = context.finished(READING).facts
        card = facts.get("card")
        architecture = (
            LibraryArchitecture.named(facts["network"])
            if card is None
            else resolve_space(card["space"]).from_dict(card["architecture"])
        )
        opened, adapted = TrainingContext.open(cell, context), []
        weights = load_weights(context.inputs[READING] / WEIGHTS)

        def start(network: Skeleton) -> None:
            with torch.device("meta"):
                deployed = opened.task.deployed(architecture)
            adapted.extend(adopt(network, weights, deployed))

        result = retrain_and_describe(opened, architecture, start, card and card["space"])
        origin = Start(
            network=facts["network"],
            trained_on=facts.get("dataset", ""),
            fingerprint=facts.get("fingerprint", ""),
            weights=facts["file"],
            adapted=adapted,
        )
        return result.model_copy(update={"start": origin})


def _facts_of_cell(folder: Path) -> JsonObject:
    """Of a cell of this project: its network, and what it was trained on. StoreError where its record is damaged."""
    _, card = read_card(folder / ARCHITECTURE)
    record = read_record(folder)
    assert record is not None  # its file was looked for when the cell was planned
    return {
        "network": f"{record.suite}:{record.dataset}/{record.model}",
        "card": {name: card[name] for name in ("space", "architecture")},
        "dataset": record.dataset,
        "fingerprint": str(record.data["fingerprint"]),
    }


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a file that ``torch.save`` wrote; DataError where there are none.

    A mapping that holds them under ``state_dict`` or ``model`` is opened. Loading runs no code.
    """
    if file.suffix == SAFE:
        try:
            return load_weights(file)
        except StoreError as error:  # somebody's file, not one of ours
            raise DataError(str(error)) from error
    try:
        value = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several unrelated types for a damaged file
        raise DataError(f"{file} is not a readable file of weights ({str(error).splitlines()[0]}).") from error
    for name in ("state_dict", "model"):
        value = value.get(name, value) if isinstance(value, dict) else value
    if not isinstance(value, dict) or not all(isinstance(tensor, Tensor) for tensor in value.values()):
        raise DataError(f"{file} holds no weights by name. Give a file as torchvision or timm publish it.")
    return value
