"""Whatever lies in a results folder, reading, reporting and verifying it ends in a value or an error of the project.

Longer, on new examples each time: ``pytest tests/properties tests/data/test_data_any.py --hypothesis-profile long``.
"""

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from fabricated import fabricate
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mutations import changed, damaged

from trionet_bench.analysis.predictions import read_predictions
from trionet_bench.analysis.results import load
from trionet_bench.errors import BenchError, StoreError, UsageError
from trionet_bench.integrity.verify import verify
from trionet_bench.records.declaration import read_declaration
from trionet_bench.records.phase import PhaseRecord, read_phase
from trionet_bench.records.record import Code, Environment
from trionet_bench.records.store import read_head, read_record
from trionet_bench.reporting.tables import TABLES
from trionet_bench.training.checkpoint import latest_checkpoint, load_checkpoint, load_weights, save_checkpoint

FEW = settings(max_examples=settings.default.max_examples // 5)  # of what reads four records each time
CELL = "digits/trionet/4M-s0"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fabricate(
        tmp_path_factory.mktemp("made"),
        datasets=("digits",),
        models=("conv", "trionet"),
        seeds=(0, 1),
        budgets=(4_000_000,),
        epochs=3,
    )


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def refusal(act: Callable[[], object], *kinds: type[BenchError]) -> BenchError | None:
    """The error of one of these kinds that ``act`` raised; None where it raised nothing."""
    try:
        act()
    except kinds as error:
        return error
    return None


def report(folder: Path) -> None:
    """Every table of a report."""
    results = load([folder])
    for kind in TABLES:
        kind.build(results)


def assert_named(path: Path, reads: list[Any]) -> None:
    """Each of ``reads`` gives a value, or an error of the store that names the file."""
    for read in reads:
        assert path.name in str(refusal(read, StoreError) or path.name)


@given(data=st.data())
def test_any_value_of_a_record_is_taken_or_refused(made: Path, scratch: Path, data: st.DataObject):
    value = data.draw(changed(json.loads((made / CELL / "record.json").read_text())))
    path = scratch / "record" / "record.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))
    assert_named(path, [lambda: read_record(path.parent), lambda: read_head(path.parent)])


@given(data=st.data())
def test_any_bytes_of_a_record_are_taken_or_refused(made: Path, scratch: Path, data: st.DataObject):
    path = scratch / "bytes" / "record.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data.draw(damaged((made / CELL / "record.json").read_bytes())))
    assert_named(path, [lambda: read_record(path.parent), lambda: read_head(path.parent)])


@FEW
@given(data=st.data())
def test_results_with_any_record_are_reported_and_verified(made: Path, scratch: Path, data: st.DataObject):
    copy = scratch / "results" / "made-up"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(made, copy)
    path = copy / CELL / "record.json"
    path.write_text(json.dumps(data.draw(changed(json.loads(path.read_text())))))
    verdict = verify(copy.parent)
    assert verdict.records == 4
    refusal(lambda: report(copy), StoreError, UsageError)


@given(data=st.data())
def test_any_declaration_is_taken_or_the_records_speak(made: Path, scratch: Path, data: st.DataObject):
    copy = scratch / "declared"
    if not copy.exists():
        shutil.copytree(made, copy)
    path = copy / "suite.json"
    value = changed(json.loads((made / "suite.json").read_text())).map(lambda value: json.dumps(value).encode())
    path.write_bytes(data.draw(st.one_of(value, damaged((made / "suite.json").read_bytes()))))
    assert_named(path, [lambda: read_declaration(copy)])
    error = refusal(lambda: load([copy]), UsageError)
    assert error is None or "belongs to suite" in str(error)  # nothing that is declared was run


ENVIRONMENT = Environment(
    **dict.fromkeys(("python", "torch", "torchvision", "numpy", "platform", "cpu", "device", "device_name"), "none"),
    cores=1,
)
PHASE = PhaseRecord(
    name="supernet", key="0" * 64, content="1" * 64, inputs={"a": "b"}, spec={"seed": 0}, facts={"steps": 3},
    files={"weights.safetensors": "2" * 64}, timings={"phase_s": 1.0}, warnings=[], environment=ENVIRONMENT,
    code=Code(version="0", commit=None, dirty=None), determinism={}, command="run", started="", finished="",
).model_dump(mode="json", by_alias=True)  # fmt: skip


@given(content=st.one_of(changed(PHASE).map(lambda v: json.dumps(v).encode()), damaged(json.dumps(PHASE).encode())))
def test_any_phase_is_taken_or_refused(scratch: Path, content: bytes):
    folder = scratch / "suite" / "phases" / "supernet-0"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "phase.json").write_bytes(content)
    assert_named(folder / "phase.json", [lambda: read_phase(folder)])
    assert verify(scratch / "suite").phases == 1


def npz(**columns: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return buffer.getvalue()


SOUND = npz(labels=np.arange(40) % 10, predictions=np.arange(40) % 10)
COLUMNS = st.sampled_from(
    [
        np.arange(40) % 10,
        np.arange(39),
        np.zeros((40, 2)),
        np.float64(1),
        np.array(["x"] * 40),
        np.full(40, np.nan),
        np.array([None] * 40, dtype=object),
        np.zeros(0),
    ]
)


@FEW
@given(
    content=st.one_of(
        damaged(SOUND, npz(other=np.zeros(3))),
        st.builds(lambda labels, predictions: npz(labels=labels, predictions=predictions), COLUMNS, COLUMNS),
    )
)
def test_any_predictions_are_reported_and_verified(made: Path, scratch: Path, content: bytes):
    copy = scratch / "predictions" / "made-up"
    if not copy.exists():
        shutil.copytree(made, copy)
    path = copy / CELL / "predictions.npz"
    path.write_bytes(content)
    assert_named(path, [lambda: read_predictions(path.parent)])
    assert verify(copy.parent).records == 4
    assert path.name in str(refusal(lambda: report(copy), StoreError) or path.name)


@pytest.fixture(scope="module")
def checkpoint(scratch: Path) -> bytes:
    save_checkpoint(scratch / "sound.pt", {"epoch": 3, "model": {"w": torch.ones(20)}, "rows": [{"loss": 0.5}]})
    return (scratch / "sound.pt").read_bytes()


@given(data=st.data())
def test_any_checkpoint_is_taken_up_or_set_aside(scratch: Path, checkpoint: bytes, data: st.DataObject):
    path = scratch / "any.pt"
    content = data.draw(damaged(checkpoint))
    path.write_bytes(content)
    assert_named(path, [lambda: load_checkpoint(path)])
    state = latest_checkpoint(path, ["epoch"])
    assert (state is None) == (content != checkpoint)
    assert path.exists() == (content == checkpoint)


@given(content=damaged(safetensors.torch.save({"w": torch.ones(20), "b": torch.zeros(2, 3)})))
def test_any_weights_are_loaded_or_refused(scratch: Path, content: bytes):
    path = scratch / "any.safetensors"
    path.write_bytes(content)
    assert_named(path, [lambda: load_weights(path)])
