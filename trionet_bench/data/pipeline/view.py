"""What evaluation shows a network of an image: the same steps for a data set's images and for any other.

An image reaches a network in one of three ways, which differ in the last bit or in the crop: from an array in memory,
from a file in memory, or from a file that is streamed. A network that is used later has to see its images in the way
that it was tested in.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from trionet_bench.data.images import plain, planes, square
from trionet_bench.data.pipeline.memory import resize_arrays
from trionet_bench.data.pipeline.stream import middle

View = Literal["array", "whole", "middle"]


class Viewed(nn.Module):
    """A PIL image of any size and mode to uint8 (channels, resolution, resolution).

    Args:
        view: ``array`` resizes the central square as stored arrays are resized, ``whole`` as files are, ``middle``
            shows the centre of it, as of streamed files.

    A JPEG file that was not read yet is decoded at a fraction of its size, in place, as it is for evaluation.
    """

    def __init__(self, view: View, resolution: int, channels: int) -> None:
        super().__init__()
        self.view, self.resolution, self.channels = view, resolution, channels

    def forward(self, image: Image.Image) -> Tensor:
        if self.view == "array":
            stored = planes(plain(image, self.channels)).transpose(1, 2, 0)[None]  # (1, H, W, C)
            return torch.from_numpy(resize_arrays(stored, self.resolution)[0])
        seen = square if self.view == "whole" else middle
        return torch.from_numpy(seen(image, self.resolution, self.channels))

    def extra_repr(self) -> str:
        return f"{self.view}, {self.channels} x {self.resolution} x {self.resolution}"


def evaluation_transforms(
    view: View, resolution: int, channels: int, mean: Sequence[float], std: Sequence[float]
) -> v2.Compose:
    """From a PIL image to what the network gets, float32 (C, R, R), equal to the bit to what evaluation batches hold.

    ``mean`` and ``std`` are per channel, with white as 1.
    """
    scaled = [(torch.tensor(values) * 255).tolist() for values in (mean, std)]  # in float32, as images are normalised
    return v2.Compose([Viewed(view, resolution, channels), v2.ToDtype(torch.float32), v2.Normalize(*scaled)])
