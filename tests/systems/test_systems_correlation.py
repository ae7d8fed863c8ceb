"""Correlation cells on sixty tiny images: what is trained once, what is scored how."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.carried import phase_folders, record
from support.tiny import TINY, cell

from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.resnet import ResNet
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.search.calibration import recalibrate, share_statistics
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.training_context import TrainingContext
from trionet_bench.systems.trionet.running import open_supernet

COUNT = 4


def study(**options: Any) -> AnyCell:
    return cell("correlation", architectures=COUNT, **options)


def test_correlation_cell(tmp_path: Path):
    of = study()
    folders = phase_folders(of, tmp_path / "phases")
    place = tmp_path / "cell"
    place.mkdir()
    steps = []
    context = RunContext(place, folders, progress=lambda done, total, text: steps.append((done, total)))
    done = SYSTEMS.get("correlation").runner.run_cell(of, context)
    result = record(of, done)
    assert len({json.dumps(entry.architecture) for entry in result.ranked}) == COUNT
    assert steps == [(number, COUNT) for number in range(1, COUNT + 1)]
    assert (result.metrics, result.counts.evaluated if result.counts else None) == ({}, 0)  # the test set stays shut
    # by hand: the child with the supernet's weights and statistics of its own, on the validation images
    opened = TrainingContext.open(of, context)
    scorer = open_supernet(opened)
    for entry in result.ranked:
        network = recalibrate(scorer.supernet.extract(TINY.from_dict(entry.architecture)), scorer.calibration)
        right = [(network(x).argmax(1) == y).float() for x, y, _ in opened.eval_batches("val")]
        assert entry.inherited_val == pytest.approx(torch.cat(right).mean().item())
        assert entry.operators == "".join(
            block.operator[0] for s in TINY.from_dict(entry.architecture).stages for block in s.blocks
        )
    # taken up again, nothing is scored anew
    again = SYSTEMS.get("correlation").runner.run_cell(of, context)
    assert again.ranked == done.ranked
    assert len((place / "recalibrated.jsonl").read_text().splitlines()) == COUNT


def test_arms_share_the_networks_trained_alone_and_trionet_the_supernet():
    phases = {arm: SYSTEMS.get("correlation").phases(study(sampler=arm)) for arm in ("hierarchical", "uniform")}
    supernet, *alone = (phase.key for phase in phases["hierarchical"])
    other_supernet, *other_alone = (phase.key for phase in phases["uniform"])
    assert alone == other_alone
    assert supernet != other_supernet
    assert SYSTEMS.get("trionet").phases(cell("trionet"))[0].key == supernet
    more = [phase.key for phase in SYSTEMS.get("correlation").phases(cell("correlation", architectures=COUNT + 1))]
    assert more[: COUNT + 1] == [supernet, *alone]
    assert [phase.key for phase in SYSTEMS.get("correlation").phases(study(seed=1))][1:] != alone


def test_common_statistics_are_the_mean_over_the_children_that_use_them():
    build = lambda architecture: ResNet(architecture, classes=3, input_channels=1, resolution=8)  # noqa: E731
    net = Supernet(TINY, build, MultiHeadSharing(), 0).eval()
    generator = np.random.default_rng(0)
    children = [TINY.decode(TINY.random(generator)) for _ in range(4)]
    batches = [torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(n)) for n in range(2)]
    own = [dict(recalibrate(net.extract(child), batches).named_buffers()) for child in children]
    share_statistics(net, children, batches)
    name = "stages.1.0.expand_norm.running_mean"  # 16 or 32 channels
    sums, uses = np.zeros(32), np.zeros(32)
    for buffers in own:
        values = buffers[name].numpy()
        sums[: len(values)] += values
        uses[: len(values)] += 1
    assert {*uses} == {4.0} or len({*uses}) == 2
    expected = sums / np.maximum(uses, 1)
    stored = net.statistics.get_buffer(name.replace(".", "/")).numpy()
    np.testing.assert_allclose(stored[uses > 0], expected[uses > 0], rtol=1e-5, atol=1e-7)
    assert np.abs(expected).max() > 0
