"""A read-only mapping whose changed copy costs the size of its newest layer, not of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Generic, TypeVar

__all__ = ["Layered"]

K = TypeVar("K")
V = TypeVar("V")
YOUNG: Final = 128
"""Entries of the newest layer; then it is merged into the old one."""


class Layered(Mapping[K, V], Generic[K, V]):
    """What is remembered of thousands of past events, in the order in which it came.

    No layer is changed after it was made: copies share the old one.
    """

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        self._old: dict[K, V] = {}
        self._young: dict[K, V] = {}

    @classmethod
    def of(cls, old: Iterable[tuple[K, V]], young: Iterable[tuple[K, V]] = ()) -> Layered[K, V]:
        """One that remembers both layers, oldest first: it goes on as the one that had them."""
        return cls._of(dict(old), dict(young))

    @property
    def layers(self) -> tuple[Mapping[K, V], Mapping[K, V]]:
        """The old layer and the newest one: what is forgotten when depends on both."""
        return self._old, self._young

    def with_entry(
        self, key: K, value: V, *, keep: int, needed: Callable[[V], bool] | None = None
    ) -> Layered[K, V]:
        """A copy with one more entry, or another value for a known key.

        At least the newest `keep` entries stay, and all that are `needed`; what is older goes when layers
        are merged.
        """
        young = self._young.copy()
        young[key] = value
        if len(young) < YOUNG:
            return self._of(self._old, young)
        merged = self._old | young
        for oldest in list(merged)[: max(0, len(merged) - keep)]:
            if needed is None or not needed(merged[oldest]):
                del merged[oldest]
        return self._of(merged, {})

    def __getitem__(self, key: K) -> V:
        return self._young[key] if key in self._young else self._old[key]

    def __iter__(self) -> Iterator[K]:
        yield from self._old
        yield from (key for key in self._young if key not in self._old)

    def __len__(self) -> int:
        return len(self._old) + sum(key not in self._old for key in self._young)

    def __contains__(self, key: object) -> bool:
        return key in self._young or key in self._old

    def __repr__(self) -> str:
        return f"Layered({dict(self)!r})"

    @staticmethod
    def _of(old: dict[K, V], young: dict[K, V]) -> Layered[K, V]:
        fresh: Layered[K, V] = Layered()
        fresh._old, fresh._young = old, young
        return fresh
