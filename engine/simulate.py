"""How long a wave takes on so many slots, and in which order its entities are best served. Pure.

An entity runs on one slot from end to end, and a slot that is free takes the next one of the queue: list scheduling. What it gives lies
between two bounds that hold for every order: nobody is sooner than all slots together, or than the longest entity alone; and no order
is later than all slots together and the longest entity after that (Graham 1966).
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WORTH_MOVING = 0.02
"""An entity goes to the front when it takes this share of what all slots together need for the wave: what is left for the end can then
make it no longer than that."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds that no order of the queue goes below, and that none exceeds."""

    soonest: float
    latest: float


def makespan(seconds: Iterable[float], ready: Sequence[float], least: Sequence[float] = ()) -> float:
    """When the last entity has ended.

    Parameters:
        seconds: what each entity takes of a slot, in the order of the queue.
        ready: when each slot takes its first entity.
        least: what each entity takes at least from its start to its end, where that is more than of its slot: it waits there while
            others use the slot.
    """
    slots = list(ready)
    heapq.heapify(slots)
    last = 0.0
    if least:
        for own, whole in zip(seconds, least, strict=True):
            began = slots[0]
            heapq.heapreplace(slots, began + own)
            last = max(last, began + max(own, whole))
        return last
    for own in seconds:
        ended = slots[0] + own
        heapq.heapreplace(slots, ended)
        last = max(last, ended)
    return last


def bounds(seconds: Sequence[float], slots: int, least: Sequence[float] = ()) -> Bounds:
    """What holds for every order, when all slots are there from the beginning."""
    together = sum(seconds) / max(slots, 1)
    longest = max((*least, *seconds), default=0.0)
    return Bounds(max(together, longest), together + longest)


def front(seconds: Sequence[float], slots: int) -> list[int]:
    """The places of the entities that should be served before all others, the longest first: those that could hold up the end."""
    mark = WORTH_MOVING * sum(seconds) / max(slots, 1)
    found = [place for place, own in enumerate(seconds) if own >= mark > 0]
    return sorted(found, key=lambda place: -seconds[place])


def moved(order: Sequence[int], first: Sequence[int]) -> list[int]:
    """`order` with `first` before all others."""
    ahead = set(first)
    return [*first, *(place for place in order if place not in ahead)]
