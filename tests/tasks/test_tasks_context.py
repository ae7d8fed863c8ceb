"""Context auto-regression: what a network may see, what it predicts, and how it is judged."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from support.operators import space_of
from support.tiny import TINY, cell

from trionet_bench.errors import UsageError
from trionet_bench.networks.context import ContextNetwork, Decoder
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import counted_macs
from trionet_bench.spaces.choice import Architecture
from trionet_bench.spaces.operators import operators_for
from trionet_bench.spaces.presets import FAB_NANO, GLIT_NANO
from trionet_bench.systems.base import RunContext
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.systems.trained import load_network
from trionet_bench.tasks.context.runner import ContextRunner
from trionet_bench.tasks.context.task import ContextAutoRegression, PatchLayout
from trionet_bench.training.recipe import resolve_recipe

BATCH = 3
ENCODERS: dict[str, tuple[Architecture, int]] = {
    **{
        spec.name: (space.decode(space.extreme({}, biggest=True)), space.resolution)
        for spec in operators_for("resnet")
        for space in [space_of(spec)]
    },
    "transformer": (GLIT_NANO.plain_transformer(24), 32),
    "attention stem": (FAB_NANO.all_local(0.25), 32),
}


def runner(resolution: int, **options) -> ContextRunner:
    task = ContextAutoRegression(**({"width": 16, "heads": 2, "layers": 1} | options))
    recipe = resolve_recipe({"base": "quick", "epochs": 1})
    return ContextRunner(task, 0, 3, 2, resolution, recipe, 0, torch.device("cpu"))


def images(resolution: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(BATCH, 2, resolution, resolution, generator=torch.Generator().manual_seed(seed))


def ready(of: ContextRunner, architecture: Architecture) -> ContextNetwork:
    """With batch statistics, and without branches that begin at zero and would hide a path."""
    network = initialise(of.network(architecture), 0).train()
    assert isinstance(network, ContextNetwork)
    for name, parameter in network.named_parameters():
        if name.endswith("expand_norm.weight"):
            parameter.data += 1
    return network


@pytest.mark.parametrize("encoder", ENCODERS)
def test_hidden_pixels_never_enter_and_visible_ones_do(encoder: str):
    architecture, resolution = ENCODERS[encoder]
    of = runner(resolution)
    network, pixels = ready(of, architecture), images(resolution).requires_grad_()
    inputs, _ = of.views(pixels, torch.zeros(BATCH), step=1)
    predicted = network(inputs)
    (predicted * torch.randn(predicted.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    hidden = (inputs[:, 2:] < 0).expand_as(pixels)
    assert pixels.grad is not None and 0.1 < hidden.float().mean() < 0.9
    assert not pixels.grad[hidden].any()  # exactly zero
    assert (pixels.grad[~hidden] != 0).float().mean() > 0.9

    other = torch.where(hidden, images(resolution, seed=1), pixels.detach())
    changed, _ = of.views(other, torch.zeros(BATCH), step=1)
    assert torch.equal(network(changed), predicted)


def test_every_image_has_an_order_and_a_prefix_of_its_own():
    of = runner(32)
    assert of.layout == PatchLayout(patch=8, side=4, prefix=(4, 12), ahead=4)
    inputs, _ = of.views(images(32).repeat(100, 1, 1, 1), torch.zeros(300), step=0)
    code = inputs[:, 2, ::8, ::8].flatten(1)
    assert torch.equal(inputs[:, 2], code.view(-1, 4, 4).repeat_interleave(8, 1).repeat_interleave(8, 2))
    assert torch.equal(code.abs().sort().values, torch.arange(1.0, 17).expand(300, -1))  # an order each
    visible = (code > 0).sum(1)
    assert ((code.abs() <= visible[:, None]) == (code > 0)).all()  # a prefix of it
    assert set(visible.tolist()) == set(range(4, 13))
    assert len({tuple(row) for row in code.abs().tolist()}) == 300
    again, _ = of.views(images(32).repeat(100, 1, 1, 1), torch.zeros(300), step=1)
    assert not torch.equal(again[:, 2], inputs[:, 2])


def test_evaluated_images_keep_their_order_wherever_they_are_in_a_batch():
    of, batch = runner(32), images(32)
    inputs, targets = of.evaluation_views(batch, torch.zeros(BATCH), torch.tensor([5, 1023, 1024]))
    alone, target = of.evaluation_views(batch[1:2], torch.zeros(1), torch.tensor([1023]))
    assert torch.equal(inputs[1:2], alone) and torch.equal(targets[1:2], target)


@pytest.mark.parametrize("order", ["random", "raster"])
def test_targets_are_the_next_patches_each_normalised(order: str):
    of, batch = runner(32, order=order), images(32)
    inputs, targets = of.views(batch, torch.zeros(BATCH), step=0)
    for image, coded, wanted in zip(batch, inputs, targets, strict=True):
        numbers = coded[2, ::8, ::8]
        if order == "raster":
            assert torch.equal(numbers.abs().flatten(), torch.arange(1.0, 17))
        first = int((numbers > 0).sum())
        for step, target in enumerate(wanted):
            row, column = map(int, (numbers.abs() == first + step + 1).nonzero()[0])
            patch = image[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8].flatten()
            expected = (patch - patch.mean()) / (patch.var(correction=0) + 1e-6).sqrt()
            torch.testing.assert_close(target, expected)


def decoder_and_features() -> tuple[Decoder, torch.Tensor, torch.Tensor]:
    """A decoder, the features of 16 patches, and a code in which the first ten are visible, in raster order."""
    decoder = ready(runner(32, layers=2), FAB_NANO.all_local(0.25)).decoder.double()
    size = FAB_NANO.all_local(0.25).stages[-1].width
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 16, size, dtype=torch.float64, generator=generator, requires_grad=True)
    code = torch.arange(1.0, 17, dtype=torch.float64)[None]
    code[:, 10:] *= -1
    return decoder, features, code


def test_predictions_read_the_prefix_and_follow_the_order():
    decoder, features, code = decoder_and_features()
    expected = decoder(features, code)
    expected[0, 0].sum().backward()
    assert features.grad is not None
    assert features.grad[0, :10].any(dim=1).all() and not features.grad[0, 10:].any()
    other = code[:, torch.randperm(16, generator=torch.Generator().manual_seed(0))]
    assert not torch.allclose(decoder(features, other), expected)
    one_more = code.clone()
    one_more[:, 10] *= -1  # visible too: what was predicted second is now the first
    assert not torch.allclose(decoder(features, one_more)[:, 0], expected[:, 1])


def test_a_patch_of_the_prefix_reads_none_after_it_and_no_prediction_reads_another():
    decoder, features, code = decoder_and_features()
    states: list[torch.Tensor] = []
    decoder.blocks[-1].register_forward_hook(lambda _, __, output: states.append(output))
    decoder(features, code)
    for number in range(10):
        (gradient,) = torch.autograd.grad(states[0][0, number].sum(), features, retain_graph=True)
        assert gradient[0].any(dim=1).nonzero().flatten().tolist() == [*range(number + 1)]
    (gradient,) = torch.autograd.grad(decoder(features, code)[0, 0].sum(), decoder.positions)
    assert gradient.any(dim=1).nonzero().flatten().tolist() == [*range(11)]  # the prefix, and its own


def test_errors_by_hand():
    of, contrastive = runner(32), runner(32, loss="contrastive")
    patches = torch.eye(4)[None].repeat(2, 1, 1) * 2.0
    assert of.loss(patches, patches) == 0
    torch.testing.assert_close(of.loss(torch.zeros(2, 4, 4), patches), torch.tensor(1.0))
    swapped = patches.clone()
    swapped[1, [0, 1]] = swapped[1, [1, 0]]
    for judge in (of.judge, contrastive.judge):
        assert judge(swapped, patches)["matched"].tolist() == [1.0, 0.5]
    assert of.judge(swapped, patches)["mse"].tolist() == [0.0, 1.0]  # 4 of 16 values are off by 2
    # a prediction scores 2 * 2 / sqrt(4) at its own patch and at the equal one of the other image, 0 at the other six
    loss = np.log(2 + 6 * np.exp(-2))
    torch.testing.assert_close(contrastive.loss(patches, patches), torch.tensor(loss, dtype=torch.float32))
    broken = patches.clone()
    broken[0, 0, 0] = torch.nan
    assert of.judge(broken, patches)["mse"][0] == 1e6


def test_what_decides_depends_on_the_loss():
    assert ContextAutoRegression().fitness({"mse": 0.5, "matched": 1.0}) == -0.5
    assert ContextAutoRegression(loss="contrastive").fitness({"matched": 0.75}) == 0.75


@pytest.mark.parametrize(
    ("resolution", "patch", "side"),
    [(224, 32, 7), (96, 16, 6), (64, 16, 4), (32, 8, 4), (16, 4, 4), (8, 2, 4), (2, 1, 2)],
)
def test_patches_divide_the_image(resolution: int, patch: int, side: int):
    layout = ContextAutoRegression().layout(resolution)
    assert (layout.patch, layout.side) == (patch, side)
    assert layout.prefix[1] + layout.ahead <= layout.patches


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match=r"images of 31 pixels cannot be cut into patches.* such as 32"):
        ContextAutoRegression().layout(31)
    for options, message in [({"least": 0.9, "most": 0.5}, "exceeds"), ({"heads": 3}, "must divide")]:
        with pytest.raises(ValidationError, match=message):
            ContextAutoRegression(**options)


@pytest.mark.parametrize("encoder", ["axial", "transformer"])
def test_both_counts_of_the_network_that_trains_are_equal(encoder: str):
    architecture, resolution = ENCODERS[encoder]
    network = runner(resolution, layers=2).network(architecture)
    costs = {cost.stage: cost.macs for cost in network.costs(resolution, resolution) if cost.kind == "decoder"}
    assert costs == {"decoder": network.decoder.macs()}
    assert counted_macs(network, resolution, resolution, 3) == sum(
        c.macs for c in network.costs(resolution, resolution)
    )


def test_decoder_by_hand():
    # 9 patches and 2 predictions of 5 values, from 4 features; width 8, two heads: 11 tokens in one block
    of = runner(6, grid=3, ahead=2, width=8)
    decoder = of.network(ENCODERS["conv"][0]).decoder
    features = ENCODERS["conv"][0].stages[-1].width
    block = 11 * 4 * 8 * 8 + 2 * 11 * 11 * 8 + 2 * 11 * 8 * 32
    assert decoder.macs() == 9 * features * 8 + block + 2 * 8 * (2 * 2 * 2)


def test_a_cell_leaves_the_encoder_alone(tmp_path: Path):
    of = cell("standalone", operator="axial", task=ContextAutoRegression(width=16, heads=2, layers=1))
    result = SYSTEMS.get("standalone").runner.run_cell(of, RunContext(tmp_path))
    assert result.macs is not None and result.macs <= of.budget
    assert set(result.metrics) == {"test_mse", "test_matched", "val_mse"}
    loaded = load_network(tmp_path)
    assert loaded.network.features(torch.zeros(1, 1, 8, 8)).shape[:2] == (1, loaded.network.feature_axis.size)
    with pytest.raises(UsageError, match="gives 0 numbers that are no classes"):
        loaded.classify(Image.new("L", (8, 8)))
    assert TINY.encode(loaded.network.architecture)
