"""Longest first: which entities go to the front of a wave's queue, because they could hold up its end.

Only a few do: what is short fills the gaps that long ones leave, in whatever order. So the few that take 2 % or more of the ideal time of
the wave go first and all others stay where they are. What is expected of an entity comes from the waves before; whether it is worth
anything is found out on each new wave, by simulating it in the usual order and in the one that was expected to be better.
"""

from collections.abc import Sequence
from statistics import fmean, pstdev

from engine.simulate import front, makespan, moved
from engine.store.connect import Client
from engine.store.ledger import MOST_LONGEST, Ledger, Longest

WORTH = 0.05
"""The queue is ordered when the last wave would have been shorter by this share."""

Member = tuple[str, str]


def usual(member: Member) -> tuple[str, str]:
    """By what a wave's members are ordered when nothing else is known: partition, then entity."""
    return member[1], member[0]


def first(redis: Client, version: str, flow: str, members: list[Member]) -> list[Member]:
    """`members` with those before all others that usually take longest, where that made the last wave shorter; else as they are."""
    return ahead(Ledger(redis, version).longest(flow), members)


def ahead(longest: Longest, members: list[Member]) -> list[Member]:
    """`first`, of what is known. Pure."""
    if longest.gain is None or longest.gain < WORTH:
        return members
    rank = {entity: place for place, (entity, _) in enumerate(longest.entities)}
    long = sorted((member for member in members if member[0] in rank), key=lambda member: rank[member[0]])
    return [*long, *(member for member in members if member[0] not in rank)]


def expect(before: Longest, wave: str, members: Sequence[Member], costs: Sequence[float], slots: int) -> Longest:
    """What the next wave is to expect, after one whose `members` took `costs` seconds of a slot each. Pure.

    The gain is what `before` would have been worth: nothing of the wave itself went into that order.
    """
    if len(members) <= slots or not any(costs):
        return Longest()
    order = sorted(range(len(members)), key=lambda place: usual(members[place]))
    places = {member[0]: place for place, member in enumerate(members)}
    gain = None
    if before.entities:
        ahead = [places[entity] for entity, _ in before.entities if entity in places]
        then, now = ([costs[place] for place in some] for some in (order, moved(order, ahead)))
        plain = makespan(then, [0.0] * slots)
        gain = 1 - makespan(now, [0.0] * slots) / plain if plain else 0.0
        gain = round(gain if before.gain is None else (before.gain + gain) / 2, 3)  # one wave may be chance
    known = dict(before.entities)
    expected = [(cost + known.get(member[0], cost)) / 2 for member, cost in zip(members, costs, strict=True)]
    ahead = front(expected, slots)[:MOST_LONGEST]
    return Longest([(members[place][0], round(expected[place], 3)) for place in ahead], gain, wave)


def variation(costs: Sequence[float]) -> float:
    """The coefficient of variation of what entities took: 0 when all took the same."""
    mean = fmean(costs) if costs else 0.0
    return pstdev(costs) / mean if mean else 0.0
