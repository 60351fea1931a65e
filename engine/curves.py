"""Curves in values: which numbers of a pipe belong together, and to which dates. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from engine.errors import BadKey
from engine.keys import Date

DEEP, LONGEST = 4, 10_000
"""Levels of a value that are looked through for curves, and points of a curve."""


@dataclass(frozen=True)
class Curve:
    """Points (x, y) under a name. `role`: this, earlier (an older forecast), observed (what really happened); `rows`: whether
    it is put together from a list of objects."""

    name: str
    points: tuple[tuple[str, float], ...]
    role: str = "this"
    rows: bool = False


def curves_of(value: Any, name: str = "", depth: int = 0) -> Iterator[Curve]:
    """The curves in a value: mappings of dates to numbers, lists of at least two numbers, lists of objects that have a date and
    numbers (a curve for each of these), and those inside objects."""
    if depth > DEEP:
        return
    if isinstance(value, Mapping):
        if value and all(is_number(v) or v is None for v in value.values()) and all(map(is_date, value)):
            yield from curve_of(name, sorted((str(k), v) for k, v in value.items()))
            return
        for key, inner in value.items():
            if isinstance(inner, Mapping | list):
                yield from curves_of(inner, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list) and len(value) > 1:
        if all(is_number(v) or v is None for v in value):
            yield from curve_of(name, [(str(i), v) for i, v in enumerate(value)])
        elif all(isinstance(row, Mapping) for row in value):
            yield from _of_rows(value, name)


def _of_rows(rows: Sequence[Mapping[str, Any]], name: str) -> Iterator[Curve]:
    when = next((k for k, v in rows[0].items() if is_date(v) and all(is_date(row.get(k)) for row in rows)), None)
    if when is None:
        return
    for key in rows[0]:
        if key != when and all(is_number(row.get(key)) or row.get(key) is None for row in rows):
            points = sorted(((str(row[when]), row.get(key)) for row in rows), key=lambda point: point[0])
            for curve in curve_of(f"{name}.{key}" if name else key, points):
                yield replace(curve, rows=True)


def curve_of(name: str, points: Sequence[tuple[str, Any]]) -> Iterator[Curve]:
    """The curve of these points; none where they are all empty, or some too large for a float."""
    try:
        kept = tuple((x, float(y)) for x, y in points[:LONGEST] if y is not None)
    except OverflowError:
        return
    if kept:
        yield Curve(name or "value", kept)


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_date(text: Any) -> bool:
    """Whether it is an hour or a day as dates are written."""
    return isinstance(text, str) and len(text) in (10, 13) and _parses(text)


@lru_cache(maxsize=65536)
def _parses(text: str) -> bool:
    try:
        Date(text)
    except BadKey:
        return False
    return True
