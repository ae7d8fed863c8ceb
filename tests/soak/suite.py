"""The cheapest suites that go through every stage: networks of two blocks on a part of the digits."""

_SUITE = """\
schema: 1
name: soak
fidelity: smoke
datasets:
  digits: {source: "sklearn:digits", resolution: 8, train_images: 160}
space:
  base: resnet-nano
  stages:
    - {depths: [1], widths: [16], stride: 2}
    - {depths: [1], widths: [32], stride: 2}
recipe:
  base: quick
  epochs: 2
  finetune_epochs: 0
  warmup_epochs: 0
  supernet: {epochs: 2, warmup_epochs: 0}
  search:
    {population: 3, parents: 1, generations: 1, crossover: 0, mutation: 1, calibration_images: 32, at_chance: search}
budgets: [200K]
models: {MODELS}
seeds: [0]
"""
NAME = "soak"
_MODELS = {"conv": "{system: standalone, operator: conv}", "trionet": "{system: trionet}"}


def suite_text(*models: str) -> str:
    """The file of a suite of ``conv``, ``trionet`` or both."""
    return _SUITE.replace("MODELS", ", ".join(f"{name}: {_MODELS[name]}" for name in models))
