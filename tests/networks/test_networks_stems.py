"""The attention stem against its formula, one pixel at a time in float64; its sizes, MACs and parameters."""

import pytest
import torch
import torch.nn.functional as F
from support.attention import assert_same, gradients, images, normalise_channels, ready
from torch import Tensor, nn

from trionet_bench.networks.mac_totals import counted_macs
from trionet_bench.networks.stems import AttentionStem, make_stem


def slowly(stem: AttentionStem, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    padded = F.pad(x, (0, -width % 4, 0, -height % 4))
    query, key = (layer.weight[:, :, 0, 0] for layer in (stem.query, stem.key))
    values = stem.values.weight[:, :, 0, 0].unflatten(0, (4, -1))  # (m, C, inputs)
    attended = torch.zeros(len(x), len(query), *padded.shape[2:], dtype=x.dtype)
    for y in range(padded.shape[2]):
        for x_ in range(padded.shape[3]):
            block = [(y // 4 * 4 + a, x_ // 4 * 4 + b) for a in range(4) for b in range(4)]
            q = padded[:, :, y, x_] @ query.T
            logits = torch.stack([(q * (padded[:, :, i, j] @ key.T)).sum(1) for i, j in block], dim=1)
            out = torch.zeros_like(q)
            for weight, (i, j) in zip(logits.softmax(1).unbind(1), block, strict=True):
                place = stem.row_embedding[:, i % 4] + stem.column_embedding[:, j % 4]
                shares = (stem.mixture_embedding @ place).softmax(0)
                projection = sum(share * each for share, each in zip(shares, values, strict=True))
                out = out + weight[:, None] * (padded[:, :, i, j] @ projection.T)
            at = torch.zeros_like(attended)
            at[:, :, y, x_] = 1
            attended = attended + at * out[:, :, None, None]
    return F.max_pool2d(normalise_channels(attended, stem.norm), stem.pool)


@pytest.mark.parametrize(("kind", "size"), [("attention-pool4", (8, 4)), ("attention-pool2", (5, 7))])
def test_attention_stem_is_its_formula(kind: str, size: tuple[int, int]):
    stem = ready(AttentionStem(kind, 3, 6), train=True)
    x = images(2, 3, *size)
    assert_same(gradients(stem, x, nn.Module.__call__), gradients(stem, x, slowly), 1e-8)


@pytest.mark.parametrize("kind", ["conv7-pool", "conv3-pool", "conv3", "attention-pool4", "attention-pool2"])
@pytest.mark.parametrize("size", [(16, 16), (15, 9), (1, 1)], ids=str)
def test_sizes_and_macs_are_those_that_are_said(kind: str, size: tuple[int, int]):
    stem = make_stem(kind, 1, 8)
    assert counted_macs(stem, *size, input_channels=1) == stem.macs(*size)
    out = ready(stem, train=False)(images(2, 1, *size))
    assert out.shape == (2, 8, stem.output_size(size[0]), stem.output_size(size[1]))


def test_attention_stem_by_hand():
    stem = AttentionStem("attention-pool4", 3, 64)
    # q and k, four projections of the values; embeddings of 4 rows, 4 columns and 4 projections; the norm
    assert sum(p.numel() for p in stem.parameters()) == 2 * 3 * 64 + 4 * 3 * 64 + 3 * 4 * 64 + 2 * 64
    # every pixel: q, k, v, and 16 keys and values; once: 16 places by 4 projections, and the projections they mix to
    assert stem.macs(224, 224) == 224**2 * (3 * 3 * 64 + 2 * 16 * 64) + 16 * 4 * 64 + 16 * 4 * 64 * 3
