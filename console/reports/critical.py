"""Which tasks a wave's time goes to. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from engine.plan import Plan


def critical_path(plan: Plan, seconds: Mapping[str, float | None]) -> tuple[str, ...]:
    """The path through the flow whose run times add up to most, from its first task to its last; nothing when no time is known."""
    best: list[tuple[float, tuple[int, ...]]] = []
    for number, needs in enumerate(plan.needs):
        before = max((best[n] for n in needs), default=(0.0, ()), key=lambda b: b[0])
        best.append((before[0] + (seconds.get(plan.names[number]) or 0.0), (*before[1], number)))
    total, path = max(best, default=(0.0, ()), key=lambda b: b[0])
    return tuple(plan.names[number] for number in path) if total else ()


def slowest(seconds: Mapping[str, float | None]) -> str:
    """The task that runs longest, "" when no time is known."""
    known = {task: s for task, s in seconds.items() if s}
    return max(known, key=lambda task: known[task]) if known else ""
