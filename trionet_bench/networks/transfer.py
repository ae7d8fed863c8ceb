"""Weights of one network as the start of another of the same architecture, on other images: another size, other
channels, other classes.

What a dimension means says how it is adapted (``networks.sharing``). Offsets are taken around their centre; beyond
those that are known the outermost is repeated, as clipped relative positions are (Shaw et al. 2018, arXiv 1803.02155).
Learnt positions of a grid are interpolated bicubically (DeiT, arXiv 2012.12877). From grey to colour each channel gets
its third of a weight, the other way round they are added up, so that a grey image gives the same. The head, and parts
that only training needs, are not taken.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trionet_bench.errors import UsageError
from trionet_bench.networks.layers import collect_specs, specified_tensor
from trionet_bench.networks.library import LibraryNetwork
from trionet_bench.networks.sharing import Axis, Kind, Level

HEAD = "classifier"


@torch.no_grad()
def adopt(network: nn.Module, weights: Mapping[str, Tensor], deployed: nn.Module) -> list[str]:
    """Give a network these weights, in place, but for its head; returns the names of those that were adapted.

    Args:
        deployed: the network without what only training needs.

    UsageError where a weight is missing or cannot be adapted.
    """
    if isinstance(network, LibraryNetwork):
        return _adopt_library(network, weights)
    adapted = []
    for name, spec in collect_specs(deployed).items():
        if name.split(".")[0] == HEAD:
            continue
        if name not in weights:
            raise UsageError(f"the weights have no {name}; they are of another network.")
        value = weights[name]
        if value.shape != spec.shape:
            adapted.append(name)
        for dimension, axis in enumerate(spec.axes):
            if value.shape[dimension] != axis.size:
                value = _fitted(value.movedim(dimension, 0), axis, name).movedim(0, dimension)
        specified_tensor(network, name).copy_(value)
    return adapted


def _adopt_library(network: LibraryNetwork, weights: Mapping[str, Tensor]) -> list[str]:
    own = {name: value for name, value in network.model.state_dict().items() if not name.startswith(network.head)}
    if absent := [name for name in own if name not in weights]:
        raise UsageError(
            f"the weights have no {absent[0]}; they are not of {network.architecture.network} as "
            f"{network.architecture.library} builds it."
        )
    if other := [name for name, value in own.items() if weights[name].shape != value.shape]:
        raise UsageError(
            f"{other[0]} is {tuple(weights[other[0]].shape)} in the weights, but {tuple(own[other[0]].shape)} in "
            f"{network.architecture.network}; they are of another network or size."
        )
    for name, value in own.items():
        value.copy_(weights[name])
    return []


def _fitted(value: Tensor, axis: Axis, name: str) -> Tensor:
    """A weight whose first dimension, of another size, becomes this axis."""
    levels: dict[Kind, Level] = {level.kind: level for segment in axis.segments for level in segment}
    if set(levels) == {"offset"}:
        return _recentred(value, axis.size)
    if set(levels) == {"place"}:
        return _interpolated(value, levels["place"].size)
    if "colour" in levels and set(levels) <= {"colour", "fixed"}:
        return _recoloured(value, levels["colour"].size, axis.size)
    raise UsageError(f"{name} has {len(value)} entries where {axis.size} are needed; they are of another network.")


def _recentred(value: Tensor, size: int) -> Tensor:
    """(S, ...) around its centre; the outermost entries are repeated where more are needed."""
    places = torch.arange(size) - (size - len(value)) // 2
    return value[places.clamp(0, len(value) - 1)]


def _interpolated(value: Tensor, size: int) -> Tensor:
    """A class token's position and those of a square grid, (1 + n n, C), for another grid."""
    before, after = (round((count - 1) ** 0.5) for count in (len(value), size))
    grid: Tensor = value[1:].T.reshape(1, -1, before, before)
    grid = F.interpolate(grid, (after, after), mode="bicubic", align_corners=False)
    return torch.cat([value[:1], grid.reshape(-1, after * after).T])


def _recoloured(value: Tensor, colours: int, size: int) -> Tensor:
    """(C r, ...), the channels of an image first, for another number of channels, 1 or 3."""
    by_colour: Tensor = value.unflatten(0, (-1, size // colours))  # (C, r, ...)
    if len(by_colour) == 1:
        return (by_colour / colours).expand(colours, *by_colour.shape[1:]).flatten(0, 1)
    return by_colour.sum(0)
