"""Validation errors of pydantic as one sentence that names file, line, key and the nearest allowed name."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from trionet_bench.errors import UsageError, nearest
from trionet_bench.limits import shown
from trionet_bench.suite.yaml12 import Document, Place

Describe = Callable[[Place], tuple[str, list[str]]]  # title and allowed keys of the part at a place


@dataclass(frozen=True)
class Owner:
    """A part of a suite with the fields of a pydantic model.

    Args:
        title: what messages call it, such as ``model "conv"``.
        others: keys that it may have besides the fields of ``model``.
    """

    title: str
    others: tuple[str, ...]
    model: type[BaseModel]

    def at(self, place: Place) -> tuple[str, list[str]]:
        """Title and allowed keys at ``place``, relative to this part."""
        if not place:
            return self.title, [*self.others, *self.model.model_fields]
        model = self.model
        for part in place:
            field = model.model_fields.get(str(part))
            annotation = field.annotation if field else None
            if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
                return f"{dotted(place)} of {self.title}", []
            model = annotation
        return f"{dotted(place)} of {self.title}", list(model.model_fields)


def explained(error: ValidationError, document: Document, start: Place, describe: Describe) -> UsageError:
    """The UsageError for the first fault of a validation.

    Args:
        start: place of the validated value in the document.
        describe: title and allowed keys at a place relative to ``start``.
    """
    # A misspelt key is also a missing one; the message about the spelling is the helpful one.
    fault = min(error.errors(include_url=False), key=lambda fault: fault["type"] != "extra_forbidden")
    at: Place = tuple(fault["loc"])
    place = (*start, *at)
    title, keys = describe(at[:-1])
    if fault["type"] == "extra_forbidden":
        return document.error(place, f'unknown key "{at[-1]}" in {title}; {nearest(str(at[-1]), keys)}')
    if fault["type"] == "missing":
        return document.error(place, f'{title} has no "{at[-1]}"; add it.')
    if at[-1:] == ("[key]",):
        return document.error(place, f'"{fault["input"]}" cannot be a name; use letters, digits, ".", "-" and "_".')
    text = fault["msg"].removeprefix("Value error, ").rstrip(".")
    given = (
        ""
        if fault["type"] == "value_error" or isinstance(fault["input"], dict | list)
        else f", not {shown(fault['input'])}"
    )
    stop = "" if text.endswith("?") and not given else "."
    return document.error(place, f"{dotted(place)}: {text[0].lower()}{text[1:]}{given}{stop}")


def dotted(place: Place) -> str:
    """``models.conv.window``"""
    return ".".join(map(str, place))
