from collections.abc import Sequence
from itertools import product

import pytest
import torch

from trionet_bench.networks.sharing import (
    Axis,
    MultiHeadSharing,
    PrefixSharing,
    Sharing,
    centred,
    channels,
    concatenated,
    dims,
    fixed,
    heads,
    terms,
)

PREFIX, MULTI_HEAD = PrefixSharing(), MultiHeadSharing()
BOTH = pytest.mark.parametrize("rule", [PREFIX, MULTI_HEAD], ids=lambda rule: rule.name)


def taken(rule: Sharing, child: Axis, *others: Axis) -> list[int]:
    """The indices that ``child`` uses in the smallest supernet for it and ``others``."""
    return rule.indices(child, rule.merge([*others, child])).tolist()


def test_worked_example():
    # Supernet: 4 heads of 8. Child: 4 heads of 4.
    supernet, child = heads(4, 8), heads(4, 4)
    assert taken(MULTI_HEAD, child, supernet) == [*range(0, 4), *range(8, 12), *range(16, 20), *range(24, 28)]
    assert taken(PREFIX, child, supernet) == [*range(16)]


def test_row_of_the_grid_is_used_iff_its_head_and_dimension_are():
    most_heads, most_dims = 5, 6
    for h, d in product(range(1, most_heads + 1), range(1, most_dims + 1)):
        expected = [n * most_dims + j for n in range(most_heads) for j in range(most_dims) if n < h and j < d]
        assert taken(MULTI_HEAD, heads(h, d), heads(most_heads, most_dims)) == expected


def test_rules_agree_where_heads_have_their_full_size():
    for h in range(1, 6):
        rows = taken(MULTI_HEAD, heads(h, 7), heads(5, 7))
        assert rows == taken(PREFIX, heads(h, 7), heads(5, 7)) == [*range(h * 7)]


def test_each_head_reads_only_its_own_head_of_the_supernet():
    rows = taken(MULTI_HEAD, heads(3, 2), heads(4, 8))
    assert [row // 8 for row in rows] == [0, 0, 1, 1, 2, 2]
    # cut anew under prefix sharing, all three are parts of the supernet's head 0
    assert {row // 8 for row in taken(PREFIX, heads(3, 2), heads(4, 8))} == {0}


def test_grid_holds_the_most_heads_and_the_largest_head():
    # 8 channels as 4 heads of 2 or 2 heads of 4: the grid is 4 x 4, the prefix needs 8
    children = [heads(4, 2), heads(2, 4)]
    assert MULTI_HEAD.merge(children).size == 16
    assert PREFIX.merge(children).size == 8
    assert taken(MULTI_HEAD, heads(4, 2), *children) == [0, 1, 4, 5, 8, 9, 12, 13]
    assert taken(MULTI_HEAD, heads(2, 4), *children) == [*range(8)]


@BOTH
def test_plain_channels_are_shared_from_the_first(rule: Sharing):
    assert taken(rule, channels(3), channels(5)) == [0, 1, 2]
    assert taken(rule, dims(2), dims(4)) == [0, 1]
    assert taken(rule, fixed(3), fixed(3)) == [0, 1, 2]


@BOTH
def test_offsets_are_shared_around_their_centre(rule: Sharing):
    # of the offsets -3 .. 3 a window of 3 takes -1, 0, 1 and one of 5 takes -2 .. 2
    assert taken(rule, centred(3), centred(7)) == [2, 3, 4]
    assert taken(rule, centred(5), centred(7)) == [1, 2, 3, 4, 5]
    assert taken(rule, centred(7), centred(3)) == [*range(7)]


def test_concatenated_axes_are_shared_each_for_itself():
    # q, k (2 heads of 2) and v (2 heads of 4) in 4 heads of 4, 4, 8: the supernet's parts begin at 0, 16 and 32
    child = concatenated(heads(2, 2), heads(2, 2), heads(2, 4))
    supernet = concatenated(heads(4, 4), heads(4, 4), heads(4, 8))
    expected = [0, 1, 4, 5, 16, 17, 20, 21, 32, 33, 34, 35, 40, 41, 42, 43]
    assert taken(MULTI_HEAD, child, supernet) == expected
    assert taken(PREFIX, child, supernet) == [*range(0, 4), *range(16, 20), *range(32, 40)]


def test_terms_never_mix():
    # two terms over a 4 x 4 grid, the second begins at 16
    assert taken(MULTI_HEAD, terms(2, heads(2, 2)), terms(2, heads(4, 4))) == [0, 1, 4, 5, 16, 17, 20, 21]
    assert taken(PREFIX, terms(2, heads(2, 2)), terms(2, heads(4, 4))) == [0, 1, 2, 3, 16, 17, 18, 19]


@BOTH
@pytest.mark.parametrize(("plain", "size"), [(20, 32), (32, 32), (33, 36), (40, 40)])
def test_plain_channels_beside_a_grid(rule: Sharing, plain: int, size: int):
    # A convolution's channels and the 4 heads of 8 of attention enter the same 1x1 convolution. The grid grows by full
    # columns until the channels fit; without a grid, it is as long as the longer of the two.
    full = rule.merge([channels(plain), heads(4, 8)])
    assert full.size == (size if rule is MULTI_HEAD else max(plain, 32))
    assert rule.indices(channels(plain), full).tolist() == [*range(plain)]
    columns = size // 4
    expected = [n * columns + j for n in range(4) for j in range(8)] if rule is MULTI_HEAD else [*range(32)]
    assert rule.indices(heads(4, 8), full).tolist() == expected


def test_value_dimension_meets_the_same_column_whatever_the_child():
    full = MULTI_HEAD.merge([channels(40), heads(4, 8), heads(2, 16)])
    columns = full.size // 4
    for h, d in [(2, 16), (4, 8), (3, 4), (1, 1)]:
        rows = MULTI_HEAD.indices(heads(h, d), full).view(h, d)
        assert torch.equal(rows, torch.tensor([[n * columns + j for j in range(d)] for n in range(h)]))


@BOTH
@pytest.mark.parametrize(
    "axes",
    [
        [heads(4, 2), heads(2, 4), channels(9)],
        [channels(4), channels(7)],
        [centred(3), centred(7)],
        [terms(3, heads(2, 2)), terms(3, heads(1, 5))],
    ],
)
def test_merging_does_not_depend_on_the_order(rule: Sharing, axes: Sequence[Axis]):
    assert rule.merge(axes) == rule.merge([*reversed(axes)])


@BOTH
def test_no_index_is_used_twice_and_all_are_inside(rule: Sharing):
    children = [heads(h, d) for h in (1, 2, 3, 4) for d in (1, 2, 5)] + [channels(17)]
    full = rule.merge(children)
    for child in children:
        indices = rule.indices(child, full).tolist()
        assert len(set(indices)) == len(indices) == child.size
        assert 0 <= min(indices) <= max(indices) < full.size


@BOTH
@pytest.mark.parametrize(("child", "full"), [(fixed(3), fixed(4)), (terms(2, dims(1)), terms(3, dims(1)))])
def test_dimensions_that_cannot_shrink_are_not_shared(rule: Sharing, child: Axis, full: Axis):
    with pytest.raises(ValueError, match=r"size [23] in a child and [34] in the supernet"):
        taken(rule, child, full)
