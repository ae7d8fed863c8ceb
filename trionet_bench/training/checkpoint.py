"""Files that training leaves: checkpoints to resume from, and weights. Written atomically; loading runs no code.

A checkpoint begins with a line that holds the SHA-256 of the rest, since torch does not notice a changed byte.
"""

import contextlib
import hashlib
import io
import logging
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from trionet_bench.errors import DamagedFile, StoreError
from trionet_bench.files import write_atomically
from trionet_bench.jsontypes import JsonObject

_log = logging.getLogger(__name__)
_REMEDY = " Delete it to start over."
_HEAD = b"trionet-bench checkpoint 1 "
_HEAD_LENGTH = len(_HEAD) + 64 + 1  # the digest in hexadecimal, and the end of the line


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Writes tensors and plain values; a reader sees the old file or the new one, never a part.

    The one before stays beside it as ``NAME-previous``, for ``latest_checkpoint``.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getbuffer()
    head = _HEAD + hashlib.sha256(content).hexdigest().encode() + b"\n"
    if path.exists():
        try:
            os.replace(path, beside(path, "previous"))
        except OSError as error:
            raise StoreError(f"{path} could not be renamed: {error.strerror}.") from error
    write_atomically(path, head, content)


def latest_checkpoint(path: Path, fields: Collection[str]) -> JsonObject | None:
    """The last checkpoint under this name that can be read and holds ``fields``, or None.

    One that is damaged, or no checkpoint of ours, is set aside as ``NAME-damaged`` with a warning that names it.
    """
    for candidate in (path, beside(path, "previous")):
        try:
            state = load_checkpoint(candidate) if candidate.exists() else None
            if state is not None and not set(fields) <= set(state):
                raise DamagedFile(f"{candidate} is a file of torch, but not a checkpoint of this program.")
        except DamagedFile as error:
            aside = beside(path, "damaged")
            _log.warning("%s It is set aside as %s.", str(error).replace(_REMEDY, ""), aside.name)
            with contextlib.suppress(FileNotFoundError):  # another process of the run may have been faster
                os.replace(candidate, aside)
            continue
        if state is not None:
            return state
    return None


def beside(path: Path, what: str) -> Path:
    """The file that is kept next to a checkpoint: ``NAME-WHAT`` with the same suffix."""
    return path.with_name(f"{path.stem}-{what}{path.suffix}")


def load_checkpoint(path: Path) -> JsonObject:
    """What ``save_checkpoint`` wrote; DamagedFile when the file is not readable as that."""
    try:
        content = path.read_bytes()
        head, body = content[:_HEAD_LENGTH], memoryview(content)[_HEAD_LENGTH:]
        if head != _HEAD + hashlib.sha256(body).hexdigest().encode() + b"\n":
            raise ValueError("its digest is missing or wrong")
        state: JsonObject = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises several unrelated types for a damaged file
        what = _first_line(error)
        raise DamagedFile(f"{path} is not a readable checkpoint ({what}).{_REMEDY}") from error
    if not isinstance(state, dict):
        raise DamagedFile(f"{path} is a file of torch, but not a checkpoint of this program.{_REMEDY}")
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
