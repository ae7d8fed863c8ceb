import hashlib

import pytest
import torch
from torch import nn

from trionet_bench.errors import DamagedFile, StoreError
from trionet_bench.training.checkpoint import load_checkpoint, load_weights, save_checkpoint, save_weights


def test_checkpoints_hold_tensors_and_plain_values_and_load_without_code(tmp_path):
    state = {"epoch": 3, "rows": [{"loss": 0.5, "phase": "retrain"}], "model": {"w": torch.ones(2)}, "average": None}
    save_checkpoint(tmp_path / "new" / "checkpoint.pt", state)
    loaded = load_checkpoint(tmp_path / "new" / "checkpoint.pt")
    assert loaded["rows"] == state["rows"]
    assert torch.equal(loaded["model"]["w"], torch.ones(2))
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", {"recipe": nn.Linear(1, 1)})
    with pytest.raises(DamagedFile, match=r"checkpoint.pt is not a readable checkpoint .* Delete it to start over"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_a_torn_checkpoint_is_named(tmp_path):
    save_checkpoint(tmp_path / "checkpoint.pt", {"w": torch.ones(1000)})
    content = (tmp_path / "checkpoint.pt").read_bytes()
    (tmp_path / "checkpoint.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(DamagedFile, match="not a readable checkpoint"):
        load_checkpoint(tmp_path / "checkpoint.pt")


def test_weights_come_back_and_their_hash_is_that_of_the_file(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    digest = save_weights(tmp_path / "model.safetensors", module)
    assert digest == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
    loaded = load_weights(tmp_path / "model.safetensors")
    assert set(loaded) == set(module.state_dict())
    assert all(torch.equal(loaded[name], value) for name, value in module.state_dict().items())


def test_the_hash_depends_on_the_values_alone(tmp_path):
    one = {"a": torch.ones(2, 3), "b": torch.zeros(2)}
    other = {"b": torch.zeros(2), "a": torch.ones(3, 2).T}  # another order, another memory layout
    assert save_weights(tmp_path / "1", one) == save_weights(tmp_path / "2", other)
    assert save_weights(tmp_path / "3", {**one, "b": torch.ones(2)}) != save_weights(tmp_path / "1", one)


def test_tied_weights_are_saved(tmp_path):
    shared = torch.arange(3.0)
    save_weights(tmp_path / "w", {"a": shared, "b": shared})
    assert torch.equal(load_weights(tmp_path / "w")["b"], shared)


def test_weights_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "w").write_bytes(b"nonsense")
    for name in ("w", "missing"):
        with pytest.raises(StoreError, match="is not a readable weights file"):
            load_weights(tmp_path / name)
