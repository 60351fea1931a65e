"""What there is to say of an entity in a line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.status import Cell


def why(tasks: tuple[str, ...], cells: bytes, notes: Mapping[int, Mapping[str, Any]]) -> str:
    """What there is to say of an entity in a line: what failed first, else what was missing, else what it had to cover."""
    for bad in (Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED):
        for task, cell in enumerate(cells):
            error = notes.get(task, {}).get("error") if cell == bad else None
            if error:
                return f"{tasks[task]}: {error['message']}" if bad != Cell.FAILED else f"{error['type']}: {error['message']}"
    covered = [i for task, cell in enumerate(cells) if cell == Cell.FALLBACK for i in notes.get(task, {}).get("inputs", [])]
    return ", ".join(dict.fromkeys(input_age(i) for i in covered))


def input_age(told: Mapping[str, Any]) -> str:
    """An input in words: `weather 2h old`, `weather missing`."""
    if told.get("missing"):
        return f"{told['name']} missing"
    age = float(told.get("age") or 0)
    hours = age / 3600
    return (
        f"{told['name']} {hours:.0f}h old"
        if age and hours < 48
        else f"{told['name']} {hours / 24:.0f}d old"
        if age
        else told["name"]
    )
