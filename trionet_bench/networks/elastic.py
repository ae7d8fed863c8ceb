"""The supernet: one store of weights that holds every architecture of a space; the architecture is an argument.

A child is an ordinary stand-alone network, built without weights on the meta device. Its weights are entries of the
store, selected by a sharing rule from the axes that the network's layers declare. So a child of the supernet, an
extracted network and a stand-alone baseline run the same code, and any skeleton whose layers have ``specs`` has a
supernet.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trionet_bench.networks.layers import ParamSpec, collect_specs, is_statistic, specified_tensor, without_decay
from trionet_bench.networks.sharing import Axis, Sharing
from trionet_bench.networks.skeletons import Skeleton
from trionet_bench.spaces.choice import Architecture, Space

Build = Callable[[Architecture], Skeleton]
Naming = Callable[[nn.Module], Mapping[str, str]]


def equal_names(network: nn.Module) -> Mapping[str, str]:
    """Every parameter of a child has the same name in the store, so that children share parameters of equal name."""
    return {}


@dataclass(frozen=True)
class Cut:
    """How one parameter of a child is selected from the store: by an index for each dimension that it uses in part."""

    name: str  # in the child
    stored: str  # in the store
    prefixes: tuple[tuple[int, int], ...]  # (dimension, length): the first entries, a view
    gathers: tuple[tuple[int, Tensor], ...]  # (dimension, positions): a copy

    def of(self, stored: Tensor) -> Tensor:
        """The child's parameter; gradients flow back to exactly these entries."""
        for dimension, length in self.prefixes:
            stored = stored.narrow(dimension, 0, length)
        for dimension, positions in self.gathers:
            stored = stored.index_select(dimension, positions)
        return stored


class Supernet(nn.Module):
    """All architectures of ``space`` in one set of weights.

    Args:
        space: the architectures.
        build: makes the stand-alone network of an architecture, without initial weights.
        sharing: which entries of the store a child uses.
        seed: of the initial weights.
        naming: from a network to the names in the store of those of its weights whose name there differs.

    ``supernet(images, architecture)`` returns the child's logits. In training mode children normalise with batch
    statistics, and the store's running statistics do not change. In evaluation mode they use the store's, which are
    meaningless for a child until it has been extracted and recalibrated.
    """

    def __init__(self, space: Space, build: Build, sharing: Sharing, seed: int, naming: Naming = equal_names) -> None:
        super().__init__()
        self.space, self.build, self.sharing, self.naming = space, build, sharing, naming
        self.store_specs = self._covering_specs()
        self.weights = nn.ParameterDict()
        self.statistics = nn.Module()
        with torch.no_grad():
            for name, spec in self.store_specs.items():
                tensor = torch.empty(spec.shape)
                spec.initialise(tensor, seed, name)
                if is_statistic(name):
                    self.statistics.register_buffer(_key(name), tensor)
                else:
                    self.weights[_key(name)] = nn.Parameter(tensor)
        self._children: OrderedDict[Architecture, tuple[Skeleton, tuple[Cut, ...]]] = OrderedDict()
        self._indices: dict[tuple[Axis, Axis, torch.device], Tensor | int | None] = {}

    def _covering_specs(self) -> dict[str, ParamSpec]:
        """The smallest store that holds every child, from the space's covering architectures."""
        by_name: dict[str, list[ParamSpec]] = defaultdict(list)
        for architecture in self.space.cover():
            with torch.device("meta"):
                network = self.build(architecture)
            stored = self.naming(network)
            for name, spec in collect_specs(network).items():
                by_name[stored.get(name, name)].append(spec)
        return {
            name: ParamSpec(
                tuple(self.sharing.merge(axes) for axes in zip(*(spec.axes for spec in specs), strict=True)),
                std=min(spec.std for spec in specs),  # that of the widest child
                mean=specs[0].mean,
                decays=specs[0].decays,
            )
            for name, specs in by_name.items()
        }

    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        network, cuts = self._child(architecture)
        network.train(self.training)
        logits: Tensor = functional_call(network, self._cut(cuts, for_update=self.training), (images,))
        return logits

    def select(self, architecture: Architecture) -> dict[str, Tensor]:
        """Every weight and statistic of a child, by its name in the stand-alone network."""
        return self._cut(self._child(architecture)[1], for_update=False)

    def statistics_of(self, architecture: Architecture) -> dict[str, tuple[str, Tensor]]:
        """For each running statistic of a child: the name of the store's buffer, and the child's entries."""
        entries = {}
        for cut in self._child(architecture)[1]:
            if is_statistic(cut.name):
                key = _key(cut.stored)
                stored = self.statistics.get_buffer(key)
                entries[cut.name] = key, cut.of(torch.arange(len(stored), device=stored.device))
        return entries

    def extract(self, architecture: Architecture) -> Skeleton:
        """The stand-alone network with a copy of the child's weights and statistics, on the store's device."""
        weight = next(iter(self.weights.values()))
        network = self.build(architecture).to(weight.device, weight.dtype)
        with torch.no_grad():
            for name, tensor in self.select(architecture).items():
                specified_tensor(network, name).copy_(tensor)
        return network.train(self.training)

    def no_weight_decay(self) -> list[str]:
        """Names of the parameters that are excluded from weight decay in a child, hence here."""
        return [f"weights.{_key(name)}" for name in without_decay(self.store_specs)]

    def faster_channels_last(self, device: torch.device) -> bool:
        """Whether training is faster in the memory format channels-last, as it is where that holds for every child: a
        supernet of convolutions takes 0.8 of the time.
        """
        with torch.device("meta"):
            return all(self.build(architecture).faster_channels_last(device) for architecture in self.space.cover())

    def _cut(self, cuts: tuple[Cut, ...], for_update: bool) -> dict[str, Tensor]:
        tensors = {}
        for cut in cuts:
            if is_statistic(cut.name):
                tensor = cut.of(self.statistics.get_buffer(_key(cut.stored)))
                # Normalisation updates its statistics in place: a child must not change the store's.
                tensors[cut.name] = tensor.clone() if for_update else tensor
            else:
                tensors[cut.name] = cut.of(self.weights[_key(cut.stored)])
        return tensors

    def _child(self, architecture: Architecture) -> tuple[Skeleton, tuple[Cut, ...]]:
        """A network without weights and its cuts; the last 32 are cached, since a step uses the same children again."""
        if architecture not in self._children:
            with torch.device("meta"):
                network = self.build(architecture)
            stored = self.naming(network)
            specs = collect_specs(network)
            cuts = tuple(self._make_cut(name, stored.get(name, name), spec) for name, spec in specs.items())
            self._children[architecture] = (network, cuts)
            if len(self._children) > 32:
                self._children.popitem(last=False)
        self._children.move_to_end(architecture)
        return self._children[architecture]

    def _make_cut(self, name: str, stored: str, spec: ParamSpec) -> Cut:
        if stored not in self.store_specs:
            raise KeyError(f"the supernet of {self.space.name} holds no weight {stored}")
        prefixes, gathers = [], []
        for dimension, (child, full) in enumerate(zip(spec.axes, self.store_specs[stored].axes, strict=True)):
            index = self._index(child, full)
            if isinstance(index, int):
                prefixes.append((dimension, index))
            elif index is not None:
                gathers.append((dimension, index))
        return Cut(name, stored, tuple(prefixes), tuple(gathers))

    def _index(self, child: Axis, full: Axis) -> Tensor | int | None:
        """None where the child uses all entries, a length where it uses the first ones, otherwise positions."""
        device = next(iter(self.weights.values())).device
        key = (child, full, device)
        if key not in self._indices:
            positions = self.sharing.indices(child, full)
            if not torch.equal(positions, torch.arange(len(positions))):
                self._indices[key] = positions.to(device)
            else:
                self._indices[key] = None if len(positions) == full.size else len(positions)
        return self._indices[key]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Supernet":
        self._children.clear()  # their index tensors are on the old device
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return self


def _key(name: str) -> str:
    return name.replace(".", "/")
