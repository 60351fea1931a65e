"""How many entities a slot claims at once. Pure.

One at first, so that an idle system answers at once; twice as many while claims come back full and a batch is quick; half
as many as soon as it is not; and never so many that other slots find nothing.
"""

from dataclasses import dataclass

MOST = 64
BUDGET = 0.05
"""Seconds that a batch should take at most."""
SHARE = 4
"""A claim takes at most one part in `SHARE` × slots of what is queued."""


@dataclass(slots=True)
class Sizing:
    """The size of a slot's next claim, `most` at most."""

    size: int = 1
    most: int = MOST

    def note(self, claimed: int, seconds: float, queued: int, slots: int, *, wanted: int = 0) -> None:
        """A batch of `claimed` entities took `seconds`; `queued` are left for `slots` slots. `wanted`: how many it was to be, if that was
        decided when the size was another."""
        wanted = wanted or self.size
        if seconds > BUDGET:
            self.size = max(1, min(self.size, int(claimed * BUDGET / seconds)))
        elif claimed >= wanted and seconds * 2 <= BUDGET:
            self.size = min(self.most, max(self.size, wanted * 2))
        self.size = max(1, min(self.size, queued // (SHARE * max(slots, 1))))

    def restart(self) -> None:
        """Back to one."""
        self.size = 1
