"""A found network as a folder for others, with its model card."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from fabricated import fabricate
from scipy.stats import norm
from support.tiny import cell

import trionet_bench
from trionet_bench.api.model_card import export_folder, model_card
from trionet_bench.cli.main import main
from trionet_bench.errors import UsageError
from trionet_bench.records.record import Record
from trionet_bench.records.store import read_record
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.registry import SYSTEMS


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A made-up record of a searched network."""
    folder = fabricate(tmp_path_factory.mktemp("made"), datasets=("digits",), seeds=(0,), budgets=(4_000_000,))
    found = read_record(folder / "digits/trionet/4M-s0")
    assert found is not None
    return found


@pytest.fixture
def complete(tmp_path: Path, record: Record) -> Path:
    """The folder of a cell with a network and that record."""
    folder = tmp_path / "results/s/digits/trionet/4M-s0"
    folder.mkdir(parents=True)
    SYSTEMS.get("standalone").runner.run_cell(cell("standalone", operator="conv"), RunContext(folder))
    (folder / "record.json").write_text(record.model_dump_json(by_alias=True))
    return folder


def test_a_card_says_what_the_record_says(record: Record):
    of_folder = {**record.data, "source": "folder:photos/birds"}
    text = model_card(record.model_copy(update={"data": of_folder, "timings": {"latency_s": 0.00125}}))
    head = yaml.safe_load(text.split("---")[1])
    (result,) = head["model-index"][0]["results"]
    assert result["metrics"][0]["value"] == record.metrics["test_top1"]
    assert head["pipeline_tag"] == "image-classification"
    assert record.counts is not None
    n, p, z = record.counts.evaluated, record.metrics["test_top1"], norm.ppf(0.975)
    p = round(p * n) / n
    centre, half = p + z * z / (2 * n), z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5  # Wilson 1927
    low, high = ((centre + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    assert f"[{100 * low:.1f}, {100 * high:.1f}], Wilson, {n} test images" in text
    assert f"| MACs | {record.macs:,} for one image" in text
    assert "| latency | 1.25 ms for one image on" in text
    assert "Source: `folder:birds`" in text  # folders of a machine are nobody's business
    assert "Licence: not known" in text
    assert text.count("| conv |") + text.count("| local |") + text.count("| axial |") == len(record.placement)


def test_the_card_of_a_known_set_has_its_licence_and_citation(record: Record):
    text = model_card(record.model_copy(update={"data": {**record.data, "source": "torchvision:SVHN"}}))
    assert "Source: `torchvision:SVHN`" in text
    assert "Licence: for non-commercial use only" in text
    assert "Cite: Netzer et al. 2011" in text


def test_a_folder_is_read_back(complete: Path, tmp_path: Path):
    out = export_folder(complete, tmp_path / "network")
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "architecture.json", "model.safetensors"]
    images = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    before, after = trionet_bench.load(complete), trionet_bench.load(out)
    assert torch.equal(before(images), after(images))
    assert after.classes == before.classes
    fresh = trionet_bench.create_model(out)
    assert {name: value.shape for name, value in fresh.state_dict().items()} == {
        name: value.shape for name, value in before.network.state_dict().items()
    }
    again = trionet_bench.create_model(out, weights=out).eval()
    assert torch.equal(again(images), before(images))


def test_what_lies_there_is_not_overwritten(complete: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="holds something else"):
        export_folder(complete, tmp_path / "mine")
    (complete / "model.safetensors").unlink()
    with pytest.raises(UsageError, match="left no network"):
        export_folder(complete, tmp_path / "network")


def test_the_command_pushes_only_when_asked(complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: list[object] = []

    class Hub:
        def __init__(self, library_name: str) -> None:
            calls.append(library_name)

        def create_repo(self, name: str, exist_ok: bool) -> None:
            calls.append((name, exist_ok))

        def upload_folder(self, repo_id: str, folder_path: Path, commit_message: str) -> str:
            calls.append((repo_id, sorted(path.name for path in folder_path.iterdir())))
            return f"https://hub/{repo_id}"

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    monkeypatch.chdir(tmp_path)
    command = ["export", "s:digits/trionet/4M-s0", "--format", "folder"]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.stdout.startswith("digits-trionet-4M-s0: weights, architecture and model card")
    assert calls == []
    done = CliRunner().invoke(main, [*command, "--push", "me/net", "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["pushed_to"] == "https://hub/me/net"
    files = ["README.md", "architecture.json", "model.safetensors"]
    assert calls == ["trionet_bench", ("me/net", True), ("me/net", files)]
    assert CliRunner().invoke(main, ["export", "x", "--push", "me/net"]).exit_code == 2
