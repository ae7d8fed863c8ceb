"""Named things of one kind that more can be added to: systems, tasks, operators, data sources.

What is registered is a declaration that loads no torch. Its implementation is named by a string and imported on first
use, so that ``--help`` and plans stay fast.
"""

from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Generic, Protocol, TypeVar

from trionet_bench.errors import UsageError, nearest


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Items of one kind by name, in the order of registration.

    Args:
        kind: what an item is called in messages, such as "system".
        items: registered from the start.
        clash: names another item that the new one cannot stand beside, or None; checked besides equal names.
    """

    def __init__(
        self, kind: str, items: Iterable[T] = (), clash: Callable[[T, T], str | None] = lambda new, old: None
    ) -> None:
        self.kind = kind
        self._clash = clash
        self._items: dict[str, T] = {}
        for item in items:
            self.register(item)

    def register(self, item: T) -> T:
        """Add an item and return it; UsageError where its name or another mark of it is taken by a different item."""
        for other in self._items.values():
            if other is item:
                return item
            if other.name == item.name:
                raise UsageError(f'the {self.kind} "{item.name}" exists already; choose another name.')
            if reason := self._clash(item, other):
                raise UsageError(f'{self.kind} "{item.name}" cannot be registered beside "{other.name}": {reason}')
        self._items[item.name] = item
        return item

    def unregister(self, name: str) -> None:
        """Take an item out again, as a test does at its end; UsageError where there is none."""
        del self._items[self.get(name).name]

    def get(self, name: str) -> T:
        """The item of that name; UsageError with the nearest name where there is none."""
        if name not in self._items:
            raise UsageError(f'unknown {self.kind} "{name}"; {nearest(name, self.names())}')
        return self._items[name]

    def names(self) -> list[str]:
        """All names, in the order of registration."""
        return list(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(list(self._items.values()))

    def __contains__(self, name: object) -> bool:
        return name in self._items


def resolve(reference: str) -> object:
    """What ``module:attribute`` names, its module imported; ImportError or KeyError where there is none."""
    module, _, attribute = reference.partition(":")
    return vars(import_module(module))[attribute]
