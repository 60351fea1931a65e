"""Rows that a person has marked, to act on them together. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence


class Marks:
    """Marks by what rows are about, so that they stay with it when rows move."""

    def __init__(self) -> None:
        self._marked: dict[Hashable, None] = {}
        self._last: Hashable | None = None

    def __contains__(self, key: Hashable) -> bool:
        return key in self._marked

    def __len__(self) -> int:
        return len(self._marked)

    def __iter__(self) -> Iterator[Hashable]:
        """In the order in which they were marked."""
        return iter(self._marked)

    def toggle(self, key: Hashable) -> None:
        """Marks, or takes the mark away."""
        if key in self._marked:
            del self._marked[key]
        else:
            self._marked[key] = None
        self._last = key

    def to(self, row: int, keys: Sequence[Hashable]) -> None:
        """Marks all rows from the one that was last marked to `row`; `keys` are those of all rows, in order."""
        start = keys.index(self._last) if self._last in keys else row
        low, high = sorted((start, row))
        self._marked |= dict.fromkeys(keys[low : high + 1])
        self._last = keys[row]

    def clear(self) -> None:
        """Takes all marks away."""
        self._marked.clear()
        self._last = None


def lead(here: bool, marked: bool) -> str:
    """The two cells before a row: the cursor, the mark."""
    return ("▸" if here else " ") + ("+" if marked else " ")
