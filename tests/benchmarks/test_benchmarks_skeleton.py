"""The small CNN is the one it is said to be, and every operator is trained and tested beside it."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from support.cards import CARD

from trionet_bench.benchmarks.measure import at_least, at_most
from trionet_bench.benchmarks.setting import Setting
from trionet_bench.benchmarks.skeleton import SmallCNN, measure, targets
from trionet_bench.cli.main import main
from trionet_bench.errors import UsageError
from trionet_bench.networks.layers import initialise


def test_the_small_cnn_has_a_tenth_of_a_million_parameters():
    network = initialise(SmallCNN(10, 3), 0)
    # three 3x3 convolutions, scale and shift of their normalisations, the linear layer
    convolutions = 9 * (3 * 32 + 32 * 64 + 64 * 128)
    assert sum(p.numel() for p in network.parameters()) == convolutions + 2 * (32 + 64 + 128) + 129 * 10 == 94_762
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_each_operator_beside_the_small_cnn():
    lines: list[str] = []
    document = measure(
        Setting("cpu", threads=1, samples=1),
        lambda done, total, line: lines.append(f"{done}/{total} {line}"),
        data="synthetic:texture?n=60&size=24",
        space="resnet-nano",
        stem=None,
        resolution=16,
        budget="3M",
        steps=1,
    )
    rows = document["cases"]
    assert [row["network"] for row in rows] == ["conv", "local", "axial"]
    assert [line.split()[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    for row in rows:
        assert row["macs"] <= 3_000_000
        assert row["seeds"] == [0]
        assert 0 <= row["accuracy"][0] <= 1
        assert row["ratio"] == pytest.approx(row["samples_ms"][0] / row["reference_samples_ms"][0])
    assert len(document["targets"]) == 2


def test_networks_of_files_are_trained_beside_it(tmp_path: Path):
    file = tmp_path / "middle.json"
    file.write_text(json.dumps(CARD | {"channels": 1}))
    options = {
        "data": "synthetic:texture?n=60&size=24",
        "space": "resnet-nano",
        "stem": None,
        "resolution": 16,
        "budget": "3M",
        "steps": 1,
        "operators": ["local"],
    }
    document = measure(Setting("cpu", threads=1, samples=1), lambda *_: None, **options, architectures=[file])
    assert [row["network"] for row in document["cases"]] == ["local", "middle"]
    assert document["targets"] == []  # they are of convolution
    counted = CliRunner().invoke(main, ["profile", str(file), "--resolution", "16", "--classes", "4", "--json"])
    assert document["cases"][1]["macs"] == json.loads(counted.output)["macs"]
    with pytest.raises(UsageError, match="another network is called middle already"):
        measure(Setting("cpu"), lambda *_: None, **options, architectures=[file, file])


def test_targets_are_of_convolution():
    rows = [
        {"network": "conv", "accuracy": [0.6, 0.5], "reference_accuracy": [0.5, 0.5], "ratio": 0.5},
        {"network": "axial", "accuracy": [0.1, 0.1], "reference_accuracy": [0.5, 0.5], "ratio": 3.0},
    ]
    assert targets(rows) == [
        *at_least("accuracy of conv minus that of the small CNN", 0.0, [0.55 - 0.5]),
        *at_most("CPU time of conv over that of the small CNN", 1.0, [0.5]),
    ]
