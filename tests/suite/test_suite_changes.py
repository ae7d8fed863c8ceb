"""A suite changed by options: what they do to it, what it is then called, and the messages for mistakes."""

from pathlib import Path

import pytest

from trionet_bench.errors import UsageError
from trionet_bench.suite.autosuite import Proposal
from trionet_bench.suite.changes import Changes, as_settings, load_changed
from trionet_bench.suite.specification import load_suite

TEXT = """\
schema: 1
name: birds
datasets:
  digits: {source: "sklearn:digits"}
  far.away: {source: "folder:pictures", recipe: {epochs: 30, supernet: {epochs: 60}}}
space: resnet-nano
recipe: {base: quick, batch: 32}          # 15 epochs, warm-up 1, fine-tuning 3, supernet 15
budgets: [4M]
models:
  one: {system: standalone, operator: conv, recipe: {optimizer: {lr: 0.5}}}
  two: {system: trionet, recipe: {epochs: 5}}
seeds: [0, 4]
"""


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    path = tmp_path / "birds.yaml"
    path.write_text(TEXT)
    return path


def test_settings_reach_into_what_is_a_name_a_mapping_or_not_there(birds: Path):
    settings = ("recipe.optimizer.lr=1e-3", "space.windows=[3]", "datasets.far.away.val=0.2", "models.one.heads=null")
    suite = load_changed(birds, Changes(settings=settings))
    assert suite.models["two"].recipe.optimizer.lr == 1e-3
    assert suite.models["one"].recipe.optimizer.lr == 0.5  # a model's own change comes after the suite's
    assert suite.models["two"].recipe.batch == 32
    assert suite.models["two"].space.to_dict()["windows"] == [3]
    assert suite.datasets["far.away"].val == 0.2


def test_epochs_are_those_of_every_recipe_and_the_rest_follows_in_proportion(birds: Path):
    models = load_changed(birds, Changes(epochs=6)).models
    lengths = {
        (name, dataset): (recipe.epochs, recipe.supernet.epochs, recipe.warmup_epochs)
        for name, model in models.items()
        for dataset in ("digits", "far.away")
        for recipe in [model.on(dataset).recipe]
    }
    assert lengths == {
        ("one", "digits"): (6, 6, pytest.approx(0.4)),  # 6 of 15 epochs
        ("one", "far.away"): (6, 12, pytest.approx(0.2)),  # 6 of 30
        ("two", "digits"): (6, 18, pytest.approx(1.2)),  # 6 of 5
        ("two", "far.away"): (6, 18, pytest.approx(1.2)),
    }


@pytest.mark.parametrize(
    ("changes", "seeds", "name"),
    [
        (Changes(), (0, 4), "birds"),
        (Changes(seeds=4), (0, 4, 5, 6), "birds"),  # the same study, gone on with
        (Changes(seeds=1), (0,), "birds-seeds-1"),
        (Changes(epochs=6), (0, 4), "birds-epochs-6"),
        (Changes(seeds=3, settings=("recipe.optimizer.lr=1e-3",)), (0, 4, 5), "birds-recipe.optimizer.lr-1e-3"),
        (Changes(settings=("space.windows=[3, 5]",)), (0, 4), "birds-space.windows-3-5"),
        (Changes(epochs=6, name="mine"), (0, 4), "mine"),
    ],
)
def test_a_changed_study_has_a_name_of_its_own(birds: Path, changes: Changes, seeds: tuple[int, ...], name: str):
    suite = load_changed(birds, changes)
    assert (suite.seeds, suite.name) == (seeds, name)


def test_long_changes_are_a_digest_in_the_name(birds: Path):
    suite = load_changed(birds, Changes(settings=(f"title={'x' * 200}",)))
    assert suite.name.startswith("birds-")
    assert len(suite.name) == len("birds-") + 8


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("recipe.optimiser.lr=1", 'unknown key "optimiser" in recipe; did you mean "optimizer"?'),
        ("recip=quick", 'unknown key "recip" in the suite; did you mean "recipe"?'),
        ("models.one.windw=3", 'unknown key "windw" in model "one"; did you mean "window"?'),
        ("datasets.digits.vall=0.1", 'unknown key "vall" in data set "digits"; did you mean "val"?'),
        ("budgets.first=3", "budgets is ['4M'], which has nothing below it."),
        ("recipe.batch", "write KEY=VALUE, for example recipe.optimizer.lr=1e-3."),
        ("recipe.batch=[1", "not valid YAML: did not find expected ',' or ']'."),
    ],
)
def test_a_mistake_names_the_option(birds: Path, setting: str, message: str):
    with pytest.raises(UsageError) as error:
        load_changed(birds, Changes(settings=(setting,)))
    assert str(error.value) == f"--set {setting}: {message}"


def test_a_fault_of_the_file_still_names_its_line(birds: Path):
    birds.write_text(TEXT.replace("batch: 32", "bach: 32"))
    with pytest.raises(UsageError, match=r'birds\.yaml:7: unknown key "bach"'):
        load_changed(birds, Changes(epochs=3, settings=("title=x",)))


def test_the_text_that_is_kept_says_all_of_it(birds: Path, tmp_path: Path):
    suite = load_changed(birds, Changes(epochs=6, settings=("recipe.batch=8",)))
    assert suite.document.text.startswith("# birds, changed by --set recipe.batch=8 --epochs 6\n")
    copy = tmp_path / "copy.yaml"
    copy.write_text(suite.document.text)
    again = load_suite(copy)
    assert (again.name, again.models) == (suite.name, suite.models)


def test_a_proposed_suite_is_changed_and_says_so(birds: Path):
    content = {"schema": 1, "name": "p", "datasets": {"d": {"source": "sklearn:digits"}}, "budgets": ["4M"],
               "space": "resnet-nano", "recipe": "quick", "seeds": [0],
               "models": {"one": {"system": "trionet"}}}  # fmt: skip
    proposal = Proposal("p", content, ()).changed(as_settings({"recipe.batch": 8}))
    assert (proposal.name, proposal.content["recipe"]) == ("p", {"base": "quick", "batch": 8})
    assert proposal.reasons == ("recipe.batch=8: as asked",)
    with pytest.raises(UsageError, match=r'--set recipe\.bach=8: unknown key "bach"'):
        Proposal("p", content, ()).changed(("recipe.bach=8",))
