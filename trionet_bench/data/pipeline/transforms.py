"""Augmentation: of whole batches of equal images at once, and of single images on their way from a file.

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

from trionet_bench.data.images import planes
from trionet_bench.randomness import derived_seed

PAD_SHARE = 8  # a padded crop shifts by up to 1/8 of the side: 4 pixels of 32
ASPECTS = (3 / 4, 4 / 3)
GROUP = 8  # images that share a recolouring
ERASED_AREA, ERASED_ASPECTS = (0.02, 0.33), (0.3, 3.3)


class AugmentSettings(Protocol):
    """What a recipe asks for; see ``training.recipe.Augment``."""

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


class Step(NamedTuple):
    """The images of one training step: rows of the whole batch, the step's seed, and the positions wanted here."""

    rows: np.ndarray
    seed: int
    wanted: np.ndarray

    def image_seeds(self) -> list[int]:
        """A seed for each wanted image; it depends on its position in the batch, not on what else is wanted."""
        return [(self.seed + int(position)) % 2**63 for position in self.wanted]


class Augmentation:
    """What is done to the pixels of training images: crop, flip, colour jitter, RandAugment. uint8 in and out."""

    def __init__(self, settings: AugmentSettings, flip_safe: bool, resolution: int) -> None:
        self.crop, self.min_area, self.resolution = settings.crop, settings.min_area, resolution
        self.flip = settings.flip and flip_safe
        self.recolour: list[v2.Transform] = []
        if settings.colour_jitter:
            strength = settings.colour_jitter
            self.recolour.append(v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength))
        if settings.randaugment:
            operations, magnitude = settings.randaugment
            one = v2.RandAugment(1, magnitude, interpolation=InterpolationMode.BILINEAR)
            self.recolour += [one] * operations

    def of_batch(self, images: Tensor, step: Step) -> Tensor:
        """The wanted images of a whole batch (B, C, R, R); all of it is augmented, whoever wants how many."""
        generator = torch.Generator().manual_seed(step.seed)
        if self.crop == "pad":
            images = shifted(images, generator)
        elif self.crop == "resized":
            images = resized_crops(images, self.min_area, generator)
        if self.flip:
            images = flipped(images, generator)
        with torchvision_seed(derived_seed(step.seed, "recolour")):
            for transform in self.recolour:
                images = in_groups(images, transform)
        return images[torch.from_numpy(step.wanted).to(images.device)]

    def of_image(self, image: Image.Image, seed: int) -> Tensor:
        """A training view of one image in mode L or RGB, of any size: (C, R, R)."""
        side = self.resolution
        with torchvision_seed(seed):
            if self.crop == "resized":
                image = v2.RandomResizedCrop(side, scale=(self.min_area, 1.0), ratio=ASPECTS)(image)
            else:
                image = ImageOps.fit(image, (side, side), Image.Resampling.BILINEAR)
            if self.crop == "pad":
                image = v2.RandomCrop(side, padding=max(1, side // PAD_SHARE))(image)
            if self.flip:
                image = v2.RandomHorizontalFlip()(image)
            pixels = torch.from_numpy(np.ascontiguousarray(planes(image)))
            for transform in self.recolour:
                pixels = transform(pixels)
        return pixels


class Mixing:
    """What is done to a normalised batch: random erasing of each image, then MixUp or CutMix of the batch."""

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

    def of_batch(self, images: Tensor, labels: Tensor, step: Step) -> tuple[Tensor, Tensor]:
        """Images, and labels (B,) or shares of each class (B, classes)."""
        if self.erase:
            images = erased(images, self.erase, step.image_seeds())
        if self.mix is None:
            return images, labels
        with torchvision_seed(derived_seed(step.seed, "mix")):
            mixed: tuple[Tensor, Tensor] = self.mix(images, labels)
        return mixed


@contextmanager
def torchvision_seed(seed: int) -> Iterator[None]:
    """torchvision's transforms draw from torch's global CPU generator: seeded inside, afterwards as it was before."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def in_groups(images: Tensor, transform: Callable[[Tensor], Tensor]) -> Tensor:
    """``transform`` of groups of eight images, drawn anew at each call. Images of a group share what is drawn for them.

    Each image meets every operation as often as if it were drawn for it alone, at an eighth of the time.
    """
    result = torch.empty_like(images)
    for group in torch.randperm(len(images)).to(images.device).split(GROUP):
        result[group] = transform(images[group])
    return result


def erased(images: Tensor, probability: float, seeds: Sequence[int]) -> Tensor:
    """A rectangle of each normalised image set to 0, the mean colour, with this probability; drawn by torchvision."""
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
    """Each image of (B, C, R, R) moved by up to an eighth of its side in both directions, black where nothing was."""
    batch, _, side, _ = images.shape
    margin = max(1, side // PAD_SHARE)
    down, right = torch.randint(2 * margin + 1, (2, batch), generator=generator).to(images.device)
    windows = functional.pad(images, [margin] * 4).unfold(2, side, 1).unfold(3, side, 1)  # (B, C, 2m+1, 2m+1, R, R)
    return windows[torch.arange(batch, device=images.device), :, down, right]


def resized_crops(images: Tensor, min_area: float, generator: torch.Generator) -> Tensor:
    """A random part of each uint8 image of (B, C, R, R), stretched to R; area ``min_area`` to 1, aspect 3:4 to 4:3."""
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
    """Each image mirrored with probability one half."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)
