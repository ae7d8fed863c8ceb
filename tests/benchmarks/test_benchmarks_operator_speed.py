"""What the page of benchmarks says first, by hand from cases of known times."""

import re

from trionet_bench.benchmarks.everything import BENCHES
from trionet_bench.benchmarks.measure import Row
from trionet_bench.benchmarks.operator_speed import operator_speed
from trionet_bench.benchmarks.page import page
from trionet_bench.reporting.text import DASH


def case(operator: str, size: int, ours: float, conv: float, reference: str = "it", **facts: object) -> Row:
    return {
        **{"operator": operator, "size": size, "channels": 64, "batch": 8, "window": None, "terms": None},
        **{"dtype": "float32", "reference": reference, "median_ms": ours, "ratio_to_conv3": ours / conv},
        **facts,
        "case": f"{operator} {facts} {size}",
    }


CASES = [
    case("local", 56, 3.0, 2.0, "unfold", window=7, terms="plain"),
    case("local", 56, 3.0, 2.0, "shifts", window=7, terms="plain"),
    case("axial", 56, 8.0, 2.0),
    case("axial", 28, 2.0, 4.0),
    case("conv", 28, 4.0, 4.0),
]


def test_each_operator_over_the_convolution_by_hand():
    speed = operator_speed({"cases": CASES})
    assert speed is not None
    assert speed.columns == ("Feature map", "conv 3x3 (ms)", "local 7x7", "axial")
    assert speed.rows == (
        ("64x56x56, batch 8", "2", "1.50", "4.00"),
        ("64x28x28, batch 8", "4", DASH, "0.50"),
    )
    assert speed.answer == (
        "Forward and backward in float32 take 1.5 (local 7x7) and 0.5 to 4 (axial) of the time of a 3x3 convolution of "
        "the same width, by the size of the feature map."
    )


def test_without_other_operators_there_is_nothing_to_say():
    assert operator_speed({"cases": CASES[-1:]}) is None
    assert operator_speed({"cases": []}) is None


def test_what_the_style_hides_is_not_on_the_page():
    benches = {"operators": {"cases": CASES, "targets": []}}
    text = page({"command": "bench all", "code": {"commit": None}, "benches": benches}, BENCHES)
    style, body = text.split("</style>")
    hidden = set(re.findall(r"\.([\w-]+) \{ display: none; \}", style))
    assert "for-phones" in hidden
    assert not hidden & {name for names in re.findall(r'class="([^"]*)"', body) for name in names.split()}


def test_page_begins_with_it():
    benches = {"operators": {"cases": CASES, "targets": []}}
    text = page({"command": "bench all", "code": {"commit": None}, "benches": benches}, BENCHES)
    assert (
        text.index("0.5 to 4 (axial)") < text.index("How fast is each operator here?</h2>") < text.index("Targets</h2>")
    )
