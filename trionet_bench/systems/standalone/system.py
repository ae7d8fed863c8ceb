"""Stand-alone networks: one operator everywhere, in the skeleton of the space, scaled to the budget."""

from typing import Annotated, Self

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
    properties["operator"] = {"title": "Operator", "enum": [spec.name for spec in specs]}
    for name, option in options_of(specs).items():
        number = "number" if option.kind == "numbers" else "integer"
        properties.setdefault(name, {"anyOf": [{"type": number}, {"type": "null"}], "default": None})
    schema["additionalProperties"] = False


def _registered(operator: str) -> str:
    names = [spec.name for spec in operators_for(ResNetSpace.kind)]
    if operator not in names:
        raise ValueError(f'unknown operator "{operator}"; {nearest(operator, names)}')
    return operator


class Options(SystemOptions):
    """What a suite may say of a stand-alone model: the operator and values of its options. None leaves the value that
    the operator's spec gives as usual, where the space has it.

    Options of operators that are not part of the package are extra fields, so that the keys of other models stay as
    they are.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_registered)
    __pydantic_extra__: dict[str, int | float] = Field(init=False)

    operator: Annotated[str, AfterValidator(_registered)]
    kernel: int | None = None
    window: int | None = None
    heads: int | None = None
    qk: float | None = None
    v: float | None = None

    @model_validator(mode="after")
    def _of_the_operator(self) -> Self:
        for name in self.asked:
            if name not in options_of(operators_for(ResNetSpace.kind)):
                unknown = InitErrorDetails(type="extra_forbidden", loc=(name,), input=self.asked[name])
                raise ValidationError.from_exception_data(type(self).__name__, [unknown])
            if name not in options_of([OPERATORS.get(self.operator)]):
                raise ValueError(f"{self.operator} networks have no {name}")
        return self

    @property
    def asked(self) -> dict[str, float]:
        """Options that have a value."""
        return self.model_dump(exclude={"operator"}, exclude_none=True)


class Standalone(System[Options, ResNetSpace]):
    """One operator in every block."""

    name = "standalone"
    options_type = Options
    space_type = ResNetSpace
    implementation = "trionet_bench.systems.standalone.running:StandaloneRunner"
