"""The guide to adding an operator works as it is written."""

import json
import re
from collections.abc import Iterator
from importlib import util
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from fabricated import fabricate
from support.operators import CHECKS

from trionet_bench.analysis.results import load
from trionet_bench.cli.main import main
from trionet_bench.networks.skeletons import build_network
from trionet_bench.reporting.style import looks, operator_colour
from trionet_bench.reporting.tables.architectures import searched_architectures
from trionet_bench.spaces.operators import OPERATORS, OperatorSpec
from trionet_bench.spaces.presets import RESNET_NANO, resolve_space
from trionet_bench.suite.schema import suite_schema
from trionet_bench.suite.specification import Suite, load_suite

GUIDE = Path(__file__).parents[2] / "docs" / "adding-operator.md"


def block_of(language: str) -> str:
    """The first code block of a language in the guide."""
    found = re.search(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(), re.S | re.M)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OperatorSpec]:
    """The operator of the guide, registered by its own file outside the package."""
    path = tmp_path_factory.mktemp("guide") / "dilated.py"
    path.write_text(block_of("python"))
    found = util.spec_from_file_location("dilated", path)
    assert found is not None and found.loader is not None
    found.loader.exec_module(util.module_from_spec(found))
    yield OPERATORS.get("dilated")
    OPERATORS.unregister("dilated")


@pytest.fixture
def suite(spec: OperatorSpec, tmp_path: Path) -> Suite:
    path = tmp_path / "dilated.yaml"
    path.write_text(block_of("yaml"))
    return load_suite(path)


@pytest.mark.parametrize("check", CHECKS["resnet"])
def test_its_operator_passes_the_checks(spec, check):
    check(spec)


def test_its_space_appends_a_gene_to_those_that_all_spaces_have(suite: Suite):
    space = suite.models["trionet"].space
    genes = [choice.field for choice in space.choices if (choice.stage, choice.block) == (0, 0)]
    assert genes == ["operator", "expansion", "kernel", "window", "heads", "qk", "v", "dilation"]
    assert space.to_dict()["dilations"] == [1, 2, 4]
    assert resolve_space(json.loads(json.dumps(space.to_dict()))) == space
    assert "dilations" not in space.with_dimensions(operators=["conv"]).to_dict()
    assert space.codes(space.extreme(space.operators_set_to("dilated"), biggest=False)) == "hhh"


def test_spaces_without_it_are_as_before(spec):
    names = {choice.field for choice in RESNET_NANO.choices}
    assert "dilation" not in names
    assert not {"dilations", "dilation"} & set(RESNET_NANO.to_dict())


def test_its_models_are_planned(suite: Suite, tmp_path: Path):
    options = suite.models["dilated"].options.model_dump()
    assert options == {
        "operator": "dilated", "local_terms": None, "choose": (),
        "kernel": None, "window": None, "heads": None, "qk": None, "v": None, "dilation": 4,
    }  # fmt: skip
    assert "dilation" not in suite.models["conv"].options.model_dump()
    done = CliRunner().invoke(main, ["status", str(suite.document.path), "--results", str(tmp_path), "--json"])
    assert done.exit_code == 0, done.output
    cells = json.loads(done.stdout)["cells"]
    assert {cell["model"] for cell in cells} == {"conv", "dilated", "trionet"}


def test_its_mixed_networks_are_built(suite: Suite):
    space = suite.models["trionet"].space
    genes = [*space.extreme(space.operators_set_to("conv"), biggest=True)]
    genes[space.operator_positions[1]] = space.operators.index("dilated")
    network = space.decode(tuple(genes))
    with torch.device("meta"):
        built = build_network(network, 10, 1, 16)
    assert [entry["operator"] for entry in built.placement(16)].count("dilated") == 1


def test_a_suite_s_schema_has_its_option(spec):
    models = suite_schema()["properties"]["models"]["additionalProperties"]["oneOf"]
    standalone = next(model for model in models if model["title"] == "standalone")
    assert standalone["properties"]["dilation"]["anyOf"][0] == {"type": "integer"}
    assert "dilated" in standalone["properties"]["operator"]["anyOf"][0]["enum"]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{system: standalone, operator: conv, dilation: 2}", "conv networks have no dilation"),
        ("{system: standalone, operator: dilated, window: 3}", "dilated networks have no window"),
        ("{system: standalone, operator: dilated, dilaton: 2}", 'unknown key "dilaton"'),
        ("{system: standalone, operator: dilatd}", 'unknown operator "dilatd"; did you mean "dilated"?'),
    ],
)
def test_mistakes_in_its_models_are_told(spec, tmp_path: Path, model: str, message: str):
    path = tmp_path / "wrong.yaml"
    path.write_text(block_of("yaml").replace("{system: standalone, operator: dilated, dilation: 4}", model))
    done = CliRunner().invoke(main, ["suite", "validate", str(path)])
    assert done.exit_code == 2
    assert message in done.output


def test_reports_draw_it_as_it_says(spec):
    assert operator_colour("dilated") == spec.colour
    assert looks(["conv", "dilated"])["dilated"].marker == spec.marker


def test_reports_write_its_options(spec, tmp_path: Path):
    folder = fabricate(tmp_path, datasets=("digits",), budgets=(4_000_000,), seeds=(0,), side_files=False)
    path = next(folder.glob("digits/trionet/*/record.json"))
    record = json.loads(path.read_text())
    record["placement"][0] |= {"operator": "dilated", "kernel": 3, "window": None, "heads": None, "expansion": 0.25}
    record["placement"][0]["options"] = {"dilation": 2}
    path.write_text(json.dumps(record))
    table = searched_architectures(load([folder]))
    assert table is not None
    assert table.text.Blocks[table.text.Model == "trionet"].item().startswith("Hk3d2/4 ")
    assert "A axial attention, H dilated convolution, others by name" in table.note
    assert ", d dilation, and after the stroke" in table.note
    assert table.data.dilation.dropna().tolist() == [2.0]
