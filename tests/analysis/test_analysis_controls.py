"""Controls: known placements that a search finds or misses, and what a report may say then."""

import pytest
from support.found import Network, found

from trionet_bench.analysis.controls import Standing, controls_of, is_control
from trionet_bench.reporting.answer import answer
from trionet_bench.reporting.tables.controls import known_placements

MATCH = {"match": "synthetic:match?n=2500&size=24"}
RIGHT: Network = [["conv"], ["axial"]]
WRONG: Network = [["axial"], ["conv"]]


def test_sets_of_known_placement_are_controls():
    assert is_control("synthetic:match?n=100")
    assert is_control("synthetic:noise")
    assert not is_control("synthetic:texture")
    assert not is_control("folder:match")


@pytest.mark.parametrize(
    ("right", "wrong", "standing"), [(8, 2, "held"), (7, 3, "missed"), (4, 0, "unchecked"), (5, 0, "held")]
)
def test_control_holds_in_four_of_five_networks(right: int, wrong: int, standing: Standing):
    results = found({"match": [RIGHT] * right + [WRONG] * wrong}, sources=MATCH)
    controls = controls_of(results, "m")
    (row,) = controls.outcomes.itertuples()
    assert (row.stage, row.operator, row.found, row.networks) == ("last", "axial", right, right + wrong)
    assert controls.standing == row.standing == standing


def test_network_that_was_drawn_blindly_was_not_found():
    results = found({"match": [RIGHT] * 10}, sources=MATCH, at_chance=(0, 1, 2))
    (row,) = controls_of(results, "m").outcomes.itertuples()
    assert (row.found, row.networks, row.standing) == (7, 10, "missed")


def test_half_of_the_blocks_of_a_stage_are_enough():
    half: Network = [["conv"], ["axial", "conv"]]
    third: Network = [["conv"], ["axial", "conv", "conv"]]
    results = found({"match": [half] * 5 + [third] * 5}, sources=MATCH)
    assert controls_of(results, "m").outcomes.found.tolist() == [5]


def test_study_without_controls_is_unchecked():
    assert controls_of(found({"photos": [RIGHT] * 10}), "m").standing == "unchecked"


@pytest.mark.parametrize(
    ("networks", "sources", "said"),
    [
        ({"photos": [RIGHT] * 10}, {}, "Nothing is claimed of where operators belong: this study has no data set"),
        (
            {"photos": [RIGHT] * 10, "match": [WRONG] * 10},
            MATCH,
            "where that is known, m found axial in the last stage in 0 of 10 networks on match",
        ),
        (
            {"photos": [[["local"], ["conv"]]] * 10, "match": [RIGHT] * 10},
            MATCH,
            "in the 10 networks that it found elsewhere, more often than blind draws would put it there stands conv in "
            "stage 2 (p 0.0012) and local in stage 1 (p 0.0012)",
        ),
        ({"match": [RIGHT] * 10}, MATCH, "The searches of m find the placements that are known of the controls."),
    ],
)
def test_report_claims_a_placement_only_where_the_controls_hold(
    networks: dict[str, list[Network]], sources: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
):
    for other in ("recommendation", "recommendations_by_dataset", "_resolution", "_conduct"):  # need accuracies
        monkeypatch.setattr(f"trionet_bench.reporting.answer.{other}", lambda results: "")
    text = " ".join(answer(found(networks, sources=sources)))
    assert said in text, text


def test_table_names_what_is_known_and_who_has_it():
    table = known_placements(found({"match": [RIGHT] * 8 + [WRONG] * 2, "photos": [WRONG]}, sources=MATCH))
    assert table is not None
    (row,) = table.text.to_dict("records")
    assert (row["Known"], row["Networks that have it"], row["Control"]) == (
        "axial in the last stage",
        "8 of 10",
        "holds",
    )
    assert known_placements(found({"photos": [WRONG]})) is None


def test_placement_found_in_noise_withdraws_all_claims():
    sources = MATCH | {"noise": "synthetic:noise"}
    blind: list[Network] = [
        [[one], [other]] for one in ("conv", "local", "axial") for other in ("conv", "local", "axial")
    ]
    right = found({"match": [RIGHT] * 9, "noise": blind}, sources=sources)
    assert controls_of(right, "m").standing == "held"
    claimed = found({"match": [RIGHT] * 9, "noise": [RIGHT] * 9}, sources=sources)
    assert controls_of(claimed, "m").standing == "missed"
