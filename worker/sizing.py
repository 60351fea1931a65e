"""How many entities a slot claims at once. Pure.

One at first, so that an idle system answers at once; twice as many while claims come back full and a batch is quick; half
as many as soon as it is not; and never so many that other slots find nothing to do that is worth a claim.
"""

from dataclasses import dataclass, field

MOST = 128
BUDGET = 0.05
"""Seconds that a batch should take at most."""
SHARE = 4
"""A claim takes at most one part in `SHARE` × slots of what is queued."""
TRIFLE = 0.005
"""Seconds of work that are not worth sharing: to wake another slot, to claim and to end there takes a millisecond or two."""


@dataclass(slots=True)
class Sizing:
    """The size of a slot's next claim, `most` at most."""

    size: int = 1
    most: int = MOST
    _flow: str = ""
    _slowest: float = 0.0
    _known: dict[str, float] = field(default_factory=dict)
    """By flow, the most seconds that an entity took in a batch of the last wave; of the one under way, `_slowest`."""

    def note(self, claimed: int, seconds: float, queued: int, slots: int, *, wanted: int = 0) -> None:
        """A batch of `claimed` entities took `seconds`; `queued` are left for `slots` slots. `wanted`: how many it was to be, if that was
        decided when the size was another."""
        wanted = wanted or self.size
        if seconds > BUDGET:
            self.size = max(1, min(self.size, int(claimed * BUDGET / seconds)))
        elif claimed >= wanted and seconds * 2 <= BUDGET:
            self.size = min(self.most, max(self.size, wanted * 2))
        self._slowest = max(self._slowest, seconds / claimed)
        self.size = max(1, min(self.size, max(queued // (SHARE * max(slots, 1)), _trifles(self._slowest))))

    def restart(self, flow: str) -> None:
        """Another wave comes: back to one, or to what is a trifle if its entities take as long as the slowest of the flow's last wave."""
        if self._slowest:
            self._known[self._flow] = self._slowest
        self._flow, self._slowest = flow, 0.0
        self.size = max(1, min(self.most, _trifles(self._known.get(flow, TRIFLE))))


def _trifles(seconds: float) -> int:
    """How many entities are a trifle together, when each takes so long."""
    return int(TRIFLE / max(seconds, TRIFLE / MOST))
