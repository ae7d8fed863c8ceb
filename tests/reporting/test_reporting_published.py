"""Published numbers: as printed, converted in one place, beside counts of ours."""

from pathlib import Path

import pytest

from trionet_bench.errors import UsageError
from trionet_bench.reporting.references import Printed, Reference, read_references
from trionet_bench.reporting.tables.published import compare, comparison_table
from trionet_bench.reporting.tables.table import to_html, to_latex, to_markdown


@pytest.mark.parametrize(
    ("text", "divisor", "value", "half"),
    [
        ("13.7 M", 1, 13_700_000, 50_000),
        ("4.7 B FLOPS", 2, 2_350_000_000, 25_000_000),  # 4.65 to 4.75 billion, halved
        ("2.8 B M-Adds", 1, 2_800_000_000, 50_000_000),
        ("5 M", 1, 5_000_000, 500_000),
        ("25557032", 1, 25_557_032, 0.5),
    ],
)
def test_what_a_printed_number_says(text: str, divisor: int, value: float, half: float):
    printed = Printed.read(text, divisor)
    assert (printed.value, printed.half_unit) == (value, half)


def test_distance_is_measured_from_what_rounds_to_the_print():
    printed = Printed.read("10.0 M")  # 9.95 to 10.05
    assert printed.distance(9_950_000) == printed.distance(10_050_000) == 0
    assert printed.distance(10_150_000) == pytest.approx(0.01)


REFERENCES = [
    Reference(model="a", source="imagenet:", citation="One", params="10.0 M", cost="4.0 B FLOPS", flops_per_mac=2),
    Reference(model="a", source="imagenet:", citation="Two", params="9.0 M", cause="They count <less>."),
    Reference(model="b", source="imagenet:", citation="Three", params="1 M"),
]


def test_each_count_is_judged_beside_the_printed_one():
    first, second = compare(REFERENCES, {"a": {"params": 10_080_000, "macs": 2_100_000_000}})
    assert first.params is not None
    assert (first.params.ratio, first.params.agreement) == (pytest.approx(1.008), "within tolerance")
    # 2.0 G MACs printed as 4.0 reach to 2.025: 2.1 is 3.75 % away
    assert first.macs is not None
    assert (first.macs.value, first.macs.ratio, first.macs.agreement) == (2e9, pytest.approx(1.05), "differs")
    assert first.agreement == "parameters within 0.5 %, MACs differ"
    assert (second.agrees, second.macs) == (False, None)


def test_table_of_the_comparison():
    rows = compare(
        REFERENCES, {"a": {"params": 10_080_000, "macs": 2_000_000_000}, "b": {"params": 1_200_000, "macs": 1}}
    )
    table = comparison_table(rows)
    assert table.text["In MACs"].tolist() == ["2G", "\N{EN DASH}", "\N{EN DASH}"]
    assert table.text["Cost"].tolist()[0] == "4.0 B FLOPS"
    assert table.text["Ratio"].tolist() == ["1.0080", "1.1200", "1.2000"]
    assert table.text["Agreement"].tolist() == [
        "parameters within 0.5 %, MACs as printed", "parameters differ", "parameters as printed",
    ]  # fmt: skip
    assert table.note.endswith("a: They count <less>.")
    assert "| a " in to_markdown(table, "T")
    assert r"\begin{tabular}" in to_latex(table, "t", "T")
    assert "They count &lt;less&gt;." in to_html(table, "T")


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("{model: a, source: s, citation: c, cost: 4 G}", "belong together"),
        ("{model: a, source: s, citation: c, params: many}", "not a number as a paper prints it"),
        ("{model: a, source: s, citation: c, macs: 4}", "macs"),
    ],
)
def test_a_reference_file_that_is_none_is_refused(entry: str, fault: str, tmp_path: Path):
    path = tmp_path / "published.yaml"
    path.write_text(f"references: [{entry}]")
    with pytest.raises(UsageError, match=fault):
        read_references(path)


def test_every_shipped_difference_has_a_citation():
    references = read_references()
    assert len({(reference.model, reference.citation) for reference in references}) == len(references)
    assert all(reference.params or reference.cost for reference in references)
