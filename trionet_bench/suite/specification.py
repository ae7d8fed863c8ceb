"""A suite file as typed values: every key checked, every name resolved, every fault reported with file and line."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from trionet_bench.errors import UsageError, nearest
from trionet_bench.jsontypes import JsonObject
from trionet_bench.limits import MOST_CELLS, MOST_PIXELS
from trionet_bench.records.layout import FOLDER_NAME, PHASES, parse_budget
from trionet_bench.records.values import Strict
from trionet_bench.spaces.choice import Space
from trionet_bench.spaces.presets import resolve_space, space_for
from trionet_bench.suite.seeds import SeedPlan
from trionet_bench.suite.validation import Owner, explained
from trionet_bench.suite.yaml12 import Document, Place, read_yaml
from trionet_bench.systems.base import AnySystem
from trionet_bench.systems.paths import FOLDER
from trionet_bench.systems.registry import SYSTEMS
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.registry import DEFAULT, resolve_task
from trionet_bench.training.recipe import Recipe, RecipeError, resolve_recipe

SUFFIXES = (".yaml", ".yml")
_NAME = f"^{FOLDER_NAME}$"
_MERGED = ("datasets", "models")  # joined entry by entry with those of the suite that is extended


def _macs(value: Any) -> int:
    try:
        return parse_budget(value)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    seen = set()
    for value in values:
        if value in seen:
            raise ValueError(f"{value} is listed twice")
        seen.add(value)
    return values


Name = Annotated[str, Field(pattern=_NAME)]
Fraction = Annotated[float, Field(gt=0, lt=1)]
Budget = Annotated[int, BeforeValidator(_macs, json_schema_input_type=int | float | str)]
Seed = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class DatasetEntry(Strict):
    """A data set of a suite: its source, and how validation images are cut from train."""

    source: str = Field(description="URI, such as sklearn:digits or folder:PATH; paths are relative to the suite file.")
    search_val: Fraction = Field(default=0.1, description="Share of train that guides the search.")
    val: Fraction = Field(default=0.1, description="Share of train that validates, where the source has no such part.")
    train_images: int | None = Field(
        default=None, gt=1, lt=2**31, description="Use only so many of train, by class, by seed."
    )
    resolution: int | None = Field(
        default=None, gt=0, le=MOST_PIXELS, description="Side in pixels; else the recipe's or the space's."
    )
    skip_broken: bool = Field(default=False, description="Leave out images that cannot be decoded.")
    recipe: str | JsonObject | None = Field(
        default=None,
        description="Changes of the suite's recipe for this data set, such as {epochs: 40}, or a named recipe; those "
        "of a model come after them.",
    )
    task: str | JsonObject = Field(
        default=DEFAULT.name, description="What networks are trained for: a named task, or {name: NAME, ...options}."
    )


class Comparison(Strict):
    """One declared comparison: each candidate against the baseline, paired by data set, budget and seed."""

    metric: str | None = Field(default=None, description="As in records; else the primary metric on the test part.")
    baseline: str = Field(description="A model of the suite.")
    candidates: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="Models of the suite, each compared with the baseline."
    )
    margin: float | None = Field(
        default=None, ge=0, description="Non-inferiority margin, in percentage points or the unit of the metric."
    )


class SuiteFile(Strict):
    """A suite: data sets x models x budgets x seeds, each of which is a cell."""

    schema_: Literal[1] = Field(alias="schema", description="Of this format.")
    name: Name = Field(description="The folder of its results.")
    title: str = Field(default="", description="The heading of its report.")
    fidelity: Literal["full", "smoke"] = Field(default="full", description="Smoke results stay out of paper tables.")
    extends: str | None = Field(
        default=None,
        description="A suite file or shipped suite that this one changes. Data sets and models are added to those of "
        "the other, where null removes one; any other key replaces the other's.",
    )
    datasets: dict[Name, DatasetEntry] = Field(min_length=1, description="By name.")
    space: str | JsonObject = Field(
        description="A named space, or {base: NAME, dimension: [...]}. A model whose system needs another kind of "
        "space takes the named one of that kind for the size of the images, or names its own."
    )
    recipe: str | JsonObject = Field(description="A named recipe, {base: NAME, ...changes}, or written out.")
    budgets: Annotated[tuple[Budget, ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="MACs, as 4M, 1.8G or a number; each model is built or searched to fit under each."
    )
    models: dict[Name, JsonObject] = Field(min_length=1, description="By name: {system: NAME, ...options}.")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), AfterValidator(_distinct)] = Field(
        description="Each is a repetition with a split, initial weights and batches of its own. With {start: 3, most: "
        "12, until: decided} instead of a list, seeds are added until every declared comparison is decided."
    )
    comparisons: tuple[Comparison, ...] = Field(default=(), description="What is tested, and nothing else is.")


@dataclass(frozen=True)
class Model:
    """A model of a suite with its names resolved. ``space`` is what the model names, else the suite's; ``recipes`` has
    the recipe of each data set that changes it.
    """

    system: str
    options: BaseModel
    space: Space
    recipe: Recipe
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    def on(self, dataset: str) -> Self:
        """The model as it is trained on a data set."""
        return replace(self, recipe=self.recipes.get(dataset, self.recipe))

    def resolution(self, of_data: int | None) -> int:
        """Side of the images: what their data set says, else the recipe, else the space."""
        return of_data or self.recipe.resolution or self.space.resolution

    def space_at(self, resolution: int) -> Space:
        """The space for images of this size: where the suite's is of a kind that the system does not work on, the named
        one of its own kind for them.
        """
        kind = SYSTEMS.get(self.system).space_kind
        return self.space if kind in (None, self.space.kind) else space_for(kind, resolution)


@dataclass(frozen=True)
class Suite:
    """A checked suite. ``bases`` has the folder from which each data set's relative path starts."""

    name: str
    title: str
    fidelity: Literal["full", "smoke"]
    datasets: Mapping[str, DatasetEntry]
    tasks: Mapping[str, Task]
    bases: Mapping[str, Path]
    models: Mapping[str, Model]
    budgets: tuple[int, ...]
    seeds: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    document: Document
    seed_plan: SeedPlan | None = None

    def at(self, seeds: int) -> "Suite":
        """The suite at the look of so many seeds."""
        return replace(self, seeds=tuple(range(seeds)))


def shipped_folder() -> Path:
    """The folder of the shipped suites: in the installed package, or ``suites/`` of a checkout."""
    packaged = Path(__file__).parents[1] / "shipped"
    return packaged if packaged.is_dir() else packaged.parents[1] / "suites"


def shipped_suites() -> dict[str, Path]:
    """Name and file of each shipped suite."""
    return {path.stem: path for path in sorted(shipped_folder().glob("*.yaml"))}


def load_suite(name: str | Path) -> Suite:
    """The suite in a file, or the shipped suite of that name; UsageError for the first fault in it."""
    return suite_of(read_document(name))


def read_document(name: str | Path) -> Document:
    """The file of a suite as a document, joined with the file that it extends."""
    document = read_yaml(find_suite(name))
    if "extends" not in document.value:
        return document
    if not isinstance(document.value["extends"], str):
        raise document.error(("extends",), "extends: give the path of a suite file or the name of a shipped suite.")
    if "name" not in document.value:
        raise document.error(("extends",), 'a suite that extends another needs a "name" of its own.')
    base = read_yaml(find_suite(document.value["extends"], document.path.parent))
    if "extends" in base.value:
        raise document.error(("extends",), f"{base.path} extends another suite itself; one level is the limit.")
    return document.over(base, _MERGED)


def find_suite(name: str | Path, folder: Path = Path()) -> Path:
    """The file of a suite; UsageError with the nearest shipped name where there is none.

    Args:
        name: name of a shipped suite, or a path.
        folder: where a relative path starts.
    """
    shipped = shipped_suites()
    if str(name) in shipped:
        return shipped[str(name)]
    path = folder / name
    if path.is_file():
        return path
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name a suite file in it.")
    if path.suffix in SUFFIXES or len(path.parts) > 1:
        raise UsageError(f"there is no suite file {path}.")
    raise UsageError(f'there is no suite "{name}"; {nearest(str(name), list(shipped))}')


_ALIASES = [field.alias or name for name, field in SuiteFile.model_fields.items()]


def _owner(place: Place) -> tuple[str, list[str]]:
    """Title and allowed keys of the part of a suite at ``place``, for ``explained``."""
    match place:
        case ("datasets", name):
            return f'data set "{name}"', list(DatasetEntry.model_fields)
        case ("comparisons", int(number)):
            return f"comparison {number + 1}", list(Comparison.model_fields)
    return "the suite", _ALIASES


def suite_of(document: Document) -> Suite:
    """The suite that a document says; UsageError for the first fault in it."""
    seed_plan = _seed_plan(document)
    value = document.value | ({"seeds": list(range(seed_plan.start))} if seed_plan else {})
    try:
        file = SuiteFile.model_validate(value)
    except ValidationError as error:
        raise explained(error, document, (), _owner) from None
    cells = len(file.datasets) * len(file.models) * len(file.budgets) * len(file.seeds)
    if cells > MOST_CELLS:
        raise document.error((), f"it has {cells:,} cells; the limit is {MOST_CELLS:,}. Divide it into several suites.")
    for key, names in (("datasets", file.datasets), ("models", file.models)):
        if PHASES in names:  # a folder of that name holds no cells
            raise document.error((key, PHASES), f'nothing can be called "{PHASES}"; choose another name.')
    if file.name == PHASES:
        raise document.error(("name",), f'nothing can be called "{PHASES}"; choose another name.')
    tasks = {name: _task(document, name, entry) for name, entry in file.datasets.items()}
    models = {name: _model(document, file, name) for name in file.models}
    for i, comparison in enumerate(file.comparisons):
        _check_models(document, i, comparison, list(models))
        _check_metric(document, i, comparison, tasks.values())
    if seed_plan and (not file.comparisons or any(comparison.margin is None for comparison in file.comparisons)):
        message = "seeds until decided need comparisons, each with a margin: without one, equal models stay undecided."
        raise document.error(("seeds", "until"), message)
    return Suite(
        name=file.name,
        title=file.title,
        fidelity=file.fidelity,
        datasets=file.datasets,
        tasks=tasks,
        bases={name: document.where(("datasets", name, "source")).folder for name in file.datasets},
        models=models,
        budgets=file.budgets,
        seeds=file.seeds,
        comparisons=tuple(_with_metric(comparison, tasks.values()) for comparison in file.comparisons),
        document=document,
        seed_plan=seed_plan,
    )


def _seed_plan(document: Document) -> SeedPlan | None:
    """What the suite says of added seeds; None where it lists them."""
    seeds = document.value.get("seeds")
    if not isinstance(seeds, dict):
        return None
    try:
        return SeedPlan.model_validate(seeds)
    except ValidationError as error:
        raise explained(error, document, ("seeds",), Owner("seeds", (), SeedPlan).at) from None


def _model(document: Document, file: SuiteFile, name: str) -> Model:
    place: Place = ("models", name)
    entry = dict(file.models[name])
    if "system" not in entry:
        raise document.error(place, f'model "{name}" has no "system"; give one of {", ".join(SYSTEMS.names())}.')
    system = entry.pop("system")
    try:
        declared: AnySystem = SYSTEMS.get(str(system))
    except UsageError as error:
        raise document.error((*place, "system"), f'model "{name}": {error}') from None
    recipe = _recipe(document, file.recipe, ("recipe",))
    recipes = {
        dataset: _recipe(document, _change(of_data.recipe, recipe), ("datasets", dataset, "recipe"))
        for dataset, of_data in file.datasets.items()
        if of_data.recipe is not None
    }
    if "recipe" in entry:
        changes, at = entry.pop("recipe"), (*place, "recipe")
        recipe = _recipe(document, _change(changes, recipe), at)
        recipes = {dataset: _recipe(document, _change(changes, base), at) for dataset, base in recipes.items()}
    options_type: type[BaseModel] = declared.options_type
    space = _space(document, file.space, ("space",))
    if "space" in entry:
        space = _space(document, _change(entry.pop("space"), file.space), (*place, "space"))
        kind = declared.space_kind
        if kind not in (None, space.kind):
            message = f'model "{name}": system {system} needs a {kind} space, not {space.name}.'
            raise document.error((*place, "space"), message)
    try:
        options = options_type.model_validate(entry, context={FOLDER: document.where(place).folder})
    except ValidationError as error:
        owner = Owner(f'model "{name}"', ("system", "recipe", "space"), options_type)
        raise explained(error, document, place, owner.at) from None
    return Model(system, options, space, recipe, recipes)


def _change(override: Any, base: Any) -> Any:
    """The space or recipe of a model: a name, or a mapping with the suite's as its base unless it names another."""
    return {"base": base, **override} if isinstance(override, dict) else override


def _recipe(document: Document, value: Any, place: Place) -> Recipe:
    if not isinstance(value, str | dict):
        raise document.error(place, "recipe: give the name of a recipe or a mapping.")
    try:
        return resolve_recipe(value)
    except RecipeError as error:
        raise document.error((*place, *error.path), str(error)) from None


def _space(document: Document, value: Any, place: Place) -> Space:
    if not isinstance(value, str | dict):
        raise document.error(place, "space: give the name of a space or a mapping of its dimensions.")
    try:
        return resolve_space(value)
    except UsageError as error:
        raise document.error(place, str(error)) from None


def _task(document: Document, name: str, entry: DatasetEntry) -> Task:
    try:
        return resolve_task(entry.task)
    except UsageError as error:
        raise document.error(("datasets", name, "task"), f'data set "{name}": {error}') from None


def _with_metric(comparison: Comparison, tasks: Collection[Task]) -> Comparison:
    """A comparison that names its metric, unless data sets of several tasks have different primary ones."""
    primary = {task.primary.name for task in tasks}
    if comparison.metric is not None or len(primary) > 1:
        return comparison
    return comparison.model_copy(update={"metric": f"test_{primary.pop()}"})


def _check_models(document: Document, number: int, comparison: Comparison, models: list[str]) -> None:
    place: Place = ("comparisons", number)
    for key, name in [("baseline", comparison.baseline), *(("candidates", name) for name in comparison.candidates)]:
        if name not in models:
            message = f'comparison {number + 1} names the model "{name}", which is not in the suite; '
            raise document.error((*place, key), message + nearest(name, models))
    if comparison.baseline in comparison.candidates:
        message = f'comparison {number + 1} compares "{comparison.baseline}" with itself; drop it from the candidates.'
        raise document.error(place, message)


def _check_metric(document: Document, number: int, comparison: Comparison, tasks: Collection[Task]) -> None:
    if comparison.metric is None or any(task.info.metric_of(comparison.metric) for task in tasks):
        return
    known = dict.fromkeys(f"test_{metric.name}" for task in tasks for metric in task.metrics)
    message = f'comparison {number + 1} is of "{comparison.metric}", which no task of the suite measures; '
    raise document.error(("comparisons", number, "metric"), message + nearest(comparison.metric, list(known)))
