"""The network that a cell trained, ready for use: with its weights, its images and its classes."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, cast, overload

import torch
from PIL import Image
from torch import Tensor, nn

from trionet_bench.data.images import open_image
from trionet_bench.data.pipeline.evaluation_view import evaluation_transforms
from trionet_bench.data.reading import reason_of
from trionet_bench.data.sources.scanning import scan
from trionet_bench.data.values import ValueRange
from trionet_bench.errors import UsageError
from trionet_bench.jsontypes import JsonObject
from trionet_bench.networks.skeletons import build_network
from trionet_bench.records.layout import ARCHITECTURE, WEIGHTS
from trionet_bench.spaces.card import read_card
from trionet_bench.training.checkpoint import load_weights

if TYPE_CHECKING:
    import pandas as pd
    from torchvision.transforms import v2

Picture: TypeAlias = Image.Image | str | Path
BATCH = 64  # images at a time


class Prediction(NamedTuple):
    """A class and its probability."""

    name: str
    probability: float


class TrainedNetwork(nn.Module):
    """A trained network in evaluation mode.

    Attributes:
        network: from images (B, C, R, R) as ``transforms`` makes them to logits (B, classes), or to whatever else its
            task trained it for, such as embeddings (B, D).
        classes: names, in the order of the logits.
        card: all of ``architecture.json``.
    """

    def __init__(self, network: nn.Module, card: JsonObject) -> None:
        super().__init__()
        self.network = network
        self.card = card
        self.classes: tuple[str, ...] = tuple(card["classes"])
        self.eval()

    @cached_property
    def transforms(self) -> "v2.Compose":
        """From a PIL image of any size and mode to what the network gets, exactly as it was tested."""
        card = self.card
        return evaluation_transforms(
            card["view"],
            card["resolution"],
            card["channels"],
            card["mean"],
            card["std"],
            ValueRange(*card["value_range"]) if "value_range" in card else None,
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits

    def prepare(self, image: Image.Image | str | Path) -> Tensor:
        """``transforms`` of an image or of an image file; UsageError for a file that is none."""
        if isinstance(image, Image.Image):
            prepared: Tensor = self.transforms(image)
            return prepared
        try:
            with open_image(Path(image)) as opened:
                return self.prepare(opened)
        except Exception as error:  # decoders raise errors of any type
            raise UsageError(f"{image} cannot be read as an image: {reason_of(error)}. Give another.") from error

    @overload
    def classify(  # type: ignore[overload-overlap]  # a str is a sequence of str, but means a file
        self, images: Picture, most: int = 5
    ) -> list[Prediction]: ...

    @overload
    def classify(self, images: Sequence[Picture] | Tensor, most: int = 5) -> list[list[Prediction]]: ...

    def classify(
        self, images: Picture | Sequence[Picture] | Tensor, most: int = 5
    ) -> list[Prediction] | list[list[Prediction]]:
        """The ``most`` probable classes, the best first, of one image or of each of several.

        Args:
            images: a PIL image or an image file; a sequence of these; or a batch (B, C, R, R) that ``transforms`` made.

        UsageError for a file that is no image.
        """
        one = isinstance(images, Image.Image | str | Path)
        several = [cast(Picture, images)] if one else cast("Sequence[Picture] | Tensor", images)
        found = [
            [Prediction(self.classes[number], share) for number, share in zip(numbers, shares, strict=True)]
            for part in self._probabilities(several)
            for shares, numbers in zip(*(t.tolist() for t in part.topk(min(most, len(self.classes)))), strict=True)
        ]
        return found[0] if one else found

    def classify_folder(self, folder: str | Path, most: int = 5) -> dict[str, list[Prediction]]:
        """``classify`` of every image in a folder, at any depth, by its path; errors as of ``predict``."""
        files = image_files(folder)
        return dict(zip(map(str, files), self.classify(files, most), strict=True))

    def predict(self, images: str | Path | Sequence[str | Path], probabilities: bool = False) -> "pd.DataFrame":
        """One row for each image file: ``file``, the class ``predicted``, and its ``probability``.

        Args:
            images: a folder, whose images are taken at any depth, sorted by name; a file; or a sequence of files.
            probabilities: also a column for each class, under its name.

        UsageError where there are none, or for a file that is no image; DataError for a folder that cannot be listed.
        """
        import pandas as pd  # takes as long to load as all else here but torch

        files = image_files(images)
        shares = torch.cat(list(self._probabilities(files)))  # (N, classes)
        best, numbers = shares.max(1)
        columns = {
            "file": [str(file) for file in files],
            "predicted": [self.classes[number] for number in numbers.tolist()],
            "probability": best.tolist(),
        }
        frame = pd.DataFrame(columns)
        return frame.join(pd.DataFrame(shares.numpy(), columns=list(self.classes))) if probabilities else frame

    @torch.no_grad()
    def _probabilities(self, images: Sequence[Picture] | Tensor) -> Iterator[Tensor]:
        """(B, classes) on the CPU for each batch of images; UsageError where the network's outputs are no classes."""
        if (outputs := self.card.get("outputs", len(self.classes))) != len(self.classes):
            raise UsageError(f"the network gives {outputs} numbers that are no classes; call it for these instead.")
        device = next(self.parameters()).device
        for first in range(0, len(images), BATCH):
            part = images[first : first + BATCH]
            batch = part if isinstance(part, Tensor) else torch.stack([self.prepare(image) for image in part])
            yield self(batch.to(device)).softmax(1).cpu()


def image_files(images: str | Path | Sequence[str | Path]) -> list[Path]:
    """The image files that are meant; UsageError where there are none."""
    if not isinstance(images, str | Path):
        files = [Path(image) for image in images]
    elif Path(images).is_dir():
        files = [Path(images) / path for path in scan(Path(images)).image_paths()]
    else:
        files = [Path(images)]
    if not files:
        raise UsageError(f"there are no images in {images}.")
    return files


def load_network(path: str | Path, device: str | torch.device = "cpu") -> TrainedNetwork:
    """The network of a cell, from its folder or any file in it.

    UsageError where there is no such folder, where the cell left no network, or where its files do not fit together;
    StoreError for damaged weights.
    """
    folder = Path(path)
    folder = folder.parent if folder.is_file() else folder
    for name in (ARCHITECTURE, WEIGHTS):
        if not (folder / name).is_file():
            what = "is no folder" if not folder.is_dir() else f"has no {name}"
            raise UsageError(
                f"{folder} {what}; name the folder of a complete cell, such as results/quickstart/digits/conv/3M-s0."
            )
    architecture, card = read_card(folder / ARCHITECTURE)
    if missing := [key for key in ("classes", "channels", "resolution", "view", "mean", "std") if key not in card]:
        raise UsageError(
            f"{folder / ARCHITECTURE} does not say {', '.join(missing)}: an earlier version wrote it. Run the cell "
            "again, with --force."
        )
    network = build_network(
        architecture, card.get("outputs", len(card["classes"])), card["channels"], card["resolution"]
    )
    try:
        network.load_state_dict(load_weights(folder / WEIGHTS))
    except RuntimeError as error:
        raise UsageError(f"{folder / WEIGHTS} does not fit {ARCHITECTURE} beside it: {error}") from error
    return TrainedNetwork(network, card).to(device)
