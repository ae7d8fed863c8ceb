"""The smallest suite that runs through every phase, in about ten seconds a seed."""

from collections.abc import Sequence

_SUITE = """\
schema: 1
name: NAME
fidelity: smoke
datasets:
  digits: {source: "sklearn:digits", resolution: 8}
space:
  base: resnet-nano
  stages:
    - {depths: [1], widths: [16, 32], stride: 1}
    - {depths: [1, 2], widths: [32], stride: 2}
recipe:
  base: quick
  epochs: 2
  finetune_epochs: 1
  warmup_epochs: 0
  supernet: {epochs: 1, warmup_epochs: 0}
  search:
    {population: 6, parents: 3, generations: 2, crossover: 2, mutation: 2, calibration_images: 128, at_chance: search}
budgets: [400K]
models:
  conv: {system: standalone, operator: conv}
  trionet: {system: trionet}
seeds: SEEDS
comparisons:
  - {baseline: conv, candidates: [trionet]}
"""


def small_suite(name: str, seeds: Sequence[int] = (0,)) -> str:
    """Its file: a baseline and a searched network on digits."""
    return _SUITE.replace("NAME", name).replace("SEEDS", str([*seeds]))
