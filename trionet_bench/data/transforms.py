"""Augmentation: of whole batches of equal images at once, and of single images on their way from a file.

Crops, flips and resized crops of a batch are one indexing or one sampling operation, because a Python loop over the
images would cost more than a small network's training step. Every random number comes from the generator or seed given.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import InterpolationMode, v2

PAD_SHARE = 8                     # a padded crop shifts by up to 1/8 of the side: 4 pixels of 32
ASPECTS = (3 / 4, 4 / 3)


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


@contextmanager
def torchvision_seed(seed: int) -> Iterator[None]:
    """torchvision's transforms draw from torch's global CPU generator: seeded inside, as it was afterwards."""
    state = torch.get_rng_state()
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        torch.set_rng_state(state)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image of (B, C, R, R) moved by up to an eighth of its side in both directions, black where nothing was."""
    batch, _, side, _ = images.shape
    margin = max(1, side // PAD_SHARE)
    down, right = torch.randint(2 * margin + 1, (2, batch), generator=generator).to(images.device)
    windows = functional.pad(images, [margin] * 4).unfold(2, side, 1).unfold(3, side, 1)     # (B, C, 2m+1, 2m+1, R, R)
    return windows[torch.arange(batch, device=images.device), :, down, right]


def resized_crops(images: Tensor, min_area: float, generator: torch.Generator) -> Tensor:
    """A random part of each uint8 image of (B, C, R, R), stretched to R; area ``min_area`` to 1, aspect 3:4 to 4:3."""
    batch, side = len(images), images.shape[-1]
    area, aspect, at_y, at_x = torch.rand((4, batch), generator=generator)
    area = min_area + (1 - min_area) * area
    low, high = torch.log(torch.tensor(ASPECTS))
    aspect = torch.exp(low + (high - low) * aspect)
    width, height = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)    # shares of the side
    left, top = at_x * (1 - width), at_y * (1 - height)
    centres = (torch.arange(side) + 0.5) / side                                                 # (R,)
    x = (left[:, None] + width[:, None] * centres) * 2 - 1                                      # (B, R), -1 to 1
    y = (top[:, None] + height[:, None] * centres) * 2 - 1
    grid = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], dim=-1)   # (B, R, R, 2)
    crops = functional.grid_sample(images.float(), grid.to(images.device), padding_mode="border", align_corners=False)
    return crops.round_().to(torch.uint8)


def flipped(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image mirrored with probability one half."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(mirrored.to(images.device)[:, None, None, None], images.flip(3), images)


def recolouring(settings: AugmentSettings) -> v2.Transform | None:
    """Colour jitter, then RandAugment, for one uint8 image; None when the settings have neither."""
    steps: list[v2.Transform] = []
    if settings.colour_jitter:
        strength = settings.colour_jitter
        steps.append(v2.ColorJitter(brightness=strength, contrast=strength, saturation=strength))
    if settings.randaugment:
        operations, magnitude = settings.randaugment
        steps.append(v2.RandAugment(operations, magnitude, interpolation=InterpolationMode.BILINEAR))
    return v2.Compose(steps) if steps else None


def erased(images: Tensor, probability: float) -> Tensor:
    """One rectangle of each normalised image replaced by the mean colour, with the given probability."""
    erase = v2.RandomErasing(probability)
    return torch.stack([erase(image) for image in images])


def mixing(settings: AugmentSettings, classes: int) -> v2.Transform | None:
    """MixUp, CutMix, or one of the two by an even draw for each batch; None when the settings have neither."""
    choices: list[v2.Transform] = []
    if settings.mixup:
        choices.append(v2.MixUp(alpha=settings.mixup, num_classes=classes))
    if settings.cutmix:
        choices.append(v2.CutMix(alpha=settings.cutmix, num_classes=classes))
    return v2.RandomChoice(choices) if choices else None
