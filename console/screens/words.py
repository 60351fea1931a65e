"""Moments, ages and amounts in few cells. Pure."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime


def clock(at: float) -> str:
    """A moment of this day, in the time of this machine: `14:06:31`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def unix(iso: str | None) -> float | None:
    """An ISO 8601 moment as Unix time."""
    return datetime.fromisoformat(iso).timestamp() if iso else None


def age(seconds: float) -> str:
    """How long ago, in at most four cells: `now`, `41s`, `3m`, `2h`, `5d`."""
    if seconds < 1:
        return "now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{int(seconds // size)}{unit}"
    return f"{int(seconds)}s"


def ago(seconds: float) -> str:
    """`just now`, `41s ago`."""
    return "just now" if seconds < 1 else f"{age(seconds)} ago"


def duration(seconds: float) -> str:
    """A time that runs, so that its digits stand still: `0:07`, `1:12`, `1:02:09`."""
    minutes, left = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def rate(value: float) -> str:
    """Cells a second: `812/s`, `4.2/s`, `12.4k/s`, `–` for none."""
    if value <= 0:
        return "–"
    return f"{value / 1000:.1f}k/s" if value >= 10_000 else f"{value:.0f}/s" if value >= 10 else f"{value:.1f}/s"


def amounts(by_name: Mapping[str, int]) -> str:
    """`weather 3, score 8`: those that are not nought."""
    return ", ".join(f"{name} {number:,}" for name, number in by_name.items() if number)


def many(number: int, one: str, more: str = "") -> str:
    """`1 worker`, `1,204 workers`, `no workers`."""
    return f"{number or 'no' if number < 1000 else format(number, ',')} {one if number == 1 else more or one + 's'}"
