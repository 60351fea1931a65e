"""What of a value can be plotted, and what to lay beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from engine.curves import Curve, curve_of, curves_of, is_date, is_number
from engine.errors import BadValue
from engine.keys import Date, PipeKey
from engine.payload import decode_json
from engine.plan import Plan
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.pipes import Pipes

AHEAD, AFTER, BEFORE = 48, 3, 3
"""Dates after a forecast whose pipes are looked at: so many at most, and so many beyond what it reaches to; and before it."""
HISTORY = 48
"""Dates of a number's history."""
CURVES = 4
"""Curves of a value that are plotted."""
LARGEST = 256 * 1024
"""Bytes of a value that is looked into for curves."""


@dataclass(frozen=True)
class Chart:
    """Curves over common x; `dated`: x are dates."""

    curves: tuple[Curve, ...] = field(default=())
    dated: bool = False


def chart(value: Any) -> Chart | None:
    """What of a value can be plotted by itself; None when nothing can."""
    found = tuple(islice(curves_of(value), CURVES))
    if not found:
        return None
    dated = all(is_date(x) for curve in found for x, _ in curve.points)
    return Chart(found, dated)


def chart_of(redis: Client, key: PipeKey, value: Any) -> Chart | None:
    """What of a pipe's value can be plotted, with what goes beside it; a single number with those of the dates before it."""
    if is_number(value):
        return history(redis, key)
    own = chart(value)
    return beside(redis, key, own) if own is not None else None


def history(redis: Client, key: PipeKey, most: int = HISTORY) -> Chart | None:
    """The numbers of a pipe over its last dates, this one included; None when there are not two."""
    dates = [key.date.shift(-n) for n in range(most - 1, -1, -1)]
    stored = _small(redis, [str(PipeKey(key.version, key.pipe, key.entity, date)) for date in dates])
    numbers = [(str(d), v) for d, data in zip(dates, stored, strict=True) if is_number(v := _decoded(data))]
    found = tuple(curve_of(key.pipe, numbers)) if len(numbers) > 1 else ()
    return Chart(found, True) if found else None


def beside(redis: Client, key: PipeKey, own: Chart) -> Chart:
    """`own`, a chart of dates, with what earlier values of the same pipe said of them, and with what really happened.

    What really happened is in pipes of the same entity: the curves of dates in the values of tasks that forecast nothing, at the
    forecast's date and later ones, and of these what they say of their own date and of earlier ones. A flow says itself what to hold
    against forecasts: by a task whose name has `observed` in it; else where a task reads forecasts of earlier dates (by `history`), as
    one does that scores them, it is the other inputs of that task; else any task without a horizon.
    """
    if not own.dated or not own.curves:
        return own
    dates = {x for curve in own.curves for x, _ in curve.points}
    older = [PipeKey(key.version, key.pipe, key.entity, key.date.shift(-back)) for back in range(1, BEFORE + 1)]
    last = max((Date(x) for x in dates if len(x) == len(key.date)), default=key.date)
    steps = min(max(int((last.start - key.date.start) / key.date.step), 0) + AFTER, AHEAD)
    facts = [
        f
        for plan in Catalog(redis).flows(key.version).values()
        if key.pipe in plan.names
        for f in observed(plan, key.pipe) or truths(plan, key.pipe)
    ]
    later = [PipeKey(key.version, pipe, key.entity, key.date.shift(n)) for n in range(steps + 1) for pipe in facts]
    stored = _small(redis, [str(k) for k in [*older, *later]])
    curves = list(own.curves)
    for past, data in zip(older, stored, strict=False):
        for curve in _of(data):
            points = tuple(p for p in curve.points if p[0] in dates)
            if len(points) > 1:
                curves.append(Curve(f"{past.date}", points, "earlier"))
    seen: dict[str, dict[str, float]] = {}
    names = {curve.name for curve in own.curves}
    for fact, data in zip(later, stored[len(older) :], strict=True):
        found = _of(data)
        alike = [c for c in found if c.name in names]  # its number of flights is no delay
        for curve in alike or [c for c in found if not c.rows] or found:
            for x, y in curve.points:
                if x in dates and x <= fact.date:
                    seen.setdefault(f"{fact.pipe} {curve.name}", {})[x] = y
    curves += [Curve(name, tuple(sorted(points.items())), "observed") for name, points in seen.items()]
    return Chart(tuple(curves), True)


def observed(plan: Plan, pipe: str) -> list[str]:
    """Of the pipes that say what really happened those that are called so; none where `pipe` is no forecast."""
    forecast = plan.tasks[plan.index[pipe]].horizon
    return [t.name for t in plan.tasks if forecast and not t.horizon and "observed" in t.name]


def truths(plan: Plan, pipe: str) -> list[str]:
    """The pipes of a flow that say what really happened, where `pipe` is a forecast; none where it is not."""
    if not plan.tasks[plan.index[pipe]].horizon:
        return []
    facts = [t.name for t in plan.tasks if not t.horizon]
    scoring = [t for t in plan.tasks if any(i.history and i.name not in facts for i in t.inputs)]
    named = dict.fromkeys(i.name for t in scoring for i in t.edges if i.name in facts)
    return list(named) or facts


def _small(redis: Client, keys: Sequence[str]) -> list[bytes | None]:
    """The values, without those that nobody would plot for their size."""
    with redis.pipeline(transaction=False) as trip:
        for key in keys:
            trip.strlen(key)
        wanted = [key for key, size in zip(keys, trip.execute() if keys else [], strict=True) if 0 < size <= LARGEST]
    found = dict(zip(wanted, Pipes(redis).get_many(wanted), strict=True))
    return [found.get(key) for key in keys]


def _decoded(data: bytes | None) -> Any:
    try:
        return None if data is None else decode_json(data)
    except BadValue:
        return None


def _of(data: bytes | None) -> list[Curve]:
    found = chart(_decoded(data))
    return list(found.curves) if found is not None and found.dated else []
