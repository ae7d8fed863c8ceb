"""A trained network as a file that runs without this project: ONNX or torch.export, checked after it was written."""

import contextlib
import importlib.util
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from trionet_bench.data.sources.opening import open_source
from trionet_bench.errors import StoreError, UsageError
from trionet_bench.extras import install_command
from trionet_bench.records.layout import ARCHITECTURE
from trionet_bench.records.store import read_record
from trionet_bench.systems.trained import TrainedNetwork

Format = Literal["onnx", "torch"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "torch": ".pt2"}
NEEDED: dict[Format, tuple[str, ...]] = {"onnx": ("onnx", "onnxscript", "onnxruntime"), "torch": ()}
TOLERANCE = 1e-4  # of the largest logit, or of 1 where that is smaller
IMAGES = 8


@dataclass(frozen=True)
class Sample:
    """Images to check with, normalised (B, C, R, R), and what they are."""

    images: Tensor
    what: str


@dataclass(frozen=True)
class Exported:
    """A file, and how far its logits are from the network's at most."""

    path: Path
    checked_on: str
    largest_difference: float


def sample(trained: TrainedNetwork, folder: Path, files: Sequence[Path], data_root: Path | None) -> Sample:
    """The images of ``files``; without any, test images of the cell's data set where it is here, or else noise."""
    if files:
        return Sample(torch.stack([trained.prepare(file) for file in files]), f"{len(files)} given images")
    record = read_record(folder)
    with contextlib.suppress(Exception):  # without the data, or with damaged images, it can still be exported
        index = open_source(str(record.data["source"]), data_root) if record else None
        if record and index and index.fingerprint == record.data["fingerprint"]:
            part = "test" if "test" in index.labels else "val"
            count = min(IMAGES, index.counts[part])
            images = [trained.transforms(index.read(part, position)) for position in range(count)]
            return Sample(torch.stack(images), f"{count} test images of {record.dataset}")
    size = trained.card["resolution"]
    noise = torch.randn(IMAGES, trained.card["channels"], size, size, generator=torch.Generator().manual_seed(0))
    return Sample(noise, f"{IMAGES} images of noise")


def export(trained: TrainedNetwork, form: Format, path: Path, checked_on: Sample) -> Exported:
    """Write the network, for batches of any size; the file appears only once its logits agree with the network's.

    It takes normalised images, as ``transforms`` makes them, and carries ``architecture.json`` with it. UsageError
    where a package is missing, StoreError where the logits differ or the file cannot be written.
    """
    if missing := [name for name in NEEDED[form] if importlib.util.find_spec(name) is None]:
        raise UsageError(f"{form} needs {', '.join(missing)}; install with: {install_command('export')}")
    network = trained.network.cpu().eval()
    size = trained.card["resolution"]
    example = torch.zeros(2, trained.card["channels"], size, size)
    with torch.no_grad(), contextlib.redirect_stdout(sys.stderr):
        program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
    temporary = path.with_name(f".{path.stem}.unchecked{path.suffix}")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()  # torch says of a folder that cannot be written neither its name nor what to do
        run = _WRITERS[form](program, temporary, json.dumps(trained.card))
        difference = _largest_difference(network, run, checked_on.images)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror or error}. Name another by --out.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return Exported(path, checked_on.what, difference)


def _write_onnx(program: torch.export.ExportedProgram, path: Path, card: str) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    with contextlib.redirect_stdout(sys.stderr):
        onnx = torch.onnx.export(program, dynamo=True, input_names=["images"], output_names=["logits"], verbose=False)
    assert onnx is not None
    onnx.model.metadata_props[ARCHITECTURE] = card
    onnx.save(str(path), external_data=False)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images.numpy()})[0])


def _write_torch(program: torch.export.ExportedProgram, path: Path, card: str) -> Callable[[Tensor], Tensor]:
    torch.export.save(program, path, extra_files={ARCHITECTURE: card})
    run: Callable[[Tensor], Tensor] = torch.export.load(path).module()
    return run


_WRITERS: dict[Format, Callable[[torch.export.ExportedProgram, Path, str], Callable[[Tensor], Tensor]]] = {
    "onnx": _write_onnx,
    "torch": _write_torch,
}


@torch.no_grad()
def _largest_difference(network: torch.nn.Module, run: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Over the logits of all images as a batch and of the first as a batch of one; StoreError beyond the tolerance."""
    expected = network(images)
    exported = torch.cat([run(images), run(images[:1])])
    difference = float((exported - torch.cat([expected, expected[:1]])).abs().max())
    limit = TOLERANCE * max(1.0, float(expected.abs().max()))
    if not difference <= limit:
        raise StoreError(f"the exported network differs from the original by {difference:.2g} in a logit; not kept.")
    return difference
