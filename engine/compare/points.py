"""The numbers in a value, by curve and by the hour that they are about. Pure."""

from __future__ import annotations

from typing import Any

from engine.curves import curves_of, is_date, is_number
from engine.keys import Date

MOST = 20
"""Curves of a value that are compared."""
SINGLE = ""
"""The name of a value that is one number."""

Points = dict[str, dict[str, float]]
"""By curve, by point: a date, or a place in a list."""


def points_of(value: Any, date: Date, horizon: int) -> Points:
    """The curves of a value of `date`: first those of dates, then those put together of rows and lists, then single numbers; of a task with a
    horizon (in steps) the places of a list are the coming dates. A single number is about the value's own date."""
    if is_number(value):
        return {SINGLE: {str(date): float(value)}} if abs(value) < 1e308 else {}
    dated: Points = {}
    others: Points = {}
    for curve in curves_of(value):
        if all(is_date(x) for x, _ in curve.points):
            (others if curve.rows else dated)[curve.name] = dict(curve.points)
        elif horizon and len(curve.points) <= horizon + 1:
            dated[curve.name] = {str(date.shift(int(x))): y for x, y in curve.points}
        else:
            others[curve.name] = dict(curve.points)
    found = {**dated, **others}
    if isinstance(value, dict):
        single = {k: v for k, v in value.items() if is_number(v) and abs(v) < 1e308 and k not in found and not is_date(k)}
        found |= {str(k): {str(date): float(v)} for k, v in single.items()}
    return dict(list(found.items())[:MOST])


class Facts:
    """What really happened to an entity, by curve and date: of each date what was told last, and not before it had begun."""

    def __init__(self) -> None:
        self._told: Points = {}

    def add(self, value: Any, date: Date) -> None:
        """What a value told at `date`; later ones after earlier ones."""
        for name, numbers in points_of(value, date, 0).items():
            known = {at: number for at, number in numbers.items() if is_date(at) and len(at) == len(date) and at <= date}
            self._told.setdefault(name, {}).update(known)

    @property
    def names(self) -> list[str]:
        """The curves that told anything."""
        return [name for name, numbers in self._told.items() if numbers]

    def of(self, curve: str) -> dict[str, float]:
        """What to hold against a forecast's curve: the one of its name, or the only one; nothing where several others might be meant."""
        return self._told[curve] if curve in self._told else next(iter(self._told.values())) if len(self._told) == 1 else {}


def chosen(curves: Points, wanted: str) -> str | None:
    """The curve that stands for a value: the wanted one, else the first; None where it has it not."""
    if wanted:
        return wanted if wanted in curves else None
    return next(iter(curves), None)
