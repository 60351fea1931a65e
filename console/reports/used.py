"""What a cell was given, how old and how large it is, where the last good one lies if there was none; and what serves while a forecast
is missing. Field names are stable; `--json` prints them. Durations in seconds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import msgspec

from console.widgets.text import short_seconds
from engine.errors import BadValue
from engine.keys import Date, PipeKey
from engine.payload import decode_json
from engine.plan import Input, TaskPlan
from engine.status import Cell
from engine.store.connect import Client
from engine.store.wave import Wave

State = Literal["fresh", "base", "older", "missing", "there", "awaited", "history"]
GIVEN = frozenset({Cell.RUNNING, Cell.FINISHED, Cell.FALLBACK, Cell.FAILED, Cell.BLOCKED})
"""Cells whose inputs were looked up."""
LOST = frozenset({Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED})
"""Cells that wrote nothing and never will."""
PREVIEW = 16_384
"""Bytes of a value that are shown beside what made it."""
FAR = 100
"""Dates that are looked at for a last good one, and values of a history that are counted."""


@dataclass(frozen=True)
class Used:
    """An input of a cell.

    `state`: fresh (of this wave), base (of this date, another version's), older, missing (it was nowhere), history (its values at
    earlier dates: `count` of `of` are there); of a cell that has not run: there or awaited. `age`: how much older than the wave's date;
    `bytes`: None when it is not in Redis now; `timed_out`: the task would not wait for it any longer; `good` and `good_age`: the key and
    age of the last one there is, where this one is missing.
    """

    name: str
    state: State
    key: str = ""
    version: str = ""
    date: str = ""
    age: float = 0.0
    bytes: int | None = None
    missing: bool = False
    timed_out: bool = False
    good: str = ""
    good_age: float = 0.0
    count: int = 0
    of: int = 0

    @property
    def words(self) -> str:
        """It in a few words: `weather 2h00 old`, `weather missing`."""
        if self.missing:
            return f"{self.name} missing"
        whose = f" of {self.version}" if self.state == "base" else ""
        return f"{self.name}{whose} {short_seconds(self.age)} old" if self.age else f"{self.name}{whose}"


@dataclass(frozen=True)
class Serves:
    """The newest earlier forecast, which covers for one that is missing. `until`: ISO 8601, when it ends; `age`: how much older."""

    key: str
    version: str
    date: str
    until: str
    age: float

    def words(self, wave: Wave) -> str:
        """`T22 serves until 04:00`, with its version where that is not the wave's, and the day where it is another."""
        whose = f"{self.version}'s " if self.version != wave.version else ""
        return f"{whose}{short_date(self.date, wave.date)} serves until {short_moment(self.until, self.date)}"


def short_date(date: str, of: str) -> str:
    """A date beside another: `T22` on the same day, else all of it."""
    return date[10:] if len(date) == 13 and date[:10] == of[:10] else date


def short_moment(iso: str, date: str) -> str:
    """A moment beside a date: `04:00`, with its day where that is not within a day."""
    near = timedelta(0) <= Date(iso[:13]).start - Date(date).start < timedelta(days=1) and len(date) == 13
    return iso[11:16] if near else f"{iso[:10]} {iso[11:16]}"


class Evidence:
    """Reads what cells of one wave were given. What it has found out of a cell that has ended it remembers; for one thread."""

    def __init__(self, redis: Client, wave: Wave) -> None:
        self.redis, self._wave = redis, wave
        self._known: dict[tuple[int, str], tuple[tuple[Used, ...], Serves | None]] = {}

    def of(
        self, task: TaskPlan, number: int, key: str, cell: int, note: Mapping[str, Any]
    ) -> tuple[tuple[Used, ...], Serves | None]:
        """The inputs of the cell of a task (and its number) of the entity `key`, and what serves in place of what it did not write."""
        if (known := self._known.get((number, key))) is not None:
            return known
        found = tuple(self._inputs(task, key, cell, note)), self._serves(task, key, cell)
        if cell in GIVEN | LOST and cell != Cell.RUNNING:
            self._known[number, key] = found
        return found

    def _versions(self) -> list[str]:
        wave = self._wave
        return [wave.version, wave.base] if wave.base and wave.base != wave.version else [wave.version]

    def _sizes(self, keys: Sequence[str]) -> list[int | None]:
        """Bytes of each key's value, None where there is none."""
        with self.redis.pipeline(transaction=False) as trip:
            for key in keys:
                trip.strlen(key)
                trip.exists(key)
            replies = trip.execute() if keys else []
        return [size if there else None for size, there in zip(replies[::2], replies[1::2], strict=True)]

    def _inputs(self, task: TaskPlan, key: str, cell: int, note: Mapping[str, Any]) -> Iterator[Used]:
        told = {str(i["name"]): i for i in note.get("inputs", [])}
        own = {i.name: str(PipeKey(self._wave.version, i.name, key, self._wave.date)) for i in task.edges}
        keys = {name: str(told.get(name, {}).get("key") or at) for name, at in own.items()}
        sizes = dict(zip(keys, self._sizes(list(keys.values())), strict=True))
        for i in task.edges:
            noted = told.get(i.name, {})
            given = cell in GIVEN and (cell != Cell.BLOCKED or bool(told))
            if noted.get("missing"):
                yield self._missing(i, key, timed_out=bool(noted.get("timed_out")))
            else:
                yield self._there(i, keys[i.name], float(noted.get("age") or 0), sizes[i.name], given=given)
        if cell in GIVEN:
            for i in task.inputs:
                if i.history:
                    yield self._history(i, key)

    def _there(self, i: Input, key: str, age: float, size: int | None, *, given: bool) -> Used:
        at = PipeKey.parse(key)
        state: State = "awaited" if size is None else "there"
        if given:
            state = "older" if age else "base" if at.version != self._wave.version else "fresh"
        return Used(i.name, state, key, at.version, str(at.date), age, size)

    def _missing(self, i: Input, key: str, *, timed_out: bool) -> Used:
        date = self._wave.date
        keys = [str(PipeKey(v, i.name, key, date.shift(-n))) for n in range(1, FAR + 1) for v in self._versions()]
        good = next((k for k, size in zip(keys, self._sizes(keys), strict=True) if size is not None), "")
        age = (date.start - PipeKey.parse(good).date.start).total_seconds() if good else 0.0
        return Used(i.name, "missing", missing=True, timed_out=timed_out, good=good, good_age=age)

    def _history(self, i: Input, key: str) -> Used:
        dates, versions = list(self._wave.date.back(i.history))[:FAR], self._versions()
        sizes = self._sizes([str(PipeKey(v, i.name, key, d)) for d in dates for v in versions])
        step = len(versions)
        first = [next((s for s in sizes[n : n + step] if s is not None), None) for n in range(0, len(sizes), step)]
        there = [size for size in first if size is not None]
        return Used(i.name, "history", version=self._wave.version, bytes=sum(there), count=len(there), of=len(dates))

    def _serves(self, task: TaskPlan, key: str, cell: int) -> Serves | None:
        """The newest earlier pipe of a forecast that was lost, if it reaches beyond the wave's date."""
        if not task.horizon or cell not in LOST:
            return None
        date = self._wave.date
        for n in range(0, FAR + 1):
            then = date.shift(-n)
            until = then.start + timedelta(seconds=task.horizon)
            if until <= date.start:
                return None
            keys = [str(PipeKey(v, task.name, key, then)) for v in self._versions()]
            for at, size in zip(keys, self._sizes(keys), strict=True):
                if size is not None:
                    age = (date.start - then.start).total_seconds()
                    return Serves(at, PipeKey.parse(at).version, str(then), until.isoformat(timespec="minutes"), age)
        return None


def preview(redis: Client, key: str) -> str:
    """The beginning of a pipe's value as people read it: JSON on several lines; "" when there is none."""
    data: bytes = redis.getrange(key, 0, PREVIEW - 1)
    try:
        return msgspec.json.format(msgspec.json.encode(decode_json(data)), indent=2).decode() if data else ""
    except (BadValue, RecursionError):  # no JSON, or not all of it
        return data.decode("utf-8", "backslashreplace") + (" …" if len(data) == PREVIEW else "")
