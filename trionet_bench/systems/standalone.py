"""Stand-alone networks: one operator everywhere, in the skeleton of the space, scaled to the budget."""

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.config import JsonDict
from pydantic_core import InitErrorDetails

from trionet_bench.errors import UsageError, nearest
from trionet_bench.records.values import Strict
from trionet_bench.spaces.choice import Genes, Space
from trionet_bench.spaces.operators import OPERATORS, operators_for, options_of
from trionet_bench.spaces.resnet import ResNetSpace
from trionet_bench.systems.cell import Cell, Phase, Workplace
from trionet_bench.systems.scaling import scale_to_budget

SPACE_KIND = ResNetSpace.kind


def _with_registered(schema: JsonDict) -> None:
    """Name the operators in a JSON Schema of ``Options``, and the options that only some of them have."""
    specs = operators_for(SPACE_KIND)
    properties = schema["properties"]
    assert isinstance(properties, dict)
    properties["operator"] = {"title": "Operator", "enum": [spec.name for spec in specs]}
    for name, option in options_of(specs).items():
        number = "number" if option.kind == "numbers" else "integer"
        properties.setdefault(name, {"anyOf": [{"type": number}, {"type": "null"}], "default": None})
    schema["additionalProperties"] = False


def _registered(operator: str) -> str:
    names = [spec.name for spec in operators_for(SPACE_KIND)]
    if operator not in names:
        raise ValueError(f'unknown operator "{operator}"; {nearest(operator, names)}')
    return operator


class Options(Strict):
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
            if name not in options_of(operators_for(SPACE_KIND)):
                unknown = InitErrorDetails(type="extra_forbidden", loc=(name,), input=self.asked[name])
                raise ValidationError.from_exception_data(type(self).__name__, [unknown])
            if name not in options_of([OPERATORS.get(self.operator)]):
                raise ValueError(f"{self.operator} networks have no {name}")
        return self

    @property
    def asked(self) -> dict[str, float]:
        """Options that have a value."""
        return self.model_dump(exclude={"operator"}, exclude_none=True)


def phases(cell: Cell) -> tuple[Phase, ...]:
    """A stand-alone network shares nothing."""
    return ()


def run_cell(cell: Cell, workplace: Workplace) -> dict[str, Any]:
    """Scale, train from scratch, test."""
    from trionet_bench.systems.retraining import Bench, drop_checkpoints, retrain_and_describe

    bench = Bench.open(cell, workplace)
    fields = retrain_and_describe(bench, resnet_space(cell).decode(_scaled(cell)))
    drop_checkpoints(workplace.folder)
    return fields


def check(cell: Cell) -> None:
    """UsageError where the budget or an option does not fit the space."""
    _scaled(cell)


def _scaled(cell: Cell) -> Genes:
    assert isinstance(cell.options, Options)
    options = cell.options
    return scale_to_budget(resnet_space(cell), options.operator, options.asked, cost_in(cell), cell.budget)


def cost_in(cell: Cell, space: Space | None = None) -> Callable[[Genes], int]:
    """MACs of a child of the cell's space, or of another one, on the cell's images."""
    from trionet_bench.networks.skeletons import architecture_macs  # torch loads with the first cell, not with the plan

    own, index = space or cell.space, cell.data.index
    classes, channels = len(index.classes), index.channels
    return lambda genes: architecture_macs(own.decode(genes), classes, channels, cell.resolution)


def resnet_space(cell: Cell) -> ResNetSpace:
    """The cell's space; UsageError where it is of another kind."""
    if not isinstance(cell.space, ResNetSpace):
        raise UsageError(f'model "{cell.model}": system {cell.system} needs a resnet space, not {cell.space.name}.')
    return cell.space
