"""Zero-shot retrieval: its split, its ranks, its losses by hand, and cells of every system on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.system_battery import carried_out
from support.system_cases import SYSTEM_CASES
from support.tiny import RECIPE, TINY, index

import trionet_bench
from trionet_bench.data.pipeline.splits import NAMES
from trionet_bench.errors import DataError, UsageError
from trionet_bench.networks.elastic import Supernet
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.sharing import SHARINGS
from trionet_bench.tasks.registry import resolve_task
from trionet_bench.tasks.retrieval.neighbours import retrieved
from trionet_bench.tasks.retrieval.runner import RetrievalRunner
from trionet_bench.tasks.retrieval.task import Retrieval

CPU = torch.device("cpu")
TASK = Retrieval(embedding=4)


def runner(task: Retrieval = TASK, classes: int = 4) -> RetrievalRunner:
    """Of 8 x 8 grey images of four classes, of which two train."""
    return RetrievalRunner(task, task.embedding, classes, 1, 8, RECIPE, 0, CPU)


def test_half_of_the_classes_train_and_no_image_of_them_is_tested():
    images = index(classes=4)  # 60 and 15 images, the classes in turn
    splits = TASK.splits(images, 0, 0.1, 0.1, None)
    # Of each class 15 and 4 images, of the last 15 and 3: 38 of classes 0 and 1, 37 of classes 2 and 3.
    assert splits.counts == {"train": 30, "search_val": 4, "val": 4, "test": 37}
    assert set(splits.test.labels(images)) == {2, 3}
    assert {*splits.train.by_part} == {*splits.test.by_part} == {"train", "test"}
    for name in ("train", "search_val", "val"):
        assert set(splits[name].labels(images)) == {0, 1}
    places = [place for name in NAMES for place in splits[name].places]
    assert sorted(places) == [(part, n) for part, count in (("test", 15), ("train", 60)) for n in range(count)]


def test_the_split_is_hashed_and_its_test_images_are_the_same_for_all_seeds():
    images = index(classes=4)
    first, again, other = (TASK.splits(images, seed, 0.1, 0.1, None) for seed in (0, 0, 1))
    assert first.hash == again.hash != other.hash
    assert first.test.places == other.test.places
    drawn = Retrieval(order="drawn")
    assert drawn.trained_on(100).tolist() == drawn.trained_on(100).tolist() != Retrieval().trained_on(100).tolist()
    assert len(drawn.trained_on(100)) == 50


def test_published_splits_are_the_first_classes():
    assert Retrieval().trained_on(200).tolist() == [*range(100)]  # CUB-200-2011
    assert Retrieval().trained_on(196).tolist() == [*range(98)]  # Stanford Cars
    assert Retrieval(train_classes=3).trained_on(5).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("task", "val", "message"),
    [
        (Retrieval(train_classes=3), 0.1, "trains on 3 of 4 classes; it needs 2 to train on and 2 to test on"),
        (Retrieval(), 0.02, "the split val cannot be searched in: no class has two images there"),
    ],
)
def test_what_cannot_be_searched_in_is_refused(task: Retrieval, val: float, message: str):
    with pytest.raises(DataError, match=message):
        task.splits(index(classes=4), 0, 0.1, val, None)


def test_ranks_and_precision_by_hand():
    # Directions in degrees; cosine falls with the angle between them.
    degrees = np.array([0.0, 10.0, 25.0, 45.0, 90.0])
    labels = np.array([0, 1, 0, 1, 2])
    embeddings = np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=1) * [
        [3],
        [1],
        [2],
        [9],
        [1],
    ]
    found = retrieved(embeddings, labels, deepest=8)
    assert found["neighbours"][0].tolist() == [1, 2, 3, 4, -1, -1, -1, -1]
    assert found["neighbours"][2].tolist() == [1, 3, 0, 4, -1, -1, -1, -1]
    # 0 (0 deg): 1, [2]; 1 (10): 0, 2, [3]; 2 (25): 1, 3, [0]; 3 (45): 2, [1]; 4 is alone in its class
    assert found["first_match"].tolist() == [2, 3, 3, 2, 0]
    # R is 1 for each: a match that is not the first neighbour gives nothing
    assert found["average_precision"][:4].tolist() == [0, 0, 0, 0]
    assert np.isnan(found["average_precision"][4])
    measured = Retrieval(ranks=(1, 2, 4)).measure(found)
    assert measured == {"recall_1": 0.0, "recall_2": 0.5, "recall_4": 1.0, "map_r": 0.0}


def test_precision_over_r_is_that_of_its_definition():
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [5, 7, 2])
    embeddings = generator.normal(size=(14, 3)) + 2 * np.eye(3)[labels]
    found = retrieved(embeddings.astype(np.float32), labels, deepest=4)
    unit = embeddings.astype(np.float32) / np.linalg.norm(embeddings.astype(np.float32), axis=1, keepdims=True)
    for query in range(14):
        others = [n for n in np.argsort(-(unit @ unit[query]), kind="stable") if n != query]
        r = int((labels == labels[query]).sum()) - 1
        hits = [labels[n] == labels[query] for n in others[:r]]
        precisions = [sum(hits[: i + 1]) / (i + 1) if hits[i] else 0 for i in range(r)]
        assert found["average_precision"][query] == pytest.approx(sum(precisions) / r)
        assert found["first_match"][query] == 1 + [labels[n] == labels[query] for n in others].index(True)


def test_proxy_anchor_is_the_published_formula():
    generator = torch.Generator().manual_seed(0)
    embeddings, proxies = torch.randn(6, 4, generator=generator), torch.randn(2, 4, generator=generator)
    labels = torch.tensor([0, 0, 1, 0, 0, 1])
    cosines = F.normalize(embeddings.double()) @ F.normalize(proxies.double()).T
    margin, alpha = 0.1, 32.0
    # Kim et al. 2020, equation 4; both proxies have images of their class, P+ = P.
    pulled = [torch.exp(-alpha * (cosines[labels == c, c] - margin)).sum() for c in (0, 1)]
    pushed = [torch.exp(alpha * (cosines[labels != c, c] + margin)).sum() for c in (0, 1)]
    expected = sum(torch.log1p(term) / 2 for term in (*pulled, *pushed))
    loss = runner().loss(torch.cat([embeddings, proxies]), labels)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_norm_softmax_is_cross_entropy_of_cosines_over_the_temperature():
    generator = torch.Generator().manual_seed(0)
    embeddings, proxies = torch.randn(6, 4, generator=generator), torch.randn(2, 4, generator=generator)
    shares = F.one_hot(torch.tensor([0, 1, 1, 0, 0, 1]), 4) * 0.7 + 0.1  # after mixing: the larger share counts
    cosines = F.normalize(embeddings) @ F.normalize(proxies).T
    expected = F.cross_entropy(cosines / 0.05, shares.argmax(1))
    loss = runner(Retrieval(embedding=4, loss="norm-softmax")).loss(torch.cat([embeddings, proxies]), shares)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_children_of_a_supernet_train_its_proxies():
    task = runner()
    supernet = Supernet(TINY, task.network, SHARINGS["multi-head"](), 0).train()
    images, labels = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 0, 1])
    outputs = supernet(images, TINY.decode(TINY.middle(TINY.operators_set_to("axial"))))
    assert outputs.shape == (4 + 2, 4)
    task.loss(outputs, labels).backward()
    gradient = supernet.weights["proxies/weight"].grad
    assert gradient is not None and bool((gradient.abs().sum(dim=1) > 0).all())


@pytest.mark.parametrize("system", ["standalone", "trionet", "glit", "fab"])
def test_cells_of_every_system_leave_metrics_and_an_embedding(system: str, tmp_path: Path):
    of = SYSTEM_CASES[system][0]
    images = index(classes=4)
    of = replace(of, data=replace(of.data, index=images, task=resolve_task({"name": "retrieval", "embedding": 16})))
    result = carried_out(of, tmp_path)
    assert result.counts is not None and result.counts.evaluated == 37
    for name in ("test", "pixels_test", "untrained_test"):
        assert {f"{name}_recall_{k}" for k in (1, 2, 4, 8)} | {f"{name}_map_r"} <= result.metrics.keys()

    # The embeddings of the stored network find what was stored.
    model = trionet_bench.load(tmp_path / "cell")
    places = of.data.splits(of.seed).test.places
    seen = torch.stack(
        [model.transforms(images.read(part, position)) for position, part in ((n, p) for p, n in places)]
    )
    with torch.no_grad():
        embeddings = model(seen)
    assert embeddings.shape == (37, 16)
    labels = of.data.splits(of.seed).test.labels(images)
    again = retrieved(embeddings.numpy(), labels, 8)
    with np.load(tmp_path / "cell" / "predictions.npz") as stored:
        assert np.array_equal(stored["neighbours"], again["neighbours"])
        assert np.array_equal(stored["labels"], labels)
    pixels = retrieved(seen.flatten(1).numpy(), labels, 8)
    assert result.metrics["pixels_test_recall_1"] == np.mean(pixels["first_match"] == 1)
    with pytest.raises(UsageError, match="16 numbers that are no classes"):
        model.classify(images.read("test", 0))


def test_the_network_that_is_described_has_no_proxies():
    architecture = TINY.decode(TINY.middle(TINY.operators_set_to("conv")))
    task = runner()
    trained, deployed = task.network(architecture), task.deployed(architecture)
    extra = trained.state_dict().keys() - deployed.state_dict().keys()
    assert extra == {"proxies.weight"}
    images = torch.randn(2, 1, 8, 8)
    initialise(trained, 0).eval()
    initialise(deployed, 0).eval()
    assert torch.equal(trained(images)[:2], deployed(images))
