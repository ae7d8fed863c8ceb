"""MACs and parameters of a network, counted twice.

One MAC is one multiply-accumulate; many papers print this number as FLOPs, and torch's counter reports twice it.
Counted are convolutions, linear maps and all products of attention; normalisation, activation, softmax and pooling are
not. The closed form stands beside each operator's ``forward``; the counter watches the operations that really run, on
the meta device.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_NORMS = (torch.ops.aten.native_batch_norm, torch.ops.aten.native_layer_norm)


@dataclass(frozen=True)
class Cost:
    """MACs of one part for one image. ``stage`` is ``stem``, a number, or ``classifier``; ``kind`` is an operator or
    what else it is.
    """

    stage: str
    block: int | None
    kind: str
    macs: int


@dataclass(frozen=True)
class Profile:
    """Cost of a network for one image; MACs are closed-form."""

    macs: int
    params: int
    macs_by_stage: dict[str, int]
    macs_by_operator: dict[str, int]
    macs_in_block: dict[tuple[int, int], dict[str, int]]

    def of_placement(self, entries: Sequence[Mapping[str, Any]]) -> list[int]:
        """MACs of each entry of a placement: its operator's own, and by its share what else its block does. Those of a
        block add up to the block's.
        """
        found, left = [], {}
        for entry in entries:
            place = entry["stage"], entry["block"]
            own = self.macs_in_block[place]
            if place not in left:
                operators = {e["operator"] for e in entries if (e["stage"], e["block"]) == place}
                common = sum(macs for kind, macs in own.items() if kind not in operators)
                left[place] = [common, common, len(operators)]
            common, rest, entries_left = left[place]
            part = rest if entries_left == 1 else round(common * entry.get("share", 1.0))
            left[place] = [common, rest - part, entries_left - 1]
            found.append(own[entry["operator"]] + part)
        return found

    def to_dict(self) -> dict[str, Any]:
        """What ``profile --json`` prints of it."""
        return {
            "params": self.params,
            "macs": self.macs,
            "macs_by_stage": self.macs_by_stage,
            "macs_by_operator": self.macs_by_operator,
        }


class Counted(Protocol):
    """A network that knows what each of its parts costs."""

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

    Norms have no MACs, and torch takes them apart into Python on the meta device: here they only keep their shape.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # torch would ask its compiler at every operation to leave this alone

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        operation = func.overloadpacket
        if operation in _NORMS:
            return torch.empty_like(args[0]), None, None
        result = func(*args, **kwargs)
        if operation in flop_registry:
            self.flops += flop_registry[operation](*args, **kwargs, out_val=result)
        return result


def counted_macs(network: nn.Module, height: int, width: int, input_channels: int) -> int:
    """MACs of one image by torch's operator-level formulas: a copy runs on the meta device, which computes nothing."""
    network = copy.deepcopy(network).to("meta").eval()
    images = torch.empty(1, input_channels, height, width, device="meta")
    with _FlopCounter() as counter, torch.no_grad():
        network(images)
    return counter.flops // 2


def count_again(network: nn.Module, macs: int, resolution: int, input_channels: int) -> int:
    """The operator-level count of a network whose closed form gives ``macs``; ArithmeticError where they differ."""
    counted = counted_macs(network, resolution, resolution, input_channels)
    if counted != macs:
        raise ArithmeticError(f"closed form gives {macs} MACs, the operator-level counter {counted}")
    return counted
