"""Augmentation of batches of equally large images in memory, and of single images from a file.

Crops and flips of a batch are one indexing or sampling operation, because a Python loop over the images would cost more
than a small network's training step. Every random number comes from the generator or seed that is passed in.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import InterpolationMode, RandomErasing, v2

from trionet_bench.data.images import to_planes
from trionet_bench.randomness import derived_seed

PAD_FRACTION = 8  # a padded crop shifts by up to 1/8 of the side: 4 pixels of 32
ASPECTS = (3 / 4, 4 / 3)  # width over height of a resized crop
GROUP = 8  # images that share one draw of colour jitter or RandAugment
ERASED_AREA, ERASED_ASPECTS = (0.02, 0.33), (0.3, 3.3)  # share of the image; height over width


class AugmentSettings(Protocol):
    """The augmentation of a recipe; ``training.recipe.Augment`` explains the fields."""

    @property
    def crop(self) -> str: ...
    @property
    def min_area(self) -> float: ...
    @property
    def flip(self) -> bool: ...
    @property
    def colour_jitter(self) -> float: ...
    @property
    def randaugment(self) -> tuple[int, int] | None: ...
    @property
    def mixup(self) -> float: ...
    @property
    def cutmix(self) -> float: ...
    @property
    def erase(self) -> float: ...


class BatchRequest(NamedTuple):
    """The images of one training step.

    Args:
        rows: of the batch of all processes, int64 (B,).
        seed: of the augmentation of the step.
        positions: those in the batch that this process needs.
    """

    rows: np.ndarray
    seed: int
    positions: np.ndarray

    def image_seeds(self, use: str = "") -> list[int]:
        """A seed for each position; it does not depend on the other positions.

        Args:
            use: of the draws, where they must be apart from those that crop, mirror and colour the image.
        """
        seed = derived_seed(self.seed, use) if use else self.seed
        return [(seed + int(position)) % 2**63 for position in self.positions]


class Augmentation:
    """Augmentation of uint8 pixels: crop, flip, colour jitter, RandAugment.

    Args:
        settings: of the recipe.
        flip_safe: whether images may be mirrored.
        resolution: R, the side of an augmented image in pixels.
    """

    def __init__(self, settings: AugmentSettings, flip_safe: bool, resolution: int) -> None:
        self.crop, self.min_area, self.resolution = settings.crop, settings.min_area, resolution
        self.flip = settings.flip and flip_safe
        self.colour_transforms: list[v2.Transform] = []
        if settings.colour_jitter:
            strength = settings.colour_jitter
            self.colour_transforms.append(v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength))
        if settings.randaugment:
            operations, magnitude = settings.randaugment
            one = v2.RandAugment(1, magnitude, interpolation=InterpolationMode.BILINEAR)
            self.colour_transforms += [one] * operations

    def of_batch(self, images: Tensor, request: BatchRequest) -> Tensor:
        """The requested positions of a batch, uint8 (P, C, R, R).

        ``images`` are those of all rows of the request, (B, C, R, R). All are augmented, so that no draw depends on
        which are requested.
        """
        generator = torch.Generator().manual_seed(request.seed)
        if self.crop == "pad":
            images = shifted(images, generator)
        elif self.crop == "resized":
            images = resized_crops(images, self.min_area, generator)
        if self.flip:
            images = flipped(images, generator)
        with torchvision_seed(derived_seed(request.seed, "recolour")):
            for transform in self.colour_transforms:
                images = in_groups(images, transform)
        return images[torch.from_numpy(request.positions).to(images.device)]

    def of_image(self, image: Image.Image, seed: int) -> Tensor:
        """One augmented image, uint8 (C, R, R), of an image in mode L or RGB of any size."""
        side = self.resolution
        with torchvision_seed(seed):
            if self.crop == "resized":
                image = v2.RandomResizedCrop(side, scale=(self.min_area, 1.0), ratio=ASPECTS)(image)
            else:
                image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
            if self.crop == "pad":
                image = v2.RandomCrop(side, padding=max(1, side // PAD_FRACTION))(image)
            if self.flip:
                image = v2.RandomHorizontalFlip()(image)
            pixels = torch.from_numpy(np.ascontiguousarray(to_planes(image)))
            for transform in self.colour_transforms:
                pixels = transform(pixels)
        return pixels


class Mixing:
    """Augmentation of a normalised batch: random erasing of each image, then MixUp or CutMix of the batch."""

    def __init__(self, settings: AugmentSettings, classes: int) -> None:
        self.erase = settings.erase
        choices = []
        if settings.mixup:
            choices.append(v2.MixUp(alpha=settings.mixup, num_classes=classes))
        if settings.cutmix:
            choices.append(v2.CutMix(alpha=settings.cutmix, num_classes=classes))
        self.mix = v2.RandomChoice(choices) if choices else None

    @property
    def needs_neighbour(self) -> bool:
        """Whether an image is mixed with the one before it in the batch."""
        return self.mix is not None

    def of_batch(self, images: Tensor, labels: Tensor, request: BatchRequest) -> tuple[Tensor, Tensor]:
        """Images (P, C, R, R), and labels (P,) or, after mixing, the share of each class (P, classes)."""
        if self.erase:
            images = erased(images, self.erase, request.image_seeds("erase"))
        if self.mix is None:
            return images, labels
        with torchvision_seed(derived_seed(request.seed, "mix")):
            mixed: tuple[Tensor, Tensor] = self.mix(images, labels)
        return mixed


@contextmanager
def torchvision_seed(seed: int) -> Iterator[None]:
    """Seeds torch's global CPU generator, which torchvision's transforms draw from; restores its state at the end."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def in_groups(images: Tensor, transform: Callable[[Tensor], Tensor]) -> Tensor:
    """``transform`` of groups of eight images (N, C, R, R); a group shares the parameters that the transform draws.

    Groups are drawn anew at each call from torch's global generator. The probability of each operation is the same as
    with a draw for each image, which takes eight times longer.
    """
    result = torch.empty_like(images)
    order = torch.randperm(len(images)).to(images.device)
    for group in (order[start : start + GROUP] for start in range(0, len(order), GROUP)):
        result[group] = transform(images[group])
    return result


def erased(images: Tensor, probability: float, seeds: Sequence[int]) -> Tensor:
    """Normalised images (N, C, R, R) with, at this probability, a rectangle set to 0, the mean colour.

    Rectangles are drawn by torchvision's ``RandomErasing`` from the seed of each image.
    """
    height, width = images.shape[-2:]
    boxes = torch.zeros(len(images), 4, dtype=torch.int64)  # top left bottom right
    with torchvision_seed(0):
        for box, image, seed in zip(boxes, images, seeds, strict=True):
            torch.default_generator.manual_seed(seed)
            if torch.rand(()) < probability:
                top, left, tall, wide, _ = RandomErasing.get_params(image, ERASED_AREA, ERASED_ASPECTS, value=[0.0])
                box[:] = torch.tensor([top, left, top + tall, left + wide])
    top, left, bottom, right = boxes.to(images.device).T[:, :, None]
    y, x = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    rows, columns = (y >= top) & (y < bottom), (x >= left) & (x < right)  # (B, H), (B, W)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (B, C, R, R), each shifted by up to an eighth of its side in both directions, and black where none was."""
    batch, _, side, _ = images.shape
    margin = max(1, side // PAD_FRACTION)
    down, right = torch.randint(2 * margin + 1, (2, batch), generator=generator).to(images.device)
    windows = functional.pad(images, [margin] * 4).unfold(2, side, 1).unfold(3, side, 1)  # (B, C, 2m+1, 2m+1, R, R)
    return windows[torch.arange(batch, device=images.device), :, down, right]


def resized_crops(images: Tensor, min_area: float, generator: torch.Generator) -> Tensor:
    """A random crop of each uint8 image (B, C, R, R), stretched to R x R.

    Its area is ``min_area`` to 1 of the image, its aspect 3:4 to 4:3.
    """
    batch, side = len(images), images.shape[-1]
    area, aspect, at_y, at_x = torch.rand((4, batch), generator=generator)
    area = min_area + (1 - min_area) * area
    low, high = torch.log(torch.tensor(ASPECTS))
    aspect = torch.exp(low + (high - low) * aspect)
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)  # shares of the side
    left, top = at_x * (1 - width), at_y * (1 - height)
    centres = (torch.arange(side) + 0.5) / side  # (R,)
    x = (left[:, None] + width[:, None] * centres) * 2 - 1  # (B, R), -1 to 1
    y = (top[:, None] + height[:, None] * centres) * 2 - 1
    grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=-1)  # (B, R, R, 2)
    crops = functional.grid_sample(images.float(), grid.to(images.device), padding_mode="border", align_corners=False)
    return crops.round_().to(torch.uint8)


def flipped(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images (B, C, R, R), each mirrored with probability one half."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)
