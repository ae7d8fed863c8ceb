"""Files that ask for too much are refused before anything of that size is made: within a second and 200 MB."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.cards import CARD

from trionet_bench.errors import UsageError
from trionet_bench.records.layout import parse_budget
from trionet_bench.spaces.card import read_card
from trionet_bench.suite.specification import load_suite

SUITE: dict[str, Any] = {
    "schema": 1,
    "name": "large",
    "datasets": {"digits": {"source": "sklearn:digits"}},
    "space": "resnet-nano",
    "recipe": "quick",
    "budgets": ["4M"],
    "models": {"conv": {"system": "standalone", "operator": "conv"}},
    "seeds": [0],
}


def _stages(**changes: object) -> dict[str, object]:
    return {"space": {"base": "resnet-nano", "stages": [{"depths": [1], "widths": [16], "stride": 1} | changes]}}


SUITES: dict[str, dict[str, object]] = {
    "depth": _stages(depths=[1, 10**7]),
    "depth beyond 64 bits": _stages(depths=[1, 2**63]),
    "width": _stages(widths=[2**40]),
    "values": _stages(depths=list(range(1, 10_000))),
    "stages": {"space": {"base": "resnet-nano", "stages": [{"depths": [1], "widths": [16], "stride": 1}] * 5000}},
    "blocks": {"space": {"base": "resnet-nano", "stages": [{"depths": [1000], "widths": [16], "stride": 1}] * 30}},
    "space of nothing": {"space": {"base": None}},
    "kind": {"space": {"kind": {}}},
    "name of a space": {"space": {"base": "resnet-nano", "name": "n" * 300}},
    "recipe of nothing": {"recipe": {"base": None}},
    "epochs": {"recipe": {"base": "quick", "epochs": 10**15}},
    "batch": {"recipe": {"base": "quick", "batch": 10**15}},
    "population": {"recipe": {"base": "quick", "search": {"population": 10**12}}},
    "learning rate": {"recipe": {"base": "quick", "optimizer": {"lr": float("inf")}}},
    "resolution": {"datasets": {"digits": {"source": "sklearn:digits", "resolution": 10**9}}},
    "train images": {"datasets": {"digits": {"source": "sklearn:digits", "train_images": 10**40}}},
    "exponent of a budget": {"budgets": ["1e30000000T"]},
    "digits of a budget": {"budgets": ["9" * 5000]},
    "budget": {"budgets": [1e300]},
    "cells": {"seeds": list(range(60_000)), "budgets": ["4M", "5M"]},
    "distribution": {"models": {"glit": {"system": "glit"}}, "space": {"kind": "glit", "distribution": 3}},
    "name": {"name": "n" * 300},
    "system": {"models": {"conv": {"system": ["standalone"]}}},
}
TEXTS = {
    "aliases": "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)),
    "an alias of itself": "a: &a [*a]\n",
    "nesting": "a: " + "[" * 50_000,
    "closed nesting": "a: " + "[" * 900 + "]" * 900,
    "characters": "a: '" + "x" * 2**20 + "'",
    "digits": "a: " + "9" * 5000,
    "digits of a key": "9" * 5000 + ": 1",
}
CARDS: dict[str, Any] = {
    "depth": CARD | {"space": CARD["space"] | {"stages": [{"depths": [1, 2**63], "widths": [16], "stride": 1}]}},
    "classes": CARD | {"classes": 2**63},
    "channels": CARD | {"channels": 2**62},
    "resolution": CARD | {"resolution": 10**12},
    "no number": CARD | {"resolution": "x"},
    "space": CARD | {"space": [1]},
    "architecture": CARD | {"architecture": [1]},
    "operator": CARD | {"architecture": CARD["architecture"] | {"stages": [{"width": 1, "stride": 1, "blocks": [{}]}]}},
    "blocks": CARD | {"architecture": CARD["architecture"] | {"stages": [[]] * 100_000}},
    "list": [1],
}


def _refused_one_by_one(folder: Path) -> None:
    """Prints a line for each input: its name, the seconds that its refusal took, and the error."""
    for path in sorted(folder.iterdir()):
        began = time.process_time()
        try:
            read_card(path) if path.suffix == ".json" else load_suite(path)
            said = "accepted"
        except UsageError as error:
            said = str(error)
        print(json.dumps([path.name, time.process_time() - began, said]))
    print(json.dumps(["", _most_memory(), ""]))


def _most_memory() -> float:
    """Most megabytes that this process had; the system's own account counts what the process that forked it had."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_what_asks_for_too_much_is_refused_within_a_second_and_200_megabytes(tmp_path: Path):
    for name, changes in SUITES.items():
        text = yaml.safe_dump(SUITE | changes, sort_keys=False).replace(".inf", "1.0e999")
        (tmp_path / f"{name}.yaml").write_text(text)
    for name, text in TEXTS.items():
        (tmp_path / f"{name} of a text.yaml").write_text(text)
    for name, card in CARDS.items():
        (tmp_path / f"{name} of a card.json").write_text(json.dumps(card))
    (tmp_path / "nesting of a card.json").write_text('{"space": ' + "[" * 100_000)
    command = [sys.executable, __file__, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120)
    lines = done.stdout.splitlines()
    *refused, (_, megabytes, _) = map(json.loads, lines)
    assert len(refused) == len(SUITES) + len(TEXTS) + len(CARDS) + 1
    assert [name for name, seconds, _ in refused if seconds > 1] == []
    assert [name for name, _, said in refused if said == "accepted"] == []
    assert [name for name, _, said in refused if len(said) > 2000] == []
    assert megabytes < 200


def test_a_large_suite_is_still_one(tmp_path: Path):
    path = tmp_path / "large.yaml"
    path.write_text(yaml.safe_dump(SUITE | {"seeds": list(range(10_000)), "budgets": ["4M", "1e3G", "500000T"]}))
    assert len(load_suite(path).seeds) == 10_000


@pytest.mark.parametrize(("text", "macs"), [("1e6T", 10**18), ("1E3", 1000), ("2.5e0M", 2_500_000)])
def test_budgets_up_to_the_limit(text: str, macs: int):
    assert parse_budget(text) == macs


if __name__ == "__main__":
    _refused_one_by_one(Path(sys.argv[1]))
