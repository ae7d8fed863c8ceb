"""``synthetic:NAME``: generated sets, each of which needs another kind of operator, see ``data.sources.generated``.

Options: ``n`` images, a fifth of them test (5000); ``seed`` (0); ``size``, side in pixels (32).
"""

from functools import partial

import numpy as np

from trionet_bench.data.index import Index
from trionet_bench.data.sources.arrays import index_of_arrays
from trionet_bench.data.sources.base import Places, Uri
from trionet_bench.data.sources.catalogue import named_sets
from trionet_bench.data.sources.generated.base import GeneratedSet
from trionet_bench.data.sources.generated.cued import CUED
from trionet_bench.data.sources.generated.gratings import GRATINGS
from trionet_bench.data.sources.generated.match import MATCH
from trionet_bench.data.sources.generated.noise import NOISE
from trionet_bench.data.sources.generated.texture import TEXTURE
from trionet_bench.errors import UsageError, nearest
from trionet_bench.randomness import derived_generator

SETS = {each.name: each for each in (TEXTURE, MATCH, GRATINGS, CUED, NOISE)}


def open_index(uri: Uri, places: Places) -> Index:
    """The index of a generated set, whose images are generated when first read; UsageError for another name."""
    if uri.path not in SETS:
        raise UsageError(f'{uri.text}: there is no generated set "{uri.path}"; {nearest(uri.path, list(SETS))}')
    n, seed, size = uri.number("n", 5000, at_least=20), uri.number("seed", 0), uri.number("size", 32, at_least=24)
    chosen = SETS[uri.path]
    labels = _labels(chosen, {"train": n - n // 5, "test": n // 5}, seed, "labels")
    # Of a set with label noise the images belong to other labels than those that are given out.
    drawn_for = _labels(chosen, {part: len(of) for part, of in labels.items()}, seed, "content")
    index = index_of_arrays(
        uri,
        uri.path,
        chosen.classes,
        labels,
        load=partial(_generate, uri.path, drawn_for if chosen.label_noise else labels, seed, size),
        shape=(size, 1),
        content=[chosen.version, uri.path, str(seed), str(size)],
    )
    return named_sets()[uri.path].described(index)


def generated_set(source: str) -> GeneratedSet | None:
    """The generated set that a source such as ``synthetic:match?n=2500`` names; None for any other source."""
    scheme, _, rest = source.partition(":")
    return SETS.get(rest.partition("?")[0]) if scheme == "synthetic" else None


def _labels(chosen: GeneratedSet, counts: dict[str, int], seed: int, purpose: str) -> dict[str, np.ndarray]:
    """Labels by part, equally many of each class, in a drawn order."""
    return {
        part: derived_generator(seed, chosen.name, part, purpose).permutation(np.arange(count) % len(chosen.classes))
        for part, count in counts.items()
    }


def _generate(name: str, labels: dict[str, np.ndarray], seed: int, size: int, part: str) -> np.ndarray:
    """The noisy images of a part, uint8 (N, S, S, 1)."""
    chosen = SETS[name]
    generator = derived_generator(seed, chosen.make.__name__, part, "images")
    clean = chosen.make(labels[part], size, generator)
    noisy = clean + generator.normal(0, chosen.noise, clean.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8)[..., None]
