"""Paths among the options of a model, relative to the suite file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema

from trionet_bench.records.redaction import anonymous

FOLDER = "folder"  # of the suite file, in the context that options are validated in


@dataclass(frozen=True)
class GivenPath:
    """A path as a suite says it.

    Args:
        given: the text; ``{seed}`` and ``{budget}`` stand for those of a cell.
        folder: of the suite file.
    """

    given: str
    folder: Path = field(default=Path(), compare=False)

    def found(self, **values: object) -> Path:
        """Where it is: from the folder of the suite file, or else from the working directory."""
        path = Path(self.given.format(**values)).expanduser()
        beside = self.folder / path
        return beside if beside.exists() else path


def _given(value: object, info: ValidationInfo) -> GivenPath:
    if isinstance(value, GivenPath):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("give a path")
    try:
        value.format(seed=0, budget="")
    except (LookupError, ValueError) as error:
        raise ValueError("a path may hold {seed} and {budget}, and no other braces") from error
    return GivenPath(value, (info.context or {}).get(FOLDER, Path()))


PathOption: TypeAlias = Annotated[
    GivenPath,
    PlainValidator(_given),
    PlainSerializer(lambda path: anonymous(path.given), return_type=str),
    WithJsonSchema({"type": "string", "description": "Relative to the suite file, or to the working directory."}),
]
