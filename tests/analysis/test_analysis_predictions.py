from pathlib import Path

import numpy as np
import pytest
from fabricated import fabricate
from scipy import stats

from trionet_bench.analysis.predictions import class_accuracy, confusion, headline_pair, paired_images, won_images
from trionet_bench.analysis.results import Results, load
from trionet_bench.errors import StoreError

LABELS = np.array([0, 0, 1, 1, 2, 2])
ANSWERS = {  # two seeds each
    "conv": [[0, 0, 1, 1, 2, 0], [0, 1, 1, 1, 2, 0]],
    "local": [[0, 1, 1, 1, 2, 1], [0, 1, 1, 1, 2, 1]],
    "axial": [[1, 1, 1, 0, 1, 2], [1, 1, 1, 0, 1, 2]],
}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    folder = fabricate(
        tmp_path,
        models=tuple(ANSWERS),
        datasets=("digits",),
        budgets=(4_000_000,),
        seeds=(0, 1),
        images=6,
        side_files=False,
    )
    for model, seeds in ANSWERS.items():
        for seed, answers in enumerate(seeds):
            place = folder / "digits" / model / f"4M-s{seed}" / "predictions.npz"
            np.savez(place, labels=LABELS, predictions=np.array(answers))
    return load([folder])


def test_class_accuracy_by_hand(results: Results):
    table = class_accuracy(results, ("conv",)).set_index(["seed", "class_index"]).accuracy
    assert table.to_dict() == {(0, 0): 1, (0, 1): 1, (0, 2): 0.5, (1, 0): 0.5, (1, 1): 1, (1, 2): 0.5}


def test_confusion_sums_seeds_and_normalises_rows(results: Results):
    matrix, seeds = confusion(results, "digits", "conv") or pytest.fail("no predictions")
    assert seeds == 2
    np.testing.assert_allclose(matrix.to_numpy(), [[0.75, 0.25, 0], [0, 1, 0], [0.5, 0, 0.5]])
    assert list(matrix.index) == ["ant", "bee", "crab & <prawn>"]


def test_images_won_by_one_operator_alone(results: Results):
    # image 5: axial right twice, conv and local never. Image 0: conv and local both right, so nobody's.
    table = won_images(results, "digits", ["conv", "local", "axial"])
    assert table[["winner", "image", "label", "rivals"]].to_numpy().tolist() == [["axial", 5, 2, 1.0]]
    assert table.wrong.tolist() == [0]  # conv says 0 twice, local says 1 twice; the lower of equals


def test_mcnemar_of_every_declared_pair_and_seed(results: Results):
    table = paired_images(results).set_index(["candidate", "seed"])
    assert table.index.tolist() == [("local", 0), ("local", 1), ("axial", 0), ("axial", 1)]
    row = table.loc[("axial", 0)]  # conv right on 0, 1, 3, 4 where axial is wrong; axial right on 5
    assert (row.images, row.only_baseline, row.only_candidate) == (6, 4, 1)
    assert row.p == pytest.approx(stats.binomtest(1, 5).pvalue)


def test_headline_pair_prefers_a_searched_candidate(made_up: Path, results: Results):
    assert headline_pair(load([made_up])) == ("conv", "trionet")
    assert headline_pair(results) == ("conv", "local")


def test_a_torn_file_of_predictions_is_named(results: Results):
    place = results.cells.folder.iloc[0] / "predictions.npz"
    place.write_bytes(place.read_bytes()[:50])
    with pytest.raises(StoreError, match="is not a file of predictions"):
        class_accuracy(results, tuple(ANSWERS))
