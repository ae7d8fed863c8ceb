"""Published networks: parameters and MACs at 224 pixels and 1000 classes, against print and against other counts."""

import json

import pytest

from trionet_bench.errors import UsageError
from trionet_bench.networks.named import profile_network, read_card
from trionet_bench.spaces.presets import RESNET_IMAGENET, RESNET_NANO
from trionet_bench.spaces.published import PUBLISHED

# Millions of parameters and billions of MACs as printed: arXiv 1906.05909 Table 1 (its FLOPS are twice the MACs) for
# ResNets and local attention, the released code of arXiv 2003.07853 and its Table 1 for axial attention.
PRINTED = {
    "resnet26": (13.7, 4.7 / 2),
    "resnet38": (19.6, 6.5 / 2),
    "resnet50": (25.6, 8.2 / 2),
    "local_resnet26": (10.3, 4.5 / 2),
    "local_resnet38": (14.1, 5.7 / 2),
    "local_resnet50": (18.0, 7.0 / 2),
    "axial_resnet26_s": (5.9, None),
    "axial_resnet50_s": (None, 2.8),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_values(name):
    params, macs = PRINTED[name]
    found = profile_network(name, None, None)
    # half a unit in the last printed digit is the print's own uncertainty; beyond it 0.5 % and 1.5 % are allowed
    if params is not None:
        assert abs(found["params"] / 1e6 - params) <= 0.05 + 0.005 * params
    if macs is not None:
        assert abs(found["macs"] / 1e9 - macs) <= 0.05 + 0.015 * macs


# Counted with an independent analytic script, to two decimals.
COUNTED = {
    "axial_resnet26_s": (5.94, 1.81),
    "axial_resnet26_m": (12.54, 3.79),
    "axial_resnet26_l": (21.55, 6.49),
    "axial_resnet38_s": (8.77, 2.33),
    "axial_resnet50_s": (11.59, 2.84),
    "axial_resnet50_m": (25.18, 5.96),
    "axial_resnet50_l": (43.97, 10.19),
    "local_resnet50": (18.02, 3.48),
}


@pytest.mark.parametrize("name", COUNTED)
def test_counted_values(name):
    found = profile_network(name, None, None)
    assert (round(found["params"] / 1e6, 2), round(found["macs"] / 1e9, 2)) == COUNTED[name]


def test_resnet50_is_torchvisions():
    from torchvision.models import resnet50

    theirs = resnet50()
    assert profile_network("resnet50", None, None)["params"] == sum(p.numel() for p in theirs.parameters())
    assert profile_network("resnet50", None, None)["macs"] == 4_089_184_256


@pytest.mark.parametrize("name", PUBLISHED)
def test_members_of_the_imagenet_space(name):
    architecture = PUBLISHED[name]
    genes = RESNET_IMAGENET.encode(architecture)
    assert RESNET_IMAGENET.decode(genes).stages == architecture.stages


def test_parts_sum_to_the_whole():
    found = profile_network("axial_resnet26_s", 224, 1000)
    assert sum(found["macs_by_stage"].values()) == found["macs"] == sum(found["macs_by_operator"].values())
    assert found["macs"] == found["macs_counted"]
    assert set(found["macs_by_operator"]) == {"stem", "axial", "pointwise", "shortcut", "classifier"}


def test_unknown_name_suggests():
    with pytest.raises(UsageError, match='did you mean "resnet50"'):
        profile_network("resnet_50", None, None)


def test_architecture_file(tmp_path):
    architecture = RESNET_NANO.decode(RESNET_NANO.middle({}))
    card = {"space": RESNET_NANO.to_dict(), "architecture": architecture.to_dict()}
    card |= {"classes": list("abc"), "channels": 1, "resolution": 16}
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps(card))
    assert read_card(path)[0] == architecture
    found = profile_network(str(path), None, None)
    assert (found["resolution"], found["classes"]) == (16, 3)


def test_architecture_outside_its_space_is_refused(tmp_path):
    architecture = RESNET_NANO.decode(RESNET_NANO.middle({})).to_dict()
    architecture["stages"][1]["width"] = 97
    path = tmp_path / "architecture.json"
    path.write_text(json.dumps({"space": RESNET_NANO.to_dict(), "architecture": architecture}))
    with pytest.raises(UsageError, match=r"stages\.1\.width is 97, which resnet-nano does not hold"):
        read_card(path)


def test_unreadable_architecture_file(tmp_path):
    path = tmp_path / "architecture.json"
    path.write_text("{}")
    with pytest.raises(UsageError, match="not an architecture file"):
        read_card(path)
