"""``noise``: the images of ``texture`` with labels drawn without regard to them.

There is nothing to learn, so whatever a search places where must be what it would by chance.
"""

from trionet_bench.data.sources.generated.base import GeneratedSet
from trionet_bench.data.sources.generated.texture import TEXTURE, textures

NOISE = GeneratedSet("noise", TEXTURE.classes, textures, label_noise=True)
