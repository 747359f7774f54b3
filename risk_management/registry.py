"""One registry for everything that can be added by name: checks, VaR methods, sources, channels.

Built-in parts register from a static list in their package, third parties by entry points of the
group ``risk_management.<kind>``. A broken extension or a name claimed twice stops the start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from risk_management.errors import RegistryError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Named parts of one kind, in the order of their registration.

    Parameters
    ----------
    kind : str
        What is registered, for errors and for the entry-point group ``risk_management.<kind>``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._parts: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that files a part under `name`; a second claim raises RegistryError."""

        def file(part: T) -> T:
            if name in self._parts:
                raise RegistryError(f"{self.kind} {name!r} is registered twice; rename one of them")
            self._parts[name] = part
            return part

        return file

    def load_entry_points(self) -> None:
        """Register the installed third-party parts of this kind."""
        for point in entry_points(group=f"risk_management.{self.kind}"):
            try:
                part = point.load()
            except (ImportError, AttributeError) as problem:
                raise RegistryError(
                    f"{self.kind} {point.name!r} of {point.value!r} can't be loaded: {problem}"
                ) from problem
            self.register(point.name)(part)

    def get(self, name: str) -> T:
        """The part filed under `name`; RegistryError lists the known names."""
        try:
            return self._parts[name]
        except KeyError:
            known = ", ".join(sorted(self._parts))
            raise RegistryError(f"no {self.kind} is called {name!r}; known: {known}") from None

    def items(self) -> Iterator[tuple[str, T]]:
        """Pairs of name and part."""
        return iter(tuple(self._parts.items()))

    def names(self) -> tuple[str, ...]:
        """All names, in order of registration."""
        return tuple(self._parts)

    def __contains__(self, name: object) -> bool:
        return name in self._parts

    def __len__(self) -> int:
        return len(self._parts)
