"""MACs and parameters of a network, counted twice.

One MAC is one multiply-accumulate; many papers print this number as FLOPs, and torch's counter reports twice it.
Counted are convolutions, linear maps and all products of attention; normalisation, activation, softmax and pooling are
not. The closed form stands beside each operator's ``forward``; the counter watches the operations that really run, on
the meta device, and reports those that it has no formula for.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch._ops import HigherOrderOperator, OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

# Operations of torch without multiply-accumulates that are counted, in place or not.
_ELEMENTWISE = """
    abs add addcmul bitwise_and bitwise_not bitwise_or ceil clamp clamp_max clamp_min cos div elu eq erf exp floor
    ge gelu glu gt hardsigmoid hardswish hardtanh le leaky_relu log logical_and logical_not logical_or lt
    masked_fill maximum minimum mish mul ne neg pow reciprocal relu round rsqrt rsub sigmoid sign silu sin softplus
    sqrt sub tanh threshold where
"""
_OVER_A_DIMENSION = """
    _adaptive_avg_pool2d _log_softmax _safe_softmax _softmax adaptive_max_pool2d all amax amin any argmax argmin
    avg_pool2d linalg_vector_norm max max_pool2d_with_indices mean min native_batch_norm native_dropout
    native_group_norm native_layer_norm sum var var_mean
"""
_COPIES_AND_VIEWS = """
    _reshape_alias _to_copy _unsafe_view alias as_strided cat channel_shuffle clone constant_pad_nd contiguous copy
    detach diagonal embedding expand flip gather im2col index index_select lift_fresh permute pixel_shuffle
    pixel_unshuffle reflection_pad2d repeat replication_pad2d roll select slice split split_with_sizes squeeze stack
    t transpose tril triu unbind unfold unsqueeze upsample_nearest2d view
"""
_CREATION = """
    arange empty empty_like empty_strided eye fill full full_like new_empty new_full new_ones new_zeros ones ones_like
    scalar_tensor zero zeros zeros_like
"""
FREE_OPERATIONS = frozenset(
    f"aten.{name}"
    for names in (_ELEMENTWISE, _OVER_A_DIMENSION, _COPIES_AND_VIEWS, _CREATION)
    for name in names.split()
)
# The fields of ``records.record.Placement`` except its MACs.
PlacementEntry = Mapping[str, Any]
_NORMS = (torch.ops.aten.native_batch_norm, torch.ops.aten.native_layer_norm)


@dataclass(frozen=True)
class Cost:
    """MACs of one part for one image.

    Args:
        stage: ``stem``, the number of a stage, or ``classifier``.
        block: its number in the stage; None outside of blocks.
        kind: the name of an operator, or of another part such as ``pointwise``.
        macs: multiply-accumulates.
    """

    stage: str
    block: int | None
    kind: str
    macs: int


@dataclass(frozen=True)
class Profile:
    """Cost of a network for one image; MACs are closed-form.

    ``macs_in_block`` maps (stage, block) to MACs by kind.
    """

    macs: int
    params: int
    macs_by_stage: dict[str, int]
    macs_by_operator: dict[str, int]
    macs_in_block: dict[tuple[int, int], dict[str, int]]

    def of_placement(self, entries: Sequence[PlacementEntry]) -> list[int]:
        """MACs of each entry of a placement: those of its operator, and its ``share`` of what else its block computes.

        The MACs of a block's entries add up to the block's.
        """
        macs: list[int] = []
        others_left: dict[tuple[int, int], int] = {}
        entries_left: dict[tuple[int, int], int] = {}
        for entry in entries:
            place = entry["stage"], entry["block"]
            in_block = self.macs_in_block[place]
            operators = {e["operator"] for e in entries if (e["stage"], e["block"]) == place}
            others = sum(cost for kind, cost in in_block.items() if kind not in operators)
            left, count = others_left.get(place, others), entries_left.get(place, len(operators))
            part = left if count == 1 else round(others * entry.get("share", 1.0))
            others_left[place], entries_left[place] = left - part, count - 1
            macs.append(in_block[entry["operator"]] + part)
        return macs

    def to_dict(self) -> dict[str, Any]:
        """The fields that ``profile --json`` prints."""
        return {
            "params": self.params,
            "macs": self.macs,
            "macs_by_stage": self.macs_by_stage,
            "macs_by_operator": self.macs_by_operator,
        }


class Counted(Protocol):
    """A network whose parts have a closed-form cost."""

    def costs(self, height: int, width: int) -> Iterator[Cost]:
        """Closed-form MACs of every part for one image of this size."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


def profile(network: Counted, resolution: int) -> Profile:
    """Closed-form cost for one square image; the network may be on the meta device."""
    by_stage: dict[str, int] = defaultdict(int)
    by_operator: dict[str, int] = defaultdict(int)
    in_block: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
    for cost in network.costs(resolution, resolution):
        by_stage[cost.stage] += cost.macs
        by_operator[cost.kind] += cost.macs
        if cost.block is not None:
            in_block[int(cost.stage), cost.block][cost.kind] = cost.macs
    params = sum(parameter.numel() for parameter in network.parameters())
    return Profile(sum(by_stage.values()), params, dict(by_stage), dict(by_operator), dict(in_block))


class _FlopCounter(TorchDispatchMode):
    """Adds up torch's formulas for the operations that run, as its ``FlopCounterMode`` does, in a third of the time.

    ``unknown`` holds the names of operations that are neither in torch's table of formulas nor in ``FREE_OPERATIONS``.
    Norms only keep their shape, since torch decomposes them in Python on the meta device, which is slow.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.flops = 0
        self.unknown: set[str] = set()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # otherwise torch asks its compiler at every operation not to compile this method

    def __torch_dispatch__(
        self,
        func: "OpOverload[..., Any] | HigherOrderOperator",
        types: Sequence[type],
        args: tuple[Any, ...] = (),  # of any operation
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        operation = func.overloadpacket if isinstance(func, OpOverload) else func
        if operation in _NORMS:
            return torch.empty_like(args[0]), None, None
        result = func(*args, **kwargs)
        if operation in flop_registry:
            self.flops += flop_registry[operation](*args, **kwargs, out_val=result)
        elif str(operation).removesuffix("_") not in FREE_OPERATIONS:
            self.unknown.add(str(operation))
        return result


def counted_macs(network: nn.Module, height: int, width: int, input_channels: int) -> int:
    """MACs of one image by torch's operator-level formulas: a copy runs on the meta device, which computes nothing.

    ArithmeticError, with their names, where operations run that have no formula and are not known to be free.
    """
    network = copy.deepcopy(network).to("meta").eval()
    images = torch.empty(1, input_channels, height, width, device="meta")
    counter = _FlopCounter()
    with counter, torch.no_grad():
        network(images)
    if counter.unknown:
        raise ArithmeticError(
            f"the MAC counter has no formula for {', '.join(sorted(counter.unknown))}. Register one with "
            "torch.utils.flop_counter.register_flop_formula: twice the multiply-accumulates, 0 where there are none."
        )
    return counter.flops // 2


def count_again(network: nn.Module, macs: int, resolution: int, input_channels: int) -> int:
    """The operator-level count of a network whose closed form gives ``macs``; ArithmeticError where they differ."""
    counted = counted_macs(network, resolution, resolution, input_channels)
    if counted != macs:
        raise ArithmeticError(f"closed form gives {macs} MACs, the operator-level counter {counted}")
    return counted
