"""Stand-alone networks: one operator everywhere, or one for each stage, in the skeleton of the space, scaled to the
budget.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails

from trionet_bench.errors import nearest
from trionet_bench.spaces.operators import OPERATORS, operators_for, options_of
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.base import System
from trionet_bench.systems.cell import SystemOptions


def _with_registered(schema: JsonDict) -> None:
    """Name the operators in a JSON Schema of ``Options``, and the options that only some of them have."""
    specs = operators_for(ResNetSpace.kind)
    properties = schema["properties"]
    assert isinstance(properties, dict)
    for name, option in options_of(specs).items():
        number = "number" if option.kind == "numbers" else "integer"
        properties.setdefault(name, {"anyOf": [{"type": number}, {"type": "null"}], "default": None})
    properties["operator"] = {
        "title": "Operator",
        "anyOf": [
            {"enum": [spec.name for spec in specs]},
            {"type": "array", "items": {"enum": [spec.name for spec in specs]}, "minItems": 1},
        ],
    }
    schema["additionalProperties"] = False


def _registered(operators: str | tuple[str, ...]) -> str | tuple[str, ...]:
    names = [spec.name for spec in operators_for(ResNetSpace.kind)]
    for operator in (operators,) if isinstance(operators, str) else operators:
        if operator not in names:
            raise ValueError(f'unknown operator "{operator}"; {nearest(operator, names)}')
    return operators


class Options(SystemOptions):
    """What a suite may say of a stand-alone model: the operator, or one for each stage, and values of their options.
    None leaves the value that the operator's spec gives as usual, where the space has it.

    Options of operators that are not part of the package are extra fields, so that the keys of other models stay as
    they are.

    Args:
        operator: its name, or a list with one for each stage.
        local_terms: of local attention; None takes the first of the space.
        kernel: side of convolutions in pixels.
        window: side of the window of local attention in pixels.
        heads: of attention.
        qk, v: sizes of queries and keys, and of values, over the width of the block.
        choose: options of which every value of the space is tried, in networks scaled to the budget and trained for
            half of the epochs; the best on the search-validation images is taken. What a searched network gets for its
            options, a baseline gets too.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_registered)
    __pydantic_extra__: dict[str, int | float] = Field(init=False)

    added_later: ClassVar[tuple[str, ...]] = ("local_terms", "choose")

    operator: Annotated[str | tuple[str, ...], AfterValidator(_registered)]
    local_terms: Literal["plain", "position_sensitive"] | None = None
    kernel: int | None = None
    window: int | None = None
    heads: int | None = None
    qk: float | None = None
    v: float | None = None
    choose: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _of_the_operator(self) -> Self:
        for name in self.asked:
            if name not in options_of(operators_for(ResNetSpace.kind)):
                unknown = InitErrorDetails(type="extra_forbidden", loc=(name,), input=self.asked[name])
                raise ValidationError.from_exception_data(type(self).__name__, [unknown])
            if name not in options_of(map(OPERATORS.get, self.operators)):
                raise ValueError(f"{'-'.join(self.operators)} networks have no {name}")
        for name in self.choose:
            if name not in options_of(map(OPERATORS.get, self.operators)):
                raise ValueError(f"{'-'.join(self.operators)} networks have no {name} to choose")
            if name in self.asked:
                raise ValueError(f"{name} is given, so it cannot be chosen as well")
        if self.local_terms and not any(OPERATORS.get(operator).uses_local_terms for operator in self.operators):
            raise ValueError(f"{'-'.join(self.operators)} networks have no local_terms")
        return self

    @property
    def operators(self) -> tuple[str, ...]:
        """One for all stages, or one for each."""
        return (self.operator,) if isinstance(self.operator, str) else self.operator

    @property
    def asked(self) -> dict[str, float]:
        """Options that have a value."""
        return self.model_dump(exclude={"operator", "local_terms", "choose"}, exclude_none=True)


class Standalone(System[Options, ResNetSpace]):
    """Operators that are given by hand."""

    name = "standalone"
    summary = "operators given by hand, scaled to the budget"
    options_type = Options
    space_type = ResNetSpace
    implementation = "trionet_bench.systems.standalone.running:StandaloneRunner"
