"""Stated machines: how they are written, and what an estimate on one counts."""

import pytest
from support.system_cases import SYSTEM_CASES
from support.tiny import cell

from trionet_bench.errors import UsageError
from trionet_bench.execution.devices import DEVICES, parse_machine
from trionet_bench.execution.pace import stated_pace


@pytest.mark.parametrize(
    ("text", "count", "name"), [("8x H100", 8, "H100"), ("a100", 1, "A100"), (" 16 X h100", 16, "H100")]
)
def test_machines_are_read(text: str, count: int, name: str):
    machine = parse_machine(text)
    assert (machine.count, machine.device.name, machine.text) == (count, name, f"{count}x {name}")


def test_an_unknown_machine_names_the_nearest():
    with pytest.raises(UsageError, match=r'--as 8x H10: .*did you mean "H100"'):
        parse_machine("8x H10")


def test_the_pace_of_a_stated_device_by_hand():
    rate = DEVICES["a100"].macs_per_s
    pace = stated_pace(cell("standalone", operator="conv"), rate)
    assert pace.forward == 1 / rate
    assert pace.training == 3 / rate  # a backward pass computes twice the MACs of a forward one
    assert 0 < pace.parameters < 1


def test_spaces_whose_stages_differ_in_operators_have_a_pace():
    of = SYSTEM_CASES["fab"][0]
    (stage, later) = of.space.to_dict()["stages"]
    assert stage != later
    assert stated_pace(of, 1e9).parameters > 0
