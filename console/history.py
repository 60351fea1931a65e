"""The places that were visited, as a browser keeps them: back, forward, and the last one. Pure."""

from __future__ import annotations

from console.locator import Locator

LONGEST = 100


class History:
    """Places in the order of visits, and where in it one is."""

    def __init__(self) -> None:
        self._places: list[Locator] = []
        self._at = -1
        self._before: Locator | None = None

    @property
    def here(self) -> Locator | None:
        """The place one is at."""
        return self._places[self._at] if self._places else None

    @property
    def last(self) -> Locator | None:
        """The place one was at before this one, whichever way one came here."""
        return self._before

    def visit(self, place: Locator) -> None:
        """One is at `place` now. What lay ahead is forgotten; being where one is already is no visit, but may know more of it."""
        if place.same(self.here):
            self._places[self._at] = place
            return
        self._before = self.here
        self._places = [*self._places[: self._at + 1], place][-LONGEST:]
        self._at = len(self._places) - 1

    def amend(self, place: Locator) -> None:
        """Where one is turned out to be `place`: no other visit."""
        if self._places:
            self._places[self._at] = place

    def step(self, steps: int) -> Locator | None:
        """Goes back (negative) or forward; where one is then, None when there is nothing that way."""
        to = self._at + steps
        if not 0 <= to < len(self._places):
            return None
        self._before, self._at = self.here, to
        return self.here
