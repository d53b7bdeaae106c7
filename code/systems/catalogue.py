"""A named collection whose members are attributes: `KnownGPU.L40S`, `KnownSystem.ND_H100_v5`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from code.common.errors import nearest


class Named(Protocol):
    """An item of a catalogue: anything with a name."""

    @property
    def name(self) -> str: ...


M = TypeVar("M", bound=Named)


class Catalogue(Generic[M]):
    """Members by name, as attributes or by index. Reads like an enum: iterable, `in`, `len`, `KnownX["name"]`.

    Args:
        title: name of the collection in configs, such as "KnownGPU".
        load: returns the members in order, on first use. Called again after `forget`.
    """

    def __init__(self, title: str, load: Callable[[], Mapping[str, M]]) -> None:
        self._title = title
        self._load = load
        self._members: Mapping[str, M] | None = None

    def _all(self) -> Mapping[str, M]:
        if self._members is None:
            self._members = self._load()
        return self._members

    def forget(self) -> None:
        """Reload the members at the next use."""
        self._members = None

    def names(self) -> list[str]:
        """The members' names, in order."""
        return list(self._all())

    def get(self, name: str) -> M | None:
        """The member of that exact name, or None."""
        return self._all().get(name)

    def __getattr__(self, name: str) -> M:
        if name.startswith("__"):  # looked up by a protocol (copy, pickle, inspect), not by a user
            raise AttributeError(name)
        found = self._all().get(name)
        if found is None:
            like = nearest(name, self._all())
            hint = f"; the nearest is {self._title}.{like}" if like else ""
            raise AttributeError(f"{self._title} has no member {name!r}{hint}", name=name, obj=self)
        return found

    def __getitem__(self, name: str) -> M:
        try:
            return self.__getattr__(name)
        except AttributeError as error:
            raise KeyError(str(error)) from error

    def __iter__(self) -> Iterator[M]:
        return iter(list(self._all().values()))

    def __contains__(self, item: Any) -> bool:
        return (item if isinstance(item, str) else getattr(item, "name", None)) in self._all()

    def __len__(self) -> int:
        return len(self._all())

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._all()]

    def __repr__(self) -> str:
        return f"<{self._title}: {len(self)} members>"
