from collections.abc import Sequence
from itertools import chain, product

import pytest

from trionet_bench.networks.sharing import (
    Axis,
    FirstHeadsSharing,
    MultiHeadSharing,
    PrefixSharing,
    Sharing,
    centred,
    channels,
    concatenated,
    dims,
    fixed,
    halved_heads,
    heads,
    one_per_head,
    terms,
)

PREFIX, MULTI_HEAD, FIRST_HEADS = PrefixSharing(), MultiHeadSharing(), FirstHeadsSharing()
ALL = pytest.mark.parametrize("rule", [PREFIX, MULTI_HEAD, FIRST_HEADS], ids=lambda rule: rule.name)


def taken(rule: Sharing, child: Axis, *others: Axis) -> list[int]:
    """The indices that ``child`` uses in the smallest supernet for it and ``others``."""
    return rule.indices(child, rule.merge([*others, child])).tolist()


def test_worked_example():
    # Supernet: 4 heads of 8, stored as 8 rows of one dimension of each head. Child: 4 heads of 4, head n is column n.
    supernet, child = heads(4, 8), heads(4, 4)
    by_head = [0, 4, 8, 12], [1, 5, 9, 13], [2, 6, 10, 14], [3, 7, 11, 15]
    assert taken(MULTI_HEAD, child, supernet) == taken(FIRST_HEADS, child, supernet) == [*chain(*by_head)]
    # Cut anew, all four heads of the child are of the supernet's first two: its dimensions lie in a row.
    assert taken(PREFIX, child, supernet) == [*range(16)]


def test_fewer_heads_are_unions_of_neighbouring_heads():
    # 16 channels as 4 heads of 4 or as 2 heads of 8: head 0 of the two is heads 0 and 1 of the four, in turn.
    grid = [[dim * 4 + head for dim in range(4)] for head in range(4)]
    assert taken(MULTI_HEAD, heads(4, 4), heads(2, 8)) == [*chain(*grid)]
    united = [[0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]]
    assert taken(MULTI_HEAD, heads(2, 8), heads(4, 4)) == [*chain(*united)]
    assert {index % 4 for index in united[0]} == {0, 1}
    # by first heads, the first two heads have 8 dimensions, and the last two of the supernet's 8 rows are half empty
    assert FIRST_HEADS.merge([heads(4, 4), heads(2, 8)]).size == 32
    assert taken(FIRST_HEADS, heads(2, 8), heads(4, 4)) == [dim * 4 + head for head in range(2) for dim in range(8)]


def test_channel_keeps_its_head_half_and_dimension_in_every_child():
    # Heads of 2 to 24 dimensions, 2, 4 and 8 of them: channel (n, half, i) is written out for every child.
    children = [(h, d) for h in (2, 4, 8) for d in (2, 4, 6, 12, 24) if h * d <= 64]
    full = MULTI_HEAD.merge([halved_heads(h, d) for h, d in children])
    for h, d in children:
        united = 8 // h
        indices = iter(MULTI_HEAD.indices(halved_heads(h, d), full).tolist())
        for n, half, i in product(range(h), range(2), range(d // 2)):
            head, dimension = n * united + i % united, i // united  # dealt to the united heads in turn
            assert next(indices) == (dimension * 2 + half) * 8 + head


def test_half_is_kept_by_every_rule():
    # 2 heads of 16 and of 4: dimensions 0, 1 of the small head are rows, 2, 3 columns. Without a level of halves, its
    # columns would read what are rows in the large one.
    for rule, most in ((MULTI_HEAD, 2), (FIRST_HEADS, 2), (PREFIX, 1)):
        full = rule.merge([halved_heads(2, 16), halved_heads(2, 4)])
        indices = rule.indices(halved_heads(2, 4), full).view(2, 2, 2)  # head, half, dimension
        assert (indices[:, 0] // most % 2 == 0).all()
        assert (indices[:, 1] // most % 2 == 1).all()


def test_heads_that_meet_a_table_in_common_keep_their_dimension():
    # A table for children of 4 heads of 3 and of 2 heads of 6 dimensions. For the latter, entry i serves dimension
    # i // 2 of the first or the second of two united heads; for the former, that of the first.
    table = [dims(3, 4), dims(6, 2)]
    assert taken(MULTI_HEAD, dims(3, 4), *table) == [0, 2, 4]
    assert taken(MULTI_HEAD, dims(6, 2), *table) == [*range(6)]
    for rule in (PREFIX, FIRST_HEADS):
        assert taken(rule, dims(3, 4), *table) == [0, 1, 2]


def test_one_entry_for_each_head():
    # scales of 3 terms; of united heads that of the first counts
    assert taken(MULTI_HEAD, terms(3, one_per_head(2)), terms(3, one_per_head(4))) == [0, 2, 4, 6, 8, 10]
    assert taken(FIRST_HEADS, terms(3, one_per_head(2)), terms(3, one_per_head(4))) == [0, 1, 4, 5, 8, 9]


def test_row_of_the_grid_is_used_iff_its_head_and_dimension_are():
    most_heads, most_dims = 5, 6
    for h, d in product(range(1, most_heads + 1), range(1, most_dims + 1)):
        expected = [j * most_heads + n for n in range(most_heads) for j in range(most_dims) if n < h and j < d]
        assert taken(FIRST_HEADS, heads(h, d), heads(most_heads, most_dims)) == expected


def test_each_head_reads_only_its_own_head_of_the_supernet():
    rows = taken(FIRST_HEADS, heads(3, 2), heads(4, 8))
    assert [row % 4 for row in rows] == [0, 0, 1, 1, 2, 2]
    assert [row % 4 for row in taken(MULTI_HEAD, heads(4, 2), heads(4, 8))] == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize(
    ("rule", "shares"), [(MULTI_HEAD, {2: 1.0, 4: 1.0, 8: 1.0}), (PREFIX, {2: 1.0, 4: 1.0, 8: 1.0})]
)
def test_biggest_child_of_every_number_of_heads_reaches_the_full_store(rule: Sharing, shares: dict[int, float]):
    children = {h: halved_heads(h, 64 // h) for h in shares}
    full = rule.merge([*children.values(), channels(64)])
    assert full.size == 64
    assert {h: child.size / full.size for h, child in children.items()} == shares


def test_share_of_the_store_that_first_heads_reach():
    # 64 channels as 2 x 32, 4 x 16, 8 x 8: the grid is 8 x 32, of which each uses a quarter, all together
    # 2 (32) + 2 (16) + 4 (8) = 128 of 256.
    children = {h: halved_heads(h, 64 // h) for h in (2, 4, 8)}
    full = FIRST_HEADS.merge([*children.values()])
    assert {h: child.size / full.size for h, child in children.items()} == {2: 0.25, 4: 0.25, 8: 0.25}
    used = set().union(*(FIRST_HEADS.indices(child, full).tolist() for child in children.values()))
    assert len(used) / full.size == 0.5


@pytest.mark.parametrize("rule", [PREFIX, MULTI_HEAD], ids=lambda rule: rule.name)
@pytest.mark.parametrize("width", [16, 32, 64])
def test_convolution_and_attention_of_a_width_meet_in_the_same_columns(rule: Sharing, width: int):
    # The columns of the second 1x1 convolution of a block, for local and axial attention of 2, 4 and 8 heads.
    each = [axis(h, full // h) for axis in (heads, halved_heads) for h in (2, 4, 8) for full in (16, 32, 64)]
    full = rule.merge([channels(64), *each])
    assert full.size == 64
    for axis, h in product((heads, halved_heads), (2, 4, 8)):
        assert sorted(rule.indices(axis(h, width // h), full).tolist()) == [*range(width)]


@ALL
def test_plain_channels_are_shared_from_the_first(rule: Sharing):
    assert taken(rule, channels(3), channels(5)) == [0, 1, 2]
    assert taken(rule, dims(2, 4), dims(4, 4)) == [0, 1]
    assert taken(rule, fixed(3), fixed(3)) == [0, 1, 2]


@ALL
def test_offsets_are_shared_around_their_centre(rule: Sharing):
    # of the offsets -3 .. 3 a window of 3 takes -1, 0, 1 and one of 5 takes -2 .. 2
    assert taken(rule, centred(3), centred(7)) == [2, 3, 4]
    assert taken(rule, centred(5), centred(7)) == [1, 2, 3, 4, 5]
    assert taken(rule, centred(7), centred(3)) == [*range(7)]


def test_concatenated_axes_are_shared_each_for_itself():
    # q, k (4 heads of 2) and v (4 heads of 4) in 4 heads of 4, 4, 8: the supernet's parts begin at 0, 16 and 32
    child = concatenated(heads(4, 2), heads(4, 2), heads(4, 4))
    supernet = concatenated(heads(4, 4), heads(4, 4), heads(4, 8))
    q = [0, 4, 1, 5, 2, 6, 3, 7]
    v = [dim * 4 + head for head in range(4) for dim in range(4)]
    assert taken(MULTI_HEAD, child, supernet) == [*q, *(16 + i for i in q), *(32 + i for i in v)]
    assert taken(PREFIX, child, supernet) == [*range(0, 8), *range(16, 24), *range(32, 48)]


def test_terms_never_mix():
    # two terms over a grid of 4 heads of 4, the second begins at 16
    first = [0, 4, 1, 5, 2, 6, 3, 7]
    assert taken(MULTI_HEAD, terms(2, heads(4, 2)), terms(2, heads(4, 4))) == [*first, *(16 + i for i in first)]
    assert taken(PREFIX, terms(2, heads(2, 2)), terms(2, heads(4, 4))) == [0, 1, 2, 3, 16, 17, 18, 19]


@ALL
@pytest.mark.parametrize(("plain", "size"), [(20, 32), (32, 32), (33, 36), (40, 40)])
def test_plain_channels_beside_a_grid(rule: Sharing, plain: int, size: int):
    # A convolution's channels and the 4 heads of 8 of attention enter the same 1x1 convolution. The grid grows by full
    # rows until the channels fit; without heads, it is as long as the longer of the two.
    full = rule.merge([channels(plain), heads(4, 8)])
    assert full.size == (max(plain, 32) if rule is PREFIX else size)
    assert rule.indices(channels(plain), full).tolist() == [*range(plain)]
    expected = [*range(32)] if rule is PREFIX else [j * 4 + n for n in range(4) for j in range(8)]
    assert rule.indices(heads(4, 8), full).tolist() == expected


@ALL
@pytest.mark.parametrize(
    "axes",
    [
        [heads(4, 2), heads(2, 4), channels(9)],
        [halved_heads(4, 2), heads(2, 4), channels(9)],
        [channels(4), channels(7)],
        [centred(3), centred(7)],
        [dims(6, 2), dims(3, 4)],
        [terms(3, heads(2, 2)), terms(3, heads(1, 5))],
    ],
)
def test_merging_does_not_depend_on_the_order(rule: Sharing, axes: Sequence[Axis]):
    assert rule.merge(axes) == rule.merge([*reversed(axes)])


@ALL
def test_no_index_is_used_twice_and_all_are_inside(rule: Sharing):
    children = [axis(h, d) for h in (1, 2, 3, 4) for d in (2, 4, 10) for axis in (heads, halved_heads)] + [channels(17)]
    full = rule.merge(children)
    for child in children:
        indices = rule.indices(child, full).tolist()
        assert len(set(indices)) == len(indices) == child.size
        assert 0 <= min(indices) <= max(indices) < full.size


@ALL
@pytest.mark.parametrize(("child", "full"), [(fixed(3), fixed(4)), (terms(2, dims(1, 1)), terms(3, dims(1, 1)))])
def test_dimensions_that_cannot_shrink_are_not_shared(rule: Sharing, child: Axis, full: Axis):
    with pytest.raises(ValueError, match=r"size [23] in a child and [34] in the supernet"):
        taken(rule, child, full)


def test_head_of_odd_size_has_no_halves():
    with pytest.raises(ValueError, match="a head of 3 dimensions has no equal halves"):
        halved_heads(2, 3)
