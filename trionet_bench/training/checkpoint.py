"""Files that training leaves: checkpoints to resume from, and weights. Written atomically; loading runs no code."""

import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from trionet_bench.errors import StoreError
from trionet_bench.files import write_atomically
from trionet_bench.jsontypes import JsonObject


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes tensors and plain values; a reader sees the old file or the new one, never a part."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path: Path) -> JsonObject:
    """What ``save_checkpoint`` wrote; StoreError when the file is not readable as that."""
    try:
        state: JsonObject = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several unrelated types for a damaged file
        what = _first_line(error)
        raise StoreError(f"{path} is not a readable checkpoint ({what}). Delete it to start over.") from error
    return state


def save_weights(path: Path, weights: nn.Module | Mapping[str, Tensor]) -> str:
    """Writes a safetensors file; returns its SHA-256, which depends on the weights only."""
    tensors = weights.state_dict() if isinstance(weights, nn.Module) else weights
    # copies: safetensors refuses shared memory and strides
    plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    content = safetensors.torch.save(plain)
    write_atomically(path, content)
    return hashlib.sha256(content).hexdigest()


def load_weights(path: Path, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The tensors of a safetensors file; StoreError when it cannot be read."""
    try:
        return safetensors.torch.load_file(path, device=str(device))
    except (OSError, safetensors.SafetensorError) as error:
        raise StoreError(f"{path} is not a readable weights file ({_first_line(error)}).") from error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
