"""An architecture file as a value, for tests that change it or write it."""

from typing import Any

from trionet_bench.spaces.presets import RESNET_NANO

CARD: dict[str, Any] = {
    "space": RESNET_NANO.to_dict(),
    "architecture": RESNET_NANO.decode(RESNET_NANO.middle({})).to_dict(),
    "resolution": 32,
    "classes": ["a", "b"],
    "channels": 3,
    "outputs": 2,
}
