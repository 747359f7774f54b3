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
    def of(cls, entries: Iterable[tuple[K, V]]) -> Layered[K, V]:
        """One that remembers these, oldest first."""
        return cls._of(dict(entries), {})

    def with_entry(
        self, key: K, value: V, *, keep: int, needed: Callable[[V], bool] | None = None
    ) -> Layered[K, V]:
        """A copy with one more entry, or another value for a known key.

        The newest `keep` entries stay, and all that are `needed`; what is older goes once there are `YOUNG`
        more. That hangs on the entries alone and not on how they lie in layers: one that was put together
        from a snapshot forgets at the same moments.
        """
        old, young = self._old, self._young.copy()
        young[key] = value
        if len(young) >= YOUNG:
            old, young = old | young, {}
        fresh = self._of(old, young)
        if len(old) + len(young) < keep + YOUNG or len(fresh) < keep + YOUNG:
            return fresh
        entries = old | young
        for oldest in list(entries)[: len(entries) - keep]:
            if needed is None or not needed(entries[oldest]):
                del entries[oldest]
        return self._of(entries, {})

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
