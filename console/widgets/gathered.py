"""Names of which some are not known yet, because each costs a trip over a slow link."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import overload

NOT_YET = "…"


class Gathered(Sequence[str]):
    """`n` texts; those that nobody has brought yet are `…`. One thread may bring while others read."""

    def __init__(self, n: int) -> None:
        self._n = n
        self._known: dict[int, str] = {}

    def bring(self, texts: Mapping[int, str]) -> None:
        """Makes texts known."""
        self._known = {**self._known, **texts}

    def missing(self, numbers: Iterable[int]) -> list[int]:
        """Those of `numbers` that are not known, in order."""
        return sorted(number for number in set(numbers) if number not in self._known)

    @property
    def known(self) -> Collection[str]:
        """The texts that are known; another object when there are others."""
        return self._known.values()

    @property
    def number(self) -> int:
        """How many are known."""
        return len(self._known)

    def __len__(self) -> int:
        return self._n

    def __iter__(self) -> Iterator[str]:
        return (self._known.get(number, NOT_YET) for number in range(self._n))

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> list[str]: ...
    def __getitem__(self, number: int | slice) -> str | list[str]:
        if isinstance(number, slice):
            return [self._known.get(n, NOT_YET) for n in range(self._n)[number]]
        return self._known.get(range(self._n)[number], NOT_YET)
