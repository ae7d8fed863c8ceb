"""Every operator, those of the package and one from outside, passes the same checks."""

import subprocess
import sys
from collections.abc import Iterator
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest
from support.operators import CHECKS, registered

from trionet_bench.errors import UsageError
from trionet_bench.spaces.operators import HEADS, OPERATORS, OperatorSpec, Option

TOY = "mean"
NAMES = [*OPERATORS.names(), TOY]
CASES = [
    pytest.param(name, check, id=f"{name}-{check.__name__.removeprefix('check_')}")
    for name in NAMES
    for check in CHECKS["resnet" if name == TOY else OPERATORS.get(name).skeleton]
]


def load(path: Path) -> ModuleType:
    """A module from a file outside the package."""
    spec = util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", autouse=True)
def _toy() -> Iterator[None]:
    with registered(load(Path(__file__).parent / "toy_operator.py").SPEC):
        yield


@pytest.mark.parametrize(("name", "check"), CASES)
def test_operator(name, check):
    check(OPERATORS.get(name))


def test_all_registered_operators_are_checked():
    assert OPERATORS.names() == NAMES


def test_declarations_load_no_torch():
    code = """
import sys
from trionet_bench.spaces.operators import OPERATORS, options_of
assert len(options_of(OPERATORS)) > 4
assert not {"torch", "trionet_bench.networks"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def declared(**changes) -> OperatorSpec:
    fields = {"name": "toy", "code": "t", "label": "toy", "skeleton": "resnet", "builder": "nowhere:build"}
    looks = {"colour": "#123456", "hatch": "x", "marker": "v", "line": "-"}
    return OperatorSpec(**(fields | looks | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "conv"}, 'the operator "conv" exists already; choose another name.'),
        ({"code": "c"}, 'operator "toy" cannot be registered beside "conv": the code "c" is taken; choose another let'),
        ({"colour": "#0173B2"}, 'cannot be registered beside "conv": the colour #0173B2 is taken'),
        (
            {"options": {Option("heads", "heads", (1, 2)): 1}},
            'beside "local": its option "heads" is another one; share the declaration',
        ),
        ({"options": {Option("reach", "windows", (3,)): 3}}, 'beside "local": its option "window" is another one'),
    ],
)
def test_operators_that_cannot_stand_beside_another(changes, message):
    before = OPERATORS.names()
    with pytest.raises(UsageError) as caught:
        OPERATORS.register(declared(**changes))
    assert message in str(caught.value)
    assert OPERATORS.names() == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"code": "ab"}, 'operator "toy": its code must be one small letter, not "ab".'),
        ({"code": "1"}, 'not "1"'),
        ({"name": "My Operator"}, 'operator "My Operator" is not a plain name'),
        ({"name": "expand"}, 'operator "expand" is the name of another part of a network'),
        ({"options": {Option("width", "widths", (1,)): 1}}, 'option "width" needs another name or dimension'),
        ({"options": {Option("size", "stages", (1,)): 1}}, 'option "size" needs another name or dimension'),
    ],
)
def test_declarations_that_cannot_be(changes, message):
    with pytest.raises(UsageError) as caught:
        declared(**changes)
    assert message in str(caught.value)


def test_options_are_shared_by_their_declaration():
    with registered(declared(options={HEADS: 4})):
        assert OPERATORS.get("toy").options == {HEADS: 4}
    assert "toy" not in OPERATORS
