"""Estimated compute of training a supernet."""

from statistics import fmean

import torch

from trionet_bench.networks.elastic import Naming
from trionet_bench.networks.skeletons import build_network
from trionet_bench.search.sampling import Sampler
from trionet_bench.search.supernet import ProbeCurves, probes
from trionet_bench.systems.cell import AnyCell
from trionet_bench.systems.cost import cost_in
from trionet_bench.systems.work import Work, images_in, scored_images
from trionet_bench.training.recipe import Recipe

_DRAWS = 24  # steps whose children stand for all in an estimate


def supernet_work(cell: AnyCell, recipe: Recipe, sampler: Sampler, naming: Naming) -> list[Work]:
    """A supernet's steps, at the mean cost of the children that the first of them draw, and its probes."""
    space, settings = sampler.space, recipe.supernet
    cost = cost_in(cell, space)
    children = [child.genes for step in range(_DRAWS) for child in sampler.draw(step)]
    train = images_in(cell, ("train",))
    batches = max(1, train // recipe.batch)
    seen = settings.epochs * batches * min(recipe.batch, train) * len(children) // _DRAWS
    curves = probes(space, cell.seed).values()
    scored = min(ProbeCurves.times, settings.epochs) * len(curves)
    parameters = supernet_parameters(cell, sampler, naming)
    return [
        Work("supernet", seen, fmean(map(cost, children)), trains=True, parameters=parameters),
        Work("supernet", scored * scored_images(cell), fmean(map(cost, curves))),
    ]


def supernet_parameters(cell: AnyCell, sampler: Sampler, naming: Naming) -> int:
    """Number of weights of the supernet, within a few percent: for each name in its store the largest of the networks
    that cover the space.
    """
    largest: dict[str, int] = {}
    index, outputs = cell.data.index, cell.data.task.outputs(cell.data.index)
    for architecture in sampler.space.cover():
        with torch.device("meta"):
            network = build_network(architecture, outputs, index.channels, cell.resolution)
        stored = naming(network)
        for name, parameter in network.named_parameters():
            key = stored.get(name, name)
            largest[key] = max(largest.get(key, 0), parameter.numel())
    return sum(largest.values())
