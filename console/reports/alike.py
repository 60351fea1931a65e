"""What else in a wave is like a failed cell, and which entity beside it is well."""

from __future__ import annotations

import re
from dataclasses import dataclass

from console.reports.failures import families
from console.reports.inputs import neighbour
from console.reports.used import short_date
from engine.keys import decode_entity
from engine.store.connect import Client
from engine.store.wave import Wave
from engine.store.waves import Waves

_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d)?")


@dataclass(frozen=True)
class Alike:
    """Of the family of a failed cell: how many others there are, when the first ended (ISO 8601), `new since T22` or since when it is
    known, and the family's key; `near`: a healthy neighbour as users write it."""

    others: int = 0
    first: str | None = None
    news: str = ""
    family: str = ""
    near: str = ""


def alike(redis: Client, wave: Wave, number: int, task: str) -> Alike | None:
    """What is like a cell that failed or was blocked; None when no family has it (yet)."""
    store = Waves(redis)
    near = neighbour(store, wave, number, task)
    name = decode_entity(near.key) if near else ""
    for family in families(redis, wave):
        if family.task == task and number in family.numbers:
            news = _DATE.sub(lambda date: short_date(date[0], wave.date), family.news)
            return Alike(family.count - 1, family.first, news, family.key, name)
    return None
