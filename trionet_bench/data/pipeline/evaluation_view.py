"""Deterministic evaluation preprocessing of any image, equal to the bit to that of a data set's own images.

Images of a data set are preprocessed in one of three ways that differ in the last bit or in the crop: from an array in
memory, from a file in memory, or from a file that is streamed. A trained network gets new images in the way that it was
tested in, which its ``architecture.json`` names.

What needs torchvision is imported on first use: it takes longer to load than torch, and a network runs without it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from PIL import Image
from torch import Tensor, nn

from trionet_bench.data.images import centre_square, holds_numbers, scale_numbers, to_grey_or_rgb, to_planes
from trionet_bench.data.values import ValueRange

if TYPE_CHECKING:
    from torchvision.transforms import v2

View = Literal["array", "whole", "middle"]


class EvaluationView(nn.Module):
    """A PIL image of any size and mode to uint8 (C, R, R).

    Args:
        view: ``array`` resizes the central square with torchvision, as of stored arrays; ``whole`` resizes it with
            Pillow, as of files in memory; ``middle`` takes the middle 7/8 of it, as of streamed files.
        resolution: R.
        channels: C, 1 for grey or 3 for colour.
        value_range: of images that hold numbers, as of the data set.

    A JPEG file that was not read yet is decoded at a fraction of its size, in place.
    """

    def __init__(self, view: View, resolution: int, channels: int, value_range: ValueRange | None = None) -> None:
        super().__init__()
        self.value_range = value_range
        self.view, self.resolution, self.channels = view, resolution, channels

    def forward(self, image: Image.Image) -> Tensor:
        from trionet_bench.data.pipeline.memory import resize_arrays  # torchvision
        from trionet_bench.data.pipeline.stream import centre_crop

        if self.value_range is not None and holds_numbers(image):
            image = scale_numbers(image, self.value_range)
        if self.view == "array":
            stored = to_planes(to_grey_or_rgb(image, self.channels)).transpose(1, 2, 0)[None]  # (1, H, W, C)
            return torch.from_numpy(resize_arrays(stored, self.resolution)[0])
        decode = centre_square if self.view == "whole" else centre_crop
        return torch.from_numpy(decode(image, self.resolution, self.channels))

    def extra_repr(self) -> str:
        return f"{self.view}, {self.channels} x {self.resolution} x {self.resolution}"


def evaluation_transforms(
    view: View,
    resolution: int,
    channels: int,
    mean: Sequence[float],
    std: Sequence[float],
    value_range: ValueRange | None = None,
) -> "v2.Compose":
    """From a PIL image to the input of a network, float32 (C, R, R).

    ``mean`` and ``std`` are per channel, where white is 1; the others as of ``EvaluationView``.
    """
    from torchvision.transforms import v2

    scaled = [(torch.tensor(values) * 255).tolist() for values in (mean, std)]  # in float32, as ImageData.normalised
    return v2.Compose(
        [EvaluationView(view, resolution, channels, value_range), v2.ToDtype(torch.float32), v2.Normalize(*scaled)]
    )
