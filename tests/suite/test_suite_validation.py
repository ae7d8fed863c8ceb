"""What pydantic finds wrong becomes one sentence, at any depth of a model's options."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from trionet_bench.records.record import Strict
from trionet_bench.suite.validation import Owner, explained
from trionet_bench.suite.yaml12 import read_yaml


class Schedule(Strict):
    depth: int = 1


class Options(Strict):
    rate: float = 0.1
    schedule: Schedule = Schedule()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("schedule: {deph: 2}", 'unknown key "deph" in schedule of model "two"; did you mean "depth"?'),
        ("rat: 2", 'unknown key "rat" in model "two"; did you mean "rate"?'),
        ("schedule: {depth: low}", "schedule.depth: input should be a valid integer"),
    ],
)
def test_a_fault_names_its_line_and_the_nearest_key(written: str, message: str):
    document = read_yaml(Path("x.yaml"), f"models:\n  two:\n    {written}\n")
    with pytest.raises(ValidationError) as caught:
        Options.model_validate(document.value["models"]["two"])
    owner = Owner('model "two"', ("system",), Options)
    text = str(explained(caught.value, document, ("models", "two"), owner.at))
    assert text.startswith("x.yaml:3: ")
    assert message in text
