"""Weights as the start of a network for images of another size or colour: what the same image then gives."""

import pytest
import torch
from support.system_cases import TINY_GLIT
from support.tiny import TINY

from trionet_bench.errors import UsageError
from trionet_bench.networks.layers import initialise
from trionet_bench.networks.sharing import centred, channels
from trionet_bench.networks.skeletons import Skeleton, build_network
from trionet_bench.networks.transfer import _fitted, adopt
from trionet_bench.spaces.choice import Architecture


def of(operator: str) -> Architecture:
    return TINY.decode(TINY.middle(TINY.operators_set_to(operator)))


def transformer() -> Architecture:
    return TINY_GLIT.decode(TINY_GLIT.middle({}))


def moved(architecture: Architecture, resolution: int, colours: int = 1) -> tuple[Skeleton, Skeleton, list[str]]:
    """A network for grey images of 8 pixels and five classes, and one for others that starts from its weights."""
    first = initialise(build_network(architecture, 5, 1, 8), 0).eval()
    second = initialise(build_network(architecture, 3, colours, resolution), 1).eval()
    return first, second, adopt(second, first.state_dict(), second)


@pytest.mark.parametrize("operator", ["conv", "local", "axial"])
def test_an_image_of_the_old_size_gives_what_it_gave_before(operator: str):
    first, second, adapted = moved(of(operator), resolution=14)
    images = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(first.features(images), second.features(images))
        assert second(torch.randn(2, 1, 14, 14)).shape == (2, 3)
    assert bool(adapted) == (operator == "axial")  # whose tables span the map


def test_tables_are_cut_around_their_centre_for_smaller_images():
    architecture = of("axial")
    large = initialise(build_network(architecture, 5, 1, 14), 0).eval()
    small = initialise(build_network(architecture, 5, 1, 8), 1).eval()
    adopt(small, large.state_dict(), small)
    images = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(large.features(images), small.features(images))


def test_offsets_by_hand():
    table = torch.tensor([1.0, 2.0, 3.0])  # of the offsets -1, 0, 1
    assert _fitted(table, centred(5), "table").tolist() == [1, 1, 2, 3, 3]
    assert _fitted(table, centred(1), "table").tolist() == [2]


@pytest.mark.parametrize("architecture", [of("conv"), transformer()], ids=["resnet", "transformer"])
def test_a_grey_image_in_colour_gives_what_it_gave_before(architecture: Architecture):
    first, second, adapted = moved(architecture, resolution=8, colours=3)
    images = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(second.features(images.expand(-1, 3, -1, -1)), first.features(images))
    back = initialise(build_network(architecture, 5, 1, 8), 2).eval()
    adopt(back, second.state_dict(), back)
    with torch.no_grad():
        torch.testing.assert_close(back.features(images), first.features(images))
    assert len(adapted) == 1


def test_positions_of_a_transformer_are_interpolated():
    first, second, adapted = moved(transformer(), resolution=16)  # 2 x 2 patches, then 4 x 4
    assert adapted == ["positions"]
    before, after = first.get_parameter("positions"), second.get_parameter("positions")
    assert torch.equal(after[0], before[0])  # of the class token
    assert after.shape == (17, before.shape[1])
    # Bicubic weights add up to 1 and are symmetric: the mean over the grid stays.
    torch.testing.assert_close(after[1:].mean(0), before[1:].mean(0))


def test_the_head_is_new_and_other_networks_are_refused():
    _, second, _ = moved(of("conv"), resolution=8)
    fresh = initialise(build_network(of("conv"), 3, 1, 8), 1)
    assert torch.equal(second.get_parameter("classifier.weight"), fresh.get_parameter("classifier.weight"))
    with pytest.raises(UsageError, match="they are of another network"):
        adopt(second, initialise(build_network(of("axial"), 3, 1, 8), 0).state_dict(), second)
    with pytest.raises(UsageError, match="x has 3 entries where 4 are needed"):
        _fitted(torch.zeros(3), channels(4), "x")
    wide = TINY.with_dimensions(stem_widths=[16])
    other = initialise(build_network(wide.decode(wide.middle(wide.operators_set_to("conv"))), 3, 1, 8), 0)
    with pytest.raises(UsageError, match="they are of another network"):
        adopt(second, other.state_dict(), second)
