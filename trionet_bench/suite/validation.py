"""What pydantic finds wrong with a suite, as one sentence that names file, line, key and the nearest allowed name."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from trionet_bench.errors import UsageError, nearest
from trionet_bench.suite.yaml12 import Document, Place

Describe = Callable[[Place], tuple[str, list[str]]]


@dataclass(frozen=True)
class Owner:
    """A part of a suite whose keys are the fields of a model and some others; what it is called, at any depth."""

    title: str
    others: tuple[str, ...]
    model: type[BaseModel]

    def at(self, place: Place) -> tuple[str, list[str]]:
        """Title and allowed keys at ``place`` within this part."""
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
    """The first fault below ``start``; ``describe`` gives title and allowed keys of the part that a key belongs to."""
    # A misspelt key also leaves the right one missing; the spelling is what helps.
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
        "" if fault["type"] == "value_error" or isinstance(fault["input"], dict | list) else f", not {fault['input']!r}"
    )
    stop = "" if text.endswith("?") and not given else "."
    return document.error(place, f"{dotted(place)}: {text[0].lower()}{text[1:]}{given}{stop}")


def dotted(place: Place) -> str:
    """``models.conv.window``"""
    return ".".join(map(str, place))
