import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What groups of 1, 2 and 3 processes left."""
    folder = tmp_path_factory.mktemp("processes")
    command = [sys.executable, str(Path(__file__).with_name("share_of_work.py")), str(folder)]
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def found(folder):
    """What each process found: by number of processes, then in the order of ranks."""
    return {
        world: [json.loads((folder / str(world) / f"{rank}.json").read_text()) for rank in range(world)]
        for world in (1, 2, 3)
    }


def test_processes_know_how_many_they_are(found):
    assert {world: [one["world"] for one in ranks] for world, ranks in found.items()} == {
        1: [1],
        2: [2] * 2,
        3: [3] * 3,
    }


@pytest.mark.parametrize("world", [2, 3])
def test_averaged_gradient_is_that_of_the_joint_batch(found, world):
    # 7 images: shares of 4 and 3, or of 3, 2 and 2
    for one in found[world]:
        assert one["gradient"] == pytest.approx(found[1][0]["gradient"], abs=1e-12)


def test_parameters_that_no_rank_used_keep_no_gradient(found):
    assert [one["unused"] for one in found[2]] == [["branches.1.weight", "branches.1.bias"]] * 2


@pytest.mark.parametrize("world", [2, 3])
def test_training_gives_the_same_weights_and_losses_on_any_number_of_processes(found, world):
    for one in found[world]:
        assert one["weights"] == pytest.approx(found[1][0]["weights"], abs=1e-6)
        assert one["loss"] == pytest.approx(found[1][0]["loss"], abs=1e-6)


def test_ranks_end_with_the_same_weights_and_statistics(found):
    for name in ("weights", "mean", "raw_mean"):
        assert found[3][0][name] == found[3][1][name] == found[3][2][name]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_a_run_interrupted_within_an_epoch_goes_on_there_on_as_many_processes(found, world):
    for one in found[world]:
        assert one["resumed"] == [[4], one["weights"], one["mean"]]


@pytest.mark.parametrize("world", [2, 3])
def test_a_checkpoint_within_an_epoch_moves_to_more_processes(found, world):
    for one in found[world]:
        steps, weights, _ = one["resumed_from_fewer"]
        assert steps == [4]
        assert weights == pytest.approx(one["weights"], abs=1e-6)


def test_history_is_written_once(found, folder):
    assert [len((folder / str(world) / "history.jsonl").read_text().splitlines()) for world in (1, 2, 3)] == [2, 2, 2]


def test_361_images_are_evaluated_once_each_on_any_number_of_processes(found):
    everywhere = [one["evaluation"] for ranks in found.values() for one in ranks]
    assert everywhere[0][0] == 361
    assert everywhere == [everywhere[0]] * 6


def test_ranks_that_trained_different_children_stop(found):
    expected = "4 parameters, branches.0.weight first, have a gradient on some processes only"
    assert found[1][0]["disagreement"] is None
    assert [one["disagreement"][: len(expected)] for one in found[2]] == [expected] * 2


def test_all_ranks_stop_when_the_loss_of_one_is_not_finite(found):
    for ranks in found.values():
        assert [one["loss_of_one"][:50] for one in ranks] == [
            "training diverged: the loss became nan at step 1 ("
        ] * len(ranks)
