"""Studies that ``compare`` writes stand side by side, and none is replaced."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from PIL import Image

from trionet_bench.cli.main import main
from trionet_bench.errors import UsageError
from trionet_bench.suite.autosuite import CompareOptions, Proposal, propose
from trionet_bench.suite.studies import without_collision


def photos(root: Path, seed: int) -> Path:
    generator = np.random.default_rng(seed)
    for part, count in (("train", 12), ("test", 4)):
        for name in ("dark", "light"):
            folder = root / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return root


def proposed(data: Path, folder: Path, named: bool = False, **options: object) -> Proposal:
    proposal = propose(str(data), CompareOptions(**{"models": ("conv",), **options}), folder)
    return without_collision(proposal, folder, named)


def written(data: Path, folder: Path, **options: object) -> str:
    proposal = proposed(data, folder, **options)
    (folder / f"{proposal.name}.yaml").write_text(proposal.text)
    return proposal.name


def test_two_data_sets_of_one_folder_name_are_two_studies(tmp_path: Path):
    one, other = (written(photos(tmp_path / place / "photos", seed), tmp_path) for seed, place in enumerate("ab"))
    assert one.startswith("compare-photos-")
    assert one[: len("compare-photos-")] == other[: len("compare-photos-")]
    assert one != other
    assert one == written(photos(tmp_path / "c" / "photos", 0), tmp_path)  # the same images elsewhere


def test_a_study_is_extended_but_not_replaced(tmp_path: Path):
    data = photos(tmp_path / "photos", 0)
    first = written(data, tmp_path, seeds=2)
    assert written(data, tmp_path, seeds=3) == first
    assert written(data, tmp_path, seeds=3, models=("conv", "local")) == first
    assert written(data, tmp_path, seeds=3) == f"{first}-2"  # one model less
    assert written(data, tmp_path, seeds=3, models=("conv", "local"), epochs=7) == f"{first}-3"
    assert written(data, tmp_path, seeds=4, models=("conv", "local")) == first
    assert yaml.safe_load((tmp_path / f"{first}-3.yaml").read_text())["name"] == f"{first}-3"


def test_a_name_that_a_person_gave_is_kept_or_refused(tmp_path: Path):
    data = photos(tmp_path / "photos", 0)
    assert written(data, tmp_path, name="mine", named=True) == "mine"
    with pytest.raises(UsageError, match=r"mine\.yaml is the suite of a study with other settings"):
        proposed(data, tmp_path, named=True, name="mine", epochs=7)
    refused = CliRunner().invoke(main, ["compare", str(data), "--name", "a/b", "--dry-run"])
    assert refused.exit_code == 2


def test_a_dry_run_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photos(tmp_path / "photos", 0)
    monkeypatch.chdir(tmp_path)
    arguments = ["compare", "photos", "--models", "conv", "--seeds", "1", "--device", "cpu", "--dry-run", "--json"]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)["would_run"]) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
