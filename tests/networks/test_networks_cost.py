"""MACs of single operators: by hand, in closed form, by torch's counter, and in print. Memory as well."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.utils import flop_counter
from torch.utils.flop_counter import FlopCounterMode

from trionet_bench.benchmarks.references import EinsumAxial, UnfoldedLocal
from trionet_bench.networks.attention import kernels
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.mac_totals import FREE_OPERATIONS, count_again, counted_macs
from trionet_bench.networks.named import profile_network
from trionet_bench.networks.operators.axial import AxialAttention
from trionet_bench.networks.operators.base import SpatialOperator
from trionet_bench.networks.operators.conv import Convolution
from trionet_bench.networks.operators.crisscross import CrissCrossAttention
from trionet_bench.networks.operators.local import LocalAttention
from trionet_bench.networks.operators.nonlocal_attention import NonLocalAttention

# Multiply-accumulates of an image of H x W pixels, written out. C = 16 channels, 4 heads.


def conv(kernel: int, stride: int) -> Callable[[int, int], int]:
    return lambda h, w: -(-h // stride) * -(-w // stride) * kernel * kernel * 16 * 16


def near(size: int, window: int) -> int:
    """Pairs of two positions on a line of ``size`` that are in one another's window, by looking at all."""
    return sum(abs(i - j) <= window // 2 for i in range(size) for j in range(size))


def local(window: int, sensitive: bool, qk: int, v: int) -> Callable[[int, int], int]:
    # projections from 16 channels to q, k (qk each) and v; q.k, q.r, a.v, and k.r, a.r_v where sensitive
    products = 3 * qk + 2 * v if sensitive else 2 * qk + v
    return lambda h, w: h * w * 16 * (2 * qk + v) + near(h, window) * near(w, window) * products


def outside(module: LocalAttention, height: int, width: int) -> int:
    """What a transcription of the formula also multiplies: pairs of which one end is outside the map."""
    pairs = height * width * module.window**2 - near(height, module.window) * near(width, module.window)
    products = 3 * module.project.qk_size + 2 * module.project.v_size if module.sensitive else 0
    products = products or 2 * module.project.qk_size + module.project.v_size
    return pairs * module.project.count * products


def axial(qk: int, v: int) -> Callable[[int, int], int]:
    # height pass from 16 channels, width pass from v channels; q.k, q.r, k.r, a.v, a.r_v over the line
    return lambda h, w: h * w * ((16 + v) * (2 * qk + v) + (h + w) * (3 * qk + 2 * v))


OPERATORS: dict[str, tuple[Callable[[int, int], nn.Module], Callable[[int, int], int]]] = {
    "conv 3": (lambda h, w: Convolution(16, 3), conv(3, 1)),
    "conv 5, stride 2": (lambda h, w: Convolution(16, 5, 2), conv(5, 2)),
    **{
        f"local {window} {terms}, qk {qk}, v {v}, stride {stride}": (
            lambda h, w, k=window, t=terms, qk=qk, v=v, s=stride: LocalAttention(16, 4, k, qk, v, s, t),
            local(window, terms == "position_sensitive", int(16 * qk), int(16 * v)),
        )
        for window, terms, qk, v, stride in [
            (3, "plain", 1.0, 1.0, 1),
            (7, "plain", 0.5, 1.0, 2),
            (5, "position_sensitive", 1.0, 0.5, 1),
            (7, "position_sensitive", 0.5, 1.0, 2),
        ]
    },
    "axial": (lambda h, w: AxialAttention(16, 4, (h, w)), axial(8, 16)),
    # over row and column, or over all positions: q.k with 8 and a.v with 16 dimensions
    "criss-cross": (
        lambda h, w: CrissCrossAttention(16, 4, 0.5),
        lambda h, w: h * w * (16 * (2 * 8 + 16) + (h + w) * (8 + 16)),
    ),
    "non-local": (
        lambda h, w: NonLocalAttention(16, 4, 0.5),
        lambda h, w: h * w * (16 * (2 * 8 + 16) + h * w * (8 + 16)),
    ),
    "axial, qk 1, v 0.5, stride 2": (lambda h, w: AxialAttention(16, 4, (h, w), 1.0, 0.5, 2), axial(16, 8)),
}
SIZES = [(16, 16), (32, 32), (64, 64), (224, 224), (15, 7), (1, 1), (33, 64)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", OPERATORS)
def test_closed_form_is_the_count_by_hand_and_by_torch(name: str, size: tuple[int, int]):
    build, by_hand = OPERATORS[name]
    module = build(*size)
    assert module.macs(*size) == by_hand(*size)
    assert counted_macs(module, *size, input_channels=16) == by_hand(*size)


@pytest.mark.parametrize("path", ["on", "off"])
@pytest.mark.parametrize("name", OPERATORS)
def test_what_really_runs_on_a_cpu_counts_the_same(name: str, path: str, monkeypatch: pytest.MonkeyPatch):
    # The kernels count what they stand for. By tensor operations, local attention multiplies in blocks.
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", path)
    if path == "on" and not kernels.available(torch.float32):
        pytest.skip("no C compiler here")
    build, by_hand = OPERATORS[name]
    module = initialise(build(9, 6), 0).eval()
    if path == "off" and isinstance(module, LocalAttention):
        pytest.skip("torch has no formula for attention in blocks on a CPU")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(4, 16, 9, 6))
    assert counter.get_total_flops() == 2 * 4 * by_hand(9, 6)


@pytest.mark.parametrize("build", [lambda: LocalAttention(16, 4, 3), lambda: CrissCrossAttention(16, 4)])
def test_backward_counts_two_products_for_each(build: Callable[[], SpatialOperator], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    if not kernels.available(torch.float32):
        pytest.skip("no C compiler here")
    module = initialise(build(), 0).eval()
    with FlopCounterMode(display=False) as counter:
        module(torch.zeros(4, 16, 5, 4, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == 2 * 3 * 4 * module.macs(5, 4)


@pytest.mark.parametrize("terms", ["plain", "position_sensitive"])
def test_a_transcription_counts_the_same_and_what_is_outside_the_map(terms: str):
    ours, theirs = LocalAttention(16, 4, 5, terms=terms), UnfoldedLocal(16, 4, 5, terms=terms)
    assert counted_macs(theirs, 7, 9, input_channels=16) == ours.macs(7, 9) + outside(ours, 7, 9)


def test_a_transcription_of_axial_attention_counts_the_same():
    ours, theirs = AxialAttention(16, 4, (7, 9)), EinsumAxial(16, 4, (7, 9))
    assert counted_macs(theirs, 7, 9, input_channels=16) == ours.macs(7, 9)


def test_the_check_catches_products_that_the_counter_cannot_see():
    class Hidden(UnfoldedLocal):
        """Multiplies, then sums: the same values, no matrix product."""

        def retrieve(self, qkv: Tensor) -> Tensor:
            q, k, v = self.project.split(qkv)
            k, v = self.windows(k), self.windows(v)
            position = torch.einsum("bndl,dw->bnwl", q.flatten(3), self.query_positions())
            attention = ((q.flatten(3)[:, :, :, None] * k).sum(2) + position).softmax(2)
            return (attention[:, :, None] * v).sum(3).flatten(1, 2).unflatten(2, qkv.shape[2:])

    module = Hidden(16, 4, 3)
    assert counted_macs(module, 8, 8, input_channels=16) != module.macs(8, 8)


# Operations that the counter has no formula for.


class Apply(nn.Module):
    """A function as a network."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


@torch.library.custom_op("trionet_tests::rotate", mutates_args=())
def rotate(x: Tensor, matrix: Tensor) -> Tensor:
    """A matrix product that torch knows nothing of."""
    return torch.einsum("bchw,cd->bdhw", x, matrix)


@rotate.register_fake
def _(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.empty_like(x)


UNKNOWN: dict[str, tuple[Callable[[Tensor], Tensor], str]] = {
    "matrix times vector": (lambda x: x[0, 0] @ x[0, 0, 0], "aten.mv"),
    "dot product": (lambda x: torch.dot(x[0, 0, 0], x[0, 0, 0]), "aten.dot"),
    "distances": (lambda x: torch.cdist(x[0], x[0]), "aten._cdist_forward"),
    "fourier transform": (lambda x: torch.fft.rfft(x), "aten._fft_r2c"),
    "interpolation": (lambda x: torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear"), "bilinear2d"),
    "of another package": (lambda x: rotate(x, torch.empty(4, 4, device=x.device)), "trionet_tests.rotate"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_operation_without_a_formula_is_an_error_that_names_it(name: str):
    function, operation = UNKNOWN[name]
    with pytest.raises(ArithmeticError, match=rf"no formula for [^ ]*{operation}\. Register one"):
        counted_macs(nn.Sequential(nn.Conv2d(4, 4, 1), Apply(function)), 5, 5, input_channels=4)


def test_all_operations_without_a_formula_are_named():
    twice = Apply(lambda x: torch.dot(torch.cdist(x[0, 0], x[0, 0])[0], x[0, 0, 0]))
    with pytest.raises(ArithmeticError, match=r"no formula for aten\._cdist_forward, aten\.dot\. "):
        counted_macs(twice, 5, 5, input_channels=4)


def test_a_registered_formula_counts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(flop_counter.flop_registry, torch.ops.trionet_tests.rotate, lambda *_, **__: 2 * 7)
    network = nn.Sequential(nn.Conv2d(4, 4, 1), Apply(UNKNOWN["of another package"][0]))
    assert counted_macs(network, 5, 5, input_channels=4) == 5 * 5 * 4 * 4 + 7


def test_free_operations_are_torchs_and_have_no_formula():
    formulas = {str(operation) for operation in flop_counter.flop_registry}
    assert formulas and not formulas & FREE_OPERATIONS
    for name in FREE_OPERATIONS:
        assert str(getattr(torch.ops.aten, name.removeprefix("aten."))) == name


@pytest.mark.parametrize(
    "function",
    [lambda x: x.relu_().exp() * x, lambda x: x.softmax(1).mean((2, 3)), lambda x: torch.cat([x, x.flip(2)], 1)],
    ids=["elementwise", "reduction", "copies"],
)
def test_operations_without_products_are_free(function: Callable[[Tensor], Tensor]):
    assert counted_macs(Apply(function), 5, 5, input_channels=4) == 0


# Networks at 224 pixels and 1000 classes, to the integer; with pairs outside the map, as published counts have it.
GOLDEN = {
    "resnet26": (13_696_552, 2_342_256_640),
    "resnet50": (25_557_032, 4_089_184_256),
    "local_resnet50": (18_015_504, 3_483_158_528),
    "axial_resnet50_s": (11_586_216, 2_842_942_464),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_numbers(name: str):
    profile = profile_network(name, None, None)
    # 7x7 windows: q.k, q.r and a.v over all channels of a block, at the size of map that enters it
    entered = [(64, 56, 3), (128, 56, 1), (128, 28, 3), (256, 28, 1), (256, 14, 5), (512, 14, 1), (512, 7, 2)]
    border = sum(blocks * 3 * c * (size**2 * 49 - near(size, 7) ** 2) for c, size, blocks in entered)
    macs = GOLDEN[name][1] - border * name.startswith("local")
    assert (profile["params"], profile["macs"], profile["macs_counted"]) == (GOLDEN[name][0], macs, macs)


def test_torchs_counter_gives_the_golden_number_for_torchvisions_resnet50():
    from torchvision.models import resnet50

    assert counted_macs(resnet50(), 224, 224, input_channels=3) == GOLDEN["resnet50"][1]


@pytest.mark.parametrize("name", ["vit_b_16", "swin_t", "convnext_tiny", "resnext50_32x4d"])
def test_the_counter_agrees_with_torchs_own(name: str):
    from torchvision import models

    with torch.device("meta"):
        network = getattr(models, name)().eval()
        images = torch.empty(1, 3, 224, 224)
    with FlopCounterMode(display=False) as theirs:
        network(images)
    assert 2 * counted_macs(network, 224, 224, input_channels=3) == theirs.get_total_flops() > 10**8


def test_a_count_that_differs_is_an_error():
    with pytest.raises(ArithmeticError, match="closed form gives 7 MACs, the operator-level counter 147"):
        count_again(torch.nn.Conv2d(3, 1, 1), 7, 7, input_channels=3)


# Memory: what a forward pass keeps for its backward pass.


def kept_bytes(module: nn.Module, x: Tensor) -> int:
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = module(x)
    kept.pop(output.untyped_storage().data_ptr(), None)
    return sum(kept.values())


@pytest.mark.parametrize(("path", "share"), [("on", 0.1), ("off", 0.4)])
@pytest.mark.parametrize("terms", ["plain", "position_sensitive"])
def test_local_attention_keeps_a_part_of_what_unfolding_keeps(
    terms: str, path: str, share: float, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", path)
    if path == "on" and not kernels.available(torch.float32):
        pytest.skip("no C compiler here")
    x = torch.randn(1, 64, 28, 28, requires_grad=True)
    ours = kept_bytes(initialise(LocalAttention(64, 4, 7, terms=terms), 0), x)
    unfolded = kept_bytes(initialise(UnfoldedLocal(64, 4, 7, terms=terms), 0), x)
    assert ours <= share * unfolded


def test_axial_attention_keeps_half_of_what_products_of_all_pairs_keep(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TRIONET_BENCH_KERNELS", "on")
    if not kernels.available(torch.float32):
        pytest.skip("no C compiler here")
    x = torch.randn(1, 64, 28, 28, requires_grad=True)
    ours = kept_bytes(initialise(AxialAttention(64, 4, (28, 28)), 0), x)
    assert ours <= kept_bytes(initialise(EinsumAxial(64, 4, (28, 28)), 0), x) / 2
