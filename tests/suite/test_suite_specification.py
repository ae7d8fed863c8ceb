"""Suite files: what is read from them, and the message for each mistake."""

from pathlib import Path

import jsonschema
import pytest

from trionet_bench.errors import UsageError
from trionet_bench.suite.schema import suite_schema
from trionet_bench.suite.specification import load_suite, shipped_suites
from trionet_bench.suite.yaml12 import read_yaml
from trionet_bench.training.recipe import QUICK

TEXT = """\
schema: 1
name: birds
datasets:
  digits: {source: "sklearn:digits"}
  birds: {source: "folder:pictures", val: 0.2, skip_broken: no}
space: resnet-nano
recipe: quick
budgets: [4M, 1.8G, 5000000]
models:
  one: {system: standalone, operator: conv}
  two:
    system: trionet
    recipe: {epochs: 7}
    space: {windows: [3]}
    sandwich: false
seeds: [0, 1]
comparisons:
  - {baseline: one, candidates: [two], margin: 1}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "birds.yaml"
    path.write_text(text)
    return path


def test_a_suite_with_everything(tmp_path: Path):
    suite = load_suite(write(tmp_path, TEXT))
    assert suite.budgets == (4_000_000, 1_800_000_000, 5_000_000)
    assert suite.models["one"].options.model_dump()["operator"] == "conv"
    assert suite.models["two"].options.model_dump()["sandwich"] is False
    assert suite.datasets["birds"].skip_broken is False
    assert suite.bases["birds"] == tmp_path
    assert suite.comparisons[0].metric == "test_top1"


def test_a_model_changes_the_recipe_and_space_of_its_suite(tmp_path: Path):
    models = load_suite(write(tmp_path, TEXT)).models
    assert (models["one"].recipe.epochs, models["two"].recipe.epochs) == (QUICK.epochs, 7)
    assert models["one"].recipe.batch == models["two"].recipe.batch
    assert [model.space.to_dict()["windows"] for model in models.values()] == [[3, 5, 7], [3]]


def test_a_data_set_changes_the_recipe_and_a_model_comes_after_it(tmp_path: Path):
    text = TEXT.replace("skip_broken: no", "recipe: {epochs: 40, batch: 8}")
    models = load_suite(write(tmp_path, text)).models
    trained = {
        (name, dataset): (models[name].on(dataset).recipe.epochs, models[name].on(dataset).recipe.batch)
        for name in ("one", "two")
        for dataset in ("digits", "birds")
    }
    assert trained == {
        ("one", "digits"): (QUICK.epochs, QUICK.batch),
        ("one", "birds"): (40, 8),
        ("two", "digits"): (7, QUICK.batch),
        ("two", "birds"): (7, 8),
    }


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("seeds: [0, 1]", "sedes: [0, 1]", 16, 'unknown key "sedes" in the suite; did you mean "seeds"?'),
        ("val: 0.2", "vall: 0.2", 5, 'unknown key "vall" in data set "birds"; did you mean "val"?'),
        ("sandwich", "sandwhich", 15, 'unknown key "sandwhich" in model "two"; did you mean "sandwich"?'),
        ("epochs: 7", "epoch: 7", 13, 'unknown key "epoch" in recipe; did you mean "epochs"?'),
        ("windows: [3]", "window: [3]", 14, 'unknown dimension "window" of a resnet space; did you mean "windows"?'),
        ("margin: 1", "margn: 1", 18, 'unknown key "margn" in comparison 1; did you mean "margin"?'),
        ("name: birds", "name: birds\nname: geese", 3, 'the key "name" is already on line 2; remove one of the two.'),
        ("  two:", "  one:", 11, 'the key "one" is already on line 10; remove one of the two.'),
        ("  two:", "  2:", 11, "the key 2 is not text; put it in quotes."),
        ("  two:", "  <<:", 11, "merge keys (<<) are not part of YAML 1.2; write the values out."),
        ("system: trionet", "system: trionets", 12, 'model "two": unknown system "trionets"; did you mean "trionet"?'),
        ("{system: standalone, ", "{", 10, 'model "one" has no "system"'),
        ("skip_broken: no", "recipe: {epoch: 7}", 5, 'unknown key "epoch" in recipe; did you mean "epochs"?'),
        ("recipe: quick", "recipe: quik", 7, 'unknown recipe "quik"; did you mean "quick"?'),
        ("space: resnet-nano", "space: resnet-nana", 6, 'unknown space "resnet-nana"; did you mean "resnet-nano"?'),
        ("space: resnet-nano", "space: [3]", 6, "space"),
        ("4M,", "4Q,", 8, '"4Q" is not a budget; write MACs as 4M, 1.8G or 4000000.'),
        ("5000000", "4000000", 8, "budgets: 4000000 is listed twice."),
        ("seeds: [0, 1]", "seeds: [0, one]", 16, "seeds.1: input should be a valid integer, not 'one'."),
        ("seeds: [0, 1]", "seeds: [0, 0]", 16, "seeds: 0 is listed twice."),
        ("seeds: [0, 1]", "seeds: []", 16, "seeds: "),
        ("seeds: [0, 1]\n", "", 1, 'the suite has no "seeds"; add it.'),
        ("candidates: [two]", "candidates: [tow]", 18, 'model "tow", which is not in the suite; did you mean "two"?'),
        ("candidates: [two]", "candidates: [two], metric: test_top_1", 18, 'measures; did you mean "test_top1"?'),
        ("candidates: [two]", "candidates: [one]", 18, 'compares "one" with itself'),
        ("sandwich: false", "sandwich: maybe", 15, "models.two.sandwich: input should be a valid boolean"),
        ("  birds:", "  phases:", 5, 'nothing can be called "phases"'),
        ("  one:", "  phases:", 10, 'nothing can be called "phases"'),
        ("name: birds", "name: phases", 2, 'nothing can be called "phases"'),
        ("  birds:", "  a/b:", 5, '"a/b" cannot be a name'),
        ("schema: 1", "schema: 2", 1, "schema: input should be 1, not 2."),
        ("seeds: [0, 1]", "seeds: [0, 1", 17, "not valid YAML"),
        ("sandwich: false", "sandwich: !!python/none x", 15, "the tag"),
    ],
)  # fmt: skip
def test_messages_name_file_and_line(tmp_path: Path, old: str, new: str, line: int, message: str):
    assert old in TEXT
    path = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_suite(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 0.001), ("no", "no"), ("010", 10), ("1:30", "1:30"), ("2026-01-01", "2026-01-01"), ("true", True),
     ("~", None), ("'1'", "1"), (".5", 0.5), ("-2", -2), ("1e5", 100000.0), ("1.", 1.0), ("", None), ("e5", "e5")],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object):
    read = read_yaml(Path("x.yaml"), f"key: {text}").value["key"]
    assert (read, type(read)) == (value, type(value))


def test_an_alias_within_itself_is_refused():
    with pytest.raises(UsageError, match="alias"):
        read_yaml(Path("x.yaml"), "a: &x [*x]")


def test_a_suite_can_extend_another(tmp_path: Path):
    (tmp_path / "base").mkdir()
    write(tmp_path / "base", TEXT)
    path = tmp_path / "longer.yaml"
    path.write_text("extends: base/birds.yaml\nname: longer\nseeds: [5]\nmodels:\n  three: {system: trionet}\n")
    suite = load_suite(path)
    assert (suite.name, suite.seeds, list(suite.models)) == ("longer", (5,), ["one", "two", "three"])
    assert suite.bases["birds"] == tmp_path / "base"
    path.write_text("extends: base/birds.yaml\nname: longer\nmodels:\n  one: {system: trionet, sandwhich: false}\n")
    with pytest.raises(UsageError, match=r"longer.yaml:4: unknown key"):
        load_suite(path)
    write(tmp_path / "base", TEXT.replace("val: 0.2", "vall: 0.2"))
    path.write_text("extends: base/birds.yaml\nname: longer\n")
    with pytest.raises(UsageError, match=r"base/birds.yaml:5: unknown key"):
        load_suite(path)
    path.write_text("extends: base/birds.yaml\n")
    with pytest.raises(UsageError, match='needs a "name" of its own'):
        load_suite(path)


def test_null_removes_what_the_extended_suite_has(tmp_path: Path):
    write(tmp_path, TEXT)
    path = tmp_path / "other.yaml"
    data = "datasets:\n  digits: null\n  more: {source: 'folder:more'}\n"
    path.write_text(f"extends: birds.yaml\nname: other\n{data}")
    assert list(load_suite(path).datasets) == ["birds", "more"]
    path.write_text("extends: birds.yaml\nname: other\ndatasets:\n  digts: null\n")
    with pytest.raises(UsageError, match=r"other.yaml:4: datasets.digts: "):
        load_suite(path)
    path.write_text("extends: birds.yaml\nname: other\nmodels:\n  two: null\n")
    with pytest.raises(UsageError, match='names the model "two", which is not in the suite'):
        load_suite(path)


def test_unknown_and_unreadable_suites(tmp_path: Path):
    with pytest.raises(UsageError, match='no suite "quickstrat"; did you mean "quickstart"'):
        load_suite("quickstrat")
    with pytest.raises(UsageError, match="no suite file"):
        load_suite(tmp_path / "absent.yaml")
    with pytest.raises(UsageError, match="is a folder"):
        load_suite(tmp_path)
    (tmp_path / "b.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_suite(tmp_path / "b.yaml")


def test_schema_has_the_options_of_every_system_and_no_dangling_reference():
    schema = suite_schema()
    systems = {m["title"]: m for m in schema["properties"]["models"]["additionalProperties"]["oneOf"] if "title" in m}
    assert {"standalone", "trionet", "glit", "correlation"} <= set(systems)
    assert systems["trionet"]["properties"]["system"] == {"const": "trionet"}
    assert systems["trionet"]["additionalProperties"] is False
    assert set(references(schema)) <= {f"#/$defs/{name}" for name in schema["$defs"]}


@pytest.mark.parametrize("name", shipped_suites())
def test_shipped_suites_follow_the_schema(name: str):
    schema = suite_schema()
    validator = jsonschema.validators.validator_for(schema)(schema)
    as_written = read_yaml(shipped_suites()[name]).value
    for value in (as_written, load_suite(name).document.value):
        assert [error.message for error in validator.iter_errors(value)] == []


def test_the_schema_refuses_what_the_reader_refuses():
    document = load_suite("quickstart").document.value
    model = {"system": "trionet", "sandwhich": False}
    for wrong in ({"sedes": [0]}, {"models": {"a": model}}, {"budgets": []}, {"schema": 2}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(document | wrong, suite_schema())
    for wrong in ({"schema": 1, "name": "lacks-the-rest"}, {"extends": "quickstart"}):
        with pytest.raises(jsonschema.ValidationError, match="is a required property"):
            jsonschema.validate(wrong, suite_schema())


def references(value: object) -> list[str]:
    if isinstance(value, dict):
        here = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return here + [r for item in value.values() for r in references(item)]
    return [r for item in value for r in references(item)] if isinstance(value, list) else []
