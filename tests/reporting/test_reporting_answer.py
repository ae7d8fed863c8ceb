"""The first sentence of a report: who is shown to be better or worse, and what remains open."""

from dataclasses import replace
from pathlib import Path

import pytest
from fabricated import fabricate

from trionet_bench.analysis.comparisons import DECIDED, compare
from trionet_bench.analysis.decision import Decision
from trionet_bench.analysis.results import Results, load
from trionet_bench.reporting import answer as answering
from trionet_bench.reporting import recommendation as recommending

KNOWN = Decision(
    kind="tie",
    budget=4_000_000,
    datasets=("digits", "flowers"),
    taken="conv",
    reason="the fastest",
    margin=float("nan"),
    near=(),
    value=0.9,
    macs=2.9e6,
    latency=0.0008,
    tied=("local",),
    behind=(),
    bound=0.013,
    best="local",
    best_value=0.91,
    p=0.2,
    partly=False,
)
WHERE = "At 4M MACs over 2 data sets together"
COSTS = "0.8 ms an image here, 2.9M MACs"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    place = tmp_path_factory.mktemp("answer")
    return load([fabricate(place, datasets=("digits",), budgets=(4_000_000,), seeds=(0, 1), side_files=False)])


def first(results: Results, monkeypatch: pytest.MonkeyPatch, known: Decision) -> str:
    monkeypatch.setattr(recommending, "decide", lambda _: known)
    return answering.answer(results)[0]


def test_of_equals_none_is_called_worse_and_the_cheapest_is_taken(results: Results, monkeypatch: pytest.MonkeyPatch):
    assert first(results, monkeypatch, KNOWN) == (
        f"{WHERE}, no model is shown to be worse than the best. Take conv (the fastest): {COSTS}, 90.0 %. "
        "Open: local may be as good or better, by at most 1.3 points."
    )


def test_what_is_shown_to_be_worse_stands_apart_from_what_is_open(results: Results, monkeypatch: pytest.MonkeyPatch):
    known = replace(KNOWN, behind=("axial", "random"))
    assert first(results, monkeypatch, known) == (
        f"{WHERE}, 2 of 4 models may be the best; of these take conv (the fastest): {COSTS}, 90.0 %. "
        "Open: local may be as good or better, by at most 1.3 points. Shown to be worse than local: axial and random."
    )


@pytest.mark.parametrize(
    ("near", "why"),
    [
        (("conv", "local"), "the fastest of 2 shown to be within 3.0 points of every other"),
        (("conv",), "the only one shown to be within 3.0 points of every other"),
        ((), "the highest mean, as none is shown to be within 3.0 points of every other"),
    ],
)
def test_a_declared_margin_says_why_a_model_is_taken(
    results: Results, monkeypatch: pytest.MonkeyPatch, near: tuple[str, ...], why: str
):
    known = replace(KNOWN, margin=0.03, near=near)
    assert f"Take conv ({why}): {COSTS}" in first(results, monkeypatch, known)


def test_each_data_set_has_its_own_recommendation(results: Results, monkeypatch: pytest.MonkeyPatch):
    winner = replace(KNOWN, kind="winner", tied=(), behind=("axial", "local"))
    worse = replace(KNOWN, behind=("axial",))
    monkeypatch.setattr(recommending, "decide_by_dataset", lambda _: {"digits": winner, "flowers": worse})
    assert answering.answer(results)[1] == (
        "Each data set by itself: digits: conv, 90.0 % (shown to be better than axial and local); "
        "flowers: conv, 90.0 % (at most 1.3 points behind another; shown to be worse: axial). "
        "Taken is the fastest of those that may be the best."
    )
    monkeypatch.setattr(recommending, "decide_by_dataset", lambda _: {"digits": winner})
    assert not any(line.startswith("Each data set") for line in answering.answer(results))


@pytest.mark.parametrize(
    ("near", "latency", "rule"),
    [
        ([("conv",), ("conv",)], 0.001, "Taken is the fastest that is shown to be within 3.0 points of every other."),
        (
            [("conv",), ()],
            float("nan"),
            "Taken is the cheapest that is shown to be within 3.0 points of every other; where there is none "
            "(flowers), the highest mean.",
        ),
        ([(), ()], 0.001, "Taken is the highest mean, as none is shown to be within 3.0 points of every other."),
    ],
)
def test_the_rule_of_data_sets_by_themselves_stands_once(
    results: Results, monkeypatch: pytest.MonkeyPatch, near: list[tuple[str, ...]], latency: float, rule: str
):
    known = [replace(KNOWN, margin=0.03, near=each, latency=latency) for each in near]
    monkeypatch.setattr(
        recommending, "decide_by_dataset", lambda _: dict(zip(("digits", "flowers"), known, strict=True))
    )
    assert answering.answer(results)[1].endswith(f"behind another). {rule}")


def test_a_winner_is_better_than_all_others(results: Results, monkeypatch: pytest.MonkeyPatch):
    known = replace(KNOWN, kind="winner", tied=(), behind=("axial", "local"))
    said = first(results, monkeypatch, known)
    assert said == (
        f"{WHERE}, take conv: 90.0 %, shown to be better than axial and local, by 1.3 points or more; {COSTS}."
    )
    many = replace(known, behind=tuple(f"model-{i}" for i in range(9)))
    assert "better than each of the other 9 models, by" in first(results, monkeypatch, many)


def test_a_winner_by_less_than_a_tenth_of_a_point_has_no_least_lead(results: Results, monkeypatch: pytest.MonkeyPatch):
    known = replace(KNOWN, kind="winner", tied=(), behind=("axial", "local"), bound=0.0004)
    said = first(results, monkeypatch, known)
    assert said == f"{WHERE}, take conv: 90.0 %, shown to be better than axial and local; {COSTS}."


def test_names_stay_where_they_are_not_all_the_others(results: Results, monkeypatch: pytest.MonkeyPatch):
    behind = tuple(f"m{i}" for i in range(5))
    said = first(results, monkeypatch, replace(KNOWN, behind=behind))
    assert said.endswith("Shown to be worse than local: m0, m1, m2, m3 and m4.")


def test_a_part_of_a_study_carries_a_dagger(results: Results, monkeypatch: pytest.MonkeyPatch):
    said = first(results, monkeypatch, replace(KNOWN, partly=True))
    assert said.endswith("† Not all that the suite asks for is there yet.")


def test_one_seed_and_one_model_recommend_nothing(results: Results, monkeypatch: pytest.MonkeyPatch):
    one = replace(KNOWN, kind="one seed", bound=float("nan"), taken="local")
    assert f"{WHERE}, one seed shows no difference between models" in first(results, monkeypatch, one)
    alone = replace(KNOWN, kind="alone", tied=(), bound=float("nan"))
    assert first(results, monkeypatch, alone) == f"{WHERE}, conv is the only model with results: 90.0 %, {COSTS}."


def test_every_kind_of_sentence_is_made_of_records(tmp_path: Path):
    folder = fabricate(tmp_path, datasets=("digits",), budgets=(4_000_000,), seeds=(0, 1, 2), side_files=False)
    said = answering.answer(load([folder]))[0]
    assert "Open: " in said or "shown to be better than" in said


def test_how_the_declared_comparisons_ended_is_counted(tmp_path: Path):
    sizes = {"budgets": (4_000_000,), "seeds": (0, 1, 2), "side_files": False}
    results = load([fabricate(tmp_path, datasets=("digits", "flowers"), **sizes)])
    verdicts = compare(results).verdict
    ends = verdicts[verdicts.isin(DECIDED)].value_counts()
    said = answering.answer(results)
    assert len(ends) > 1
    for verdict, count in ends.items():
        assert f"{count} “{verdict}”" in said[2]
    assert any(line.startswith("Within a data set the 5 models of 4M MACs differ by ") for line in said)
