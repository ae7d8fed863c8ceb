"""Whatever stands in a suite file, an architecture file or a URI, it is taken or refused by its place.

Only errors of the project come of it, of the kind that the command line ends with 2 or 4. Longer, on new examples each
time: ``pytest tests/properties tests/data/test_data_any.py --hypothesis-profile long``.
"""

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from support.cards import CARD
from support.mutations import changed, damaged

from trionet_bench.data.sources.opening import open_source
from trionet_bench.data.sources.uri import as_uri
from trionet_bench.errors import BenchError, DataError, UsageError
from trionet_bench.records.layout import parse_budget
from trionet_bench.spaces.card import read_card
from trionet_bench.suite.specification import load_suite

SUITE: dict[str, Any] = {
    "schema": 1,
    "name": "any",
    "title": "Anything",
    "fidelity": "smoke",
    "datasets": {"digits": {"source": "sklearn:digits", "resolution": 8, "train_images": 100}},
    "space": {"base": "resnet-nano", "stages": [{"depths": [1, 2], "widths": [16], "stride": 2}]},
    "recipe": {"base": "quick", "epochs": 2, "optimizer": {"lr": 0.001}, "search": {"population": 8, "parents": 4}},
    "budgets": ["4M", 5_000_000],
    "models": {
        "conv": {"system": "standalone", "operator": "conv"},
        "trionet": {"system": "trionet", "search": "random", "recipe": {"base": "quick", "epochs": 3}},
    },
    "seeds": [0, 1],
    "comparisons": [{"metric": "test_top1", "baseline": "conv", "candidates": ["trionet"], "margin": 1.0}],
}


def outcome(act: Callable[[Path], object], name: str, content: bytes) -> BenchError | None:
    """What ``act`` on a file of that name and content raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            act(path)
        except BenchError as error:
            return error
    return None


def assert_refused_by_name(error: BenchError | None, name: str) -> None:
    """Where something was refused, it was as wrong usage, and the file was named."""
    if error is not None:
        assert isinstance(error, UsageError)
        assert name in str(error)


@given(value=changed(SUITE))
def test_any_value_of_a_suite_is_taken_or_refused(value: Any):
    text = yaml.safe_dump(value, allow_unicode=True, sort_keys=False).encode(errors="surrogatepass")
    assert_refused_by_name(outcome(load_suite_at, "any.yaml", text), "any.yaml")


@given(content=damaged(yaml.safe_dump(SUITE, sort_keys=False).encode()))
@example(content=b"&a [*a]: 1")
@example(content=b"? [a]\n: 1")
@example(content=b"!!python/object/apply:os.system ['true']")
@example(content=b"\xef\xbb\xbfschema: 1")
def test_any_bytes_of_a_suite_are_taken_or_refused(content: bytes):
    assert_refused_by_name(outcome(load_suite_at, "any.yaml", content), "any.yaml")


def load_suite_at(path: Path) -> None:
    load_suite(path)


@given(value=changed(CARD))
def test_any_value_of_an_architecture_file_is_taken_or_refused(value: Any):
    error = outcome(read_card, "any.json", json.dumps(value).encode())
    assert error is None or isinstance(error, UsageError)


@given(content=damaged(json.dumps(CARD).encode()))
def test_any_bytes_of_an_architecture_file_are_taken_or_refused(content: bytes):
    error = outcome(read_card, "any.json", content)
    assert error is None or isinstance(error, UsageError)


schemes = [
    "folder",
    "csv",
    "npz",
    "hf",
    "imagenet",
    "sklearn",
    "torchvision",
    "synthetic",
    "",
    "other",
    "FOLDER",
    "a b",
]
paths = st.one_of(
    st.sampled_from(
        ["digits", "noise", "texture", "CIFAR10", "CIFAR11", "a/b@v1", "a/b@..", "..", "/", "~", "", "%3F", "a" * 9000]
    ),
    st.text(max_size=20),
)
options = st.lists(
    st.tuples(
        st.sampled_from(["n", "seed", "size", "flip", "range", "root", "test", "image", "config", "x", ""]),
        st.sampled_from(
            ["0", "1", "-1", "9" * 30, "1e999", "0,1", "nan,inf", "none", "", "..", "\u0663", "a=b&c", "8"]
        ),
    ),
    max_size=3,
)


@given(scheme=st.sampled_from(schemes), path=paths, options=options)
@pytest.mark.filterwarnings("ignore")
def test_any_uri_is_opened_or_refused(scheme: str, path: str, options: list[tuple[str, str]]):
    text = f"{scheme}:{path}" + ("?" if options else "") + "&".join(f"{name}={value}" for name, value in options)
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(UsageError, DataError):
            assert min(open_source(text, Path(folder), Path(folder)).counts.values()) > 0
        with contextlib.suppress(UsageError):
            assert ":" in as_uri(text)


@given(text=st.one_of(st.text(max_size=12), st.from_regex(r"[-+]?[0-9.]*([eE][-+]?[0-9]+)?[kMGTP]?", fullmatch=True)))
def test_any_budget_is_read_or_refused(text: str):
    with contextlib.suppress(UsageError):
        assert parse_budget(text) > 0
