"""The transformer skeleton: golden sizes, operators beside slow references in float64, supernets, recalibration."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from trionet_bench.networks.elastic import Supernet, equal_names
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import counted_macs, profile
from trionet_bench.networks.named import profile_network
from trionet_bench.networks.operators.global_attention import GlobalAttention
from trionet_bench.networks.operators.locality import Locality
from trionet_bench.networks.sharing import MultiHeadSharing
from trionet_bench.networks.skeletons import architecture_macs
from trionet_bench.networks.vit import VisionTransformer, names_by_candidate
from trionet_bench.search.budget import BudgetRange
from trionet_bench.search.calibration import recalibrate
from trionet_bench.search.evolution import evolve
from trionet_bench.search.sampling import SinglePathSampler
from trionet_bench.spaces.glit import GLiTSpace
from trionet_bench.spaces.glit_architecture import GLiTArchitecture
from trionet_bench.training.optimizer import build_optimizer
from trionet_bench.training.recipe import resolve_recipe
from trionet_bench.training.recipe_parts import SearchRecipe

SPACE = GLiTSpace("little", resolution=8, patch=4, widths=(12,), heads=3, depth=2, kernels=(3, 5, 7))
SECOND = SPACE.second_level((1, 3))
NAMINGS = pytest.mark.parametrize("naming", [names_by_candidate, equal_names], ids=["independent", "slices"])

# Parameters, MACs, and MACs as GLiT's code counts: of the released model, and of DeiT.
GOLDEN = {
    "glit_tiny": (7_264_456, 1_472_873_280, 1_332_470_592),
    "deit_tiny": (5_717_416, 1_253_683_200, None),
    "deit_small": (22_050_664, 4_598_882_304, None),
    "deit_base": (86_567_656, 17_563_828_224, None),
}


def build(architecture: GLiTArchitecture) -> VisionTransformer:
    return VisionTransformer(architecture, classes=5, input_channels=2, resolution=8)


def supernet(space: GLiTSpace, naming=names_by_candidate) -> Supernet:
    return Supernet(space, build, MultiHeadSharing(), 0, naming)


def images(count: int = 4) -> Tensor:
    return torch.randn(count, 2, 8, 8, generator=torch.Generator().manual_seed(0))


def children(space: GLiTSpace, count: int) -> Iterator[GLiTArchitecture]:
    generator = np.random.default_rng(0)
    for _ in range(count):
        yield space.decode(space.random(generator))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_numbers(name: str):
    profiled = profile_network(name)
    params, macs, released = GOLDEN[name]
    assert (profiled["params"], profiled["macs"], profiled["macs_counted"]) == (params, macs, macs)
    assert profiled.get("macs_of_glit_code") == released


def test_macs_of_a_mixed_block_by_hand():
    # T = 5 tokens, width 12: 4 channels attend with one head of 4, 8 pass a locality module of expansion 2 and kernel 5
    attention = 5 * (4 * 12 + 4 * 4) + 2 * 5 * 5 * 4
    locality = 5 * (8 * 32 + 16 * 5 + 16 * 8)
    mlp = 5 * 2 * 12 * 24
    value = SPACE.plain_transformer(12).to_dict()
    value["blocks"] = [{"attending": 1, "ratio": 1.0, "expansion": 2, "kernel": 5, "mlp": 2}] * 2
    network = build(SPACE.from_dict(value))
    cost = profile(network, 8)
    assert cost.macs_in_block[0, 0] == {"global": attention, "locality": locality, "mlp": mlp}
    assert cost.macs == 4 * 32 * 12 + 2 * (attention + locality + mlp) + 12 * 5 == counted_macs(network, 8, 8, 2)
    # each operator with its share of the rest; a third of 2 x 1440 is an integer
    placed = cost.of_placement(network.placement(8))
    assert placed == [attention + mlp // 3, locality + mlp - mlp // 3] * 2
    assert network.macs_in_other_units()["macs_of_glit_code"] == cost.macs - 2 * 5 * 8 * 16


@pytest.mark.parametrize("size", [8, 7, 12])
def test_both_counts_agree_for_every_kind_of_block(size: int):
    for architecture in children(SPACE, 12):
        network = VisionTransformer(architecture, 3, 1, size)
        macs = counted_macs(network, size, size, 1)
        assert profile(network, size).macs == macs == architecture_macs(architecture, 3, 1, size)


def test_locality_module_is_the_formula():
    module = initialise(Locality(6, expansion=2, kernel=5), 0).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
        module.norm.running_mean.uniform_(-1, 1)
        module.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    value, gate = (x @ module.expand.weight.T + module.expand.bias).chunk(2, dim=2)
    inner = value / (1 + (-gate).exp())
    padded = torch.cat([inner.new_zeros(2, 2, 12), inner, inner.new_zeros(2, 2, 12)], dim=1)
    kernel = module.conv.weight[:, 0]  # (12, 5)
    convolved = sum(padded[:, tap : tap + 7] * kernel[:, tap] for tap in range(5)) + module.conv.bias
    norm = module.norm
    normed = (convolved - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    expected = (normed / (1 + (-normed).exp())) @ module.reduce.weight.T + module.reduce.bias
    torch.testing.assert_close(module(x), expected)


def test_global_attention_is_the_formula():
    module = initialise(GlobalAttention(6, count=2, size=5, std=0.3), 0).double()
    x = torch.randn(2, 7, 6, dtype=torch.float64)
    q, k, v = (x @ module.qkv.weight.T + module.qkv.bias).view(2, 7, 3, 2, 5).unbind(2)  # (B, T, n, d)
    attended = []
    for head in range(2):
        weights = (q[:, :, head] @ k[:, :, head].transpose(1, 2) / 5**0.5).softmax(-1)
        attended.append(weights @ v[:, :, head])
    expected = torch.cat(attended, dim=2) @ module.project.weight.T + module.project.bias
    torch.testing.assert_close(module(x), expected)


@NAMINGS
@pytest.mark.parametrize("space", [SPACE, SPACE.first_level(), SECOND], ids=["joint", "first", "second"])
def test_child_equals_its_extraction(space: GLiTSpace, naming):
    net = supernet(space, naming).eval()
    for child in children(space, 5):
        assert torch.equal(net(images(), child), net.extract(child)(images()))


def test_inactive_candidates_have_no_gradient_and_do_not_move():
    net = supernet(SECOND)
    recipe = resolve_recipe({"base": "deit", "precision": "float32"})
    optimizer = build_optimizer(net, recipe)
    first, other = SECOND.decode((0,) * 11), SECOND.decode((0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 1))
    assert all(a != b for a, b in zip(first.blocks, other.blocks, strict=True))
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    net(images(), first).square().sum().backward()
    names = {name for name, _ in build(first).named_parameters()}
    stored = names_by_candidate(build(first))
    active = {"weights." + stored.get(name, name).replace(".", "/") for name in names}
    assert {name for name, parameter in net.named_parameters() if parameter.grad is not None} == active
    optimizer.step()
    moved = {name for name, parameter in net.named_parameters() if not torch.equal(parameter, before[name])}
    assert moved <= active
    assert any("@" in name for name in moved)


def test_slices_are_shared_and_candidates_are_not():
    apart, together = (
        sum(parameter.numel() for parameter in supernet(SPACE, naming).parameters())
        for naming in (names_by_candidate, equal_names)
    )
    assert together < apart / 5  # 36 candidates a block
    # a narrow feed-forward part is the first rows of a wide one
    net = supernet(SPACE, equal_names)
    wide, narrow = (SPACE.decode((0, 3, 0, 0, 1, mlp, 3, 0, 0, 1, mlp)) for mlp in (2, 0))
    assert torch.equal(net.select(wide)["blocks.0.widen.weight"][:24], net.select(narrow)["blocks.0.widen.weight"])


def test_recalibration_takes_one_dimensional_norms_anew():
    architecture = SPACE.decode((0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0))
    network = initialise(build(architecture), 0)
    norm = network.transformer_blocks[0].division.locality.norm
    entering: list[Tensor] = []
    norm.register_forward_pre_hook(lambda _, inputs: entering.append(inputs[0]))
    affine = norm.weight.clone(), norm.bias.clone()
    recalibrate(network, [images(), images(4) + 1])
    means = torch.stack([x.mean((0, 2)) for x in entering[:2]])
    torch.testing.assert_close(norm.running_mean, means.mean(0))
    assert (norm.weight.equal(affine[0]), norm.bias.equal(affine[1])) == (True, True)


def test_single_paths_are_uniform_over_candidates():
    sampler = SinglePathSampler(SPACE, seed=0)
    drawn = [sampler.draw(step) for step in range(1500)]
    assert all(len(children) == 1 for children in drawn)
    counts = np.zeros((4, 9))
    for (child,) in drawn:
        units = child.genes[1]
        details = [
            g
            for g, d in zip(child.genes[2:6], ("kernel", "expansion", "ratio", "mlp"), strict=True)
            if d in SPACE.searched(units)
        ]
        counts[units, details[0] * 3 + details[1]] += 1
    # 36 candidates, 42 draws each on average; five standard deviations are 32
    assert abs(counts - 1500 / 36).max() < 32


def test_published_settings_score_a_thousand_different_children():
    space = GLiTSpace("tiny", 224, 16, (192,), 3).second_level((3, 0, 1, 3, 0, 1, 3, 1, 0, 3, 0, 3))
    seen: list[tuple[int, ...]] = []

    def fitness(genes: tuple[int, ...]) -> float:
        seen.append(genes)
        return float(sum(genes))

    sampler = SinglePathSampler(space, seed=0)
    macs = lambda genes: architecture_macs(space.decode(genes), 1000, 3, 224)  # noqa: E731
    within = BudgetRange.of_budget(space, macs, 1_500_000_000, 0.9)
    result = evolve(within, fitness, SearchRecipe(), sampler.random, 0)
    assert len(seen) == len(set(seen)) == len(result.evaluated) == 1000
    assert all(within.least <= cost <= 1_500_000_000 for _, cost, _ in result.evaluated)


def test_positions_and_class_token_have_no_weight_decay():
    recipe = resolve_recipe("deit")
    for module in (build(SPACE.plain_transformer(12)), supernet(SPACE.first_level())):
        decayed, plain = build_optimizer(module, recipe).param_groups
        by_id = {id(parameter): name for name, parameter in module.named_parameters()}
        undecayed = {by_id[id(parameter)].rpartition(".")[2] for parameter in plain["params"]}
        assert {"positions", "class_token"} <= undecayed
        assert all(parameter.ndim > 1 for parameter in decayed["params"])


def test_another_image_size_is_refused():
    with pytest.raises(ValueError, match="images of 16 x 16 pixels, but 2 x 2 patches of 4"):
        build(SPACE.plain_transformer(12))(torch.zeros(1, 2, 16, 16))
