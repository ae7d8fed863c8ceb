"""The tasks by name. Adding one: its file or folder, and a line here (``docs/adding-task.md``)."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from trionet_bench.errors import UsageError, nearest
from trionet_bench.registry import Registry
from trionet_bench.tasks.base import Task
from trionet_bench.tasks.classification.task import Classification
from trionet_bench.tasks.context.task import ContextAutoRegression
from trionet_bench.tasks.retrieval.task import Retrieval


@dataclass(frozen=True)
class TaskKind:
    """A registered task: its name and the class whose fields are its options."""

    task: type[Task]

    @property
    def name(self) -> str:
        """As suites say it."""
        return self.task.name


DEFAULT = Classification()
TASKS: Registry[TaskKind] = Registry(
    "task", [TaskKind(Classification), TaskKind(ContextAutoRegression), TaskKind(Retrieval)]
)


def resolve_task(value: str | Mapping[str, object]) -> Task:
    """A task from its name, or from ``{name: NAME, ...options}``; UsageError for an unknown name, option or value."""
    options = dict(value) if isinstance(value, Mapping) else {"name": value}
    if "name" not in options:
        raise UsageError(f'a task has no "name"; give one of {", ".join(TASKS.names())}.')
    kind = TASKS.get(str(options.pop("name"))).task
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        key = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            allowed = list(kind.model_fields)
            hint = nearest(key, allowed) if allowed else "it has no options."
            raise UsageError(f'task {kind.name} has no option "{key}"; {hint}') from None
        raise UsageError(f"task {kind.name}: {key}: {fault['msg'].removeprefix('Value error, ')}.") from None
