"""Waves for the screens' tests, made by the engine's own scripts without a worker; and what a test asks of a running console."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from redis import Redis
from textual.app import App
from textual.pilot import Pilot

from engine import Date, Flow
from engine.keys import encode_entity
from engine.launch import launch
from engine.payload import encode_json
from engine.plan import Plan
from engine.status import Cell
from engine.store.claims import Move, Moves, claim_command, holds_of, move_command, pack_time, read_claim, read_move, trip
from engine.store.wave import Wave

HOSTILE = ["[red]z", "a\nb", "x" * 500, "東京-店", "shop 🦀", "\x1b[31mred", "$(touch pwned)", "[/]", "\u202egnp"]
AS_SHOWN = ["[red]z", "a\\nb", "x" * 20, "東京-店", "shop 🦀", "\\x1b[31mred", "$(touch pwned)", "[/]", "\\u202egnp"]


def a_plan(name: str = "shops") -> Plan:
    """sales → features ← weather; features → score."""
    flow = Flow(name, every="1h", state="shops", keep="30d")

    @flow.task(timeout="60s")
    def sales(entity: str) -> None: ...

    @flow.task(timeout="60s")
    def weather(entity: str) -> None: ...

    @flow.task(timeout="60s", lookback={"weather": "3h"})
    def features(sales: object, weather: object) -> None: ...

    @flow.task(timeout="60s")
    def score(features: object) -> None: ...

    return flow.plan


class Stage:
    """A wave whose cells a test moves. Entities are numbered in the order given."""

    def __init__(
        self,
        redis: Redis,
        entities: Sequence[str] = ("north", "south", "east"),
        *,
        plan: Plan | None = None,
        version: str = "main",
        date: str = "2013-07-01T14",
        by: str = "ana@desk",
        trigger: str = "manual:test",
    ) -> None:
        self.redis, self.plan, self.entities = redis, plan or a_plan(), list(entities)
        self.wave: Wave = launch(
            redis, self.plan, version=version, date=Date(date), trigger=trigger, by=by, entities=self.entities
        ).wave
        self._records: list[bytes] = []

    def claim(self, worker: str = "w-07") -> Stage:
        """Takes all entities for a worker."""
        reply = trip(self.redis, [claim_command(self.wave, len(self.entities), worker, lease=600)])[0]
        claimed = read_claim(self.wave, reply)
        assert claimed.ids == list(range(len(self.entities)))
        self._records = claimed.records
        return self

    def step(
        self,
        task: str,
        before: Cell,
        after: Cell,
        entities: Iterable[int] | None = None,
        *,
        at: float = 0.0,
        took: float = 0.0,
        note: dict[str, Any] | None = None,
        log: str = "",
    ) -> None:
        """Moves a task's cells; all entities' when none are given."""
        ids = list(range(len(self.entities)) if entities is None else entities)
        number = self.plan.index[task]
        times = pack_time(at, took) if at or took else b""
        moves = Moves(
            holds=holds_of(ids, [self._records[i] for i in ids]),
            steps=[Move(number, before, after, i, 1, times) for i in ids],
            notes=[(number, i, encode_json(note)) for i in ids if note],
            logs=[(number, i, log.encode()) for i in ids if log],
        )
        moved = read_move(trip(self.redis, [move_command(self.wave, moves)])[0])
        assert not moved.refused, moved

    def run(self, task: str, after: Cell = Cell.FINISHED, entities: Iterable[int] | None = None, **more: Any) -> None:
        """Pending → Running → `after`."""
        ids = None if entities is None else list(entities)
        self.step(task, Cell.PENDING, Cell.RUNNING, ids, at=more.get("at", 0.0))
        self.step(task, Cell.RUNNING, after, ids, **more)

    def end(self) -> None:
        """All entities are done."""
        ids = list(range(len(self.entities)))
        moves = Moves(holds=holds_of(ids, self._records), ends=[(0, len(ids))])
        trip(self.redis, [move_command(self.wave, moves)])


def error(kind: str = "NoObservation", message: str = "no weather [red]today[/red] for JFK") -> dict[str, Any]:
    """The note of a cell that failed."""
    trace = f'Traceback (most recent call last):\n  File "flows/collect.py", line 41, in weather\n{kind}: {message}\n'
    return {"error": {"type": kind, "message": message, "where": "flows/collect.py:41 in weather", "traceback": trace}}


def a_bad_wave(redis: Redis, entities: Sequence[str] = ("north", "south", "east"), **more: Any) -> Stage:
    """A wave in which the second entity failed, the third runs on an old input, and the first has finished."""
    stage = Stage(redis, entities, **more).claim()
    rest = [i for i in range(len(entities)) if i != 1]
    stage.run("sales", at=0.5, took=0.25, log="fetched [bold]all[/bold]\n\x1b[31mred\x1b[0m\tdone")
    stage.run("weather", entities=rest, at=0.5, took=0.5)
    stage.run("weather", Cell.FAILED, [1], at=0.5, took=1.5, note=error())
    blocked = {"error": {"type": "Blocked", "message": "no weather at 2013-07-01T14", "where": "", "traceback": ""}}
    stage.step("features", Cell.PENDING, Cell.BLOCKED, [1], note=blocked)
    stage.step("score", Cell.PENDING, Cell.BLOCKED, [1], note=blocked)
    old = {"inputs": [{"name": "weather", "key": "main/weather east 2013-07-01T12", "age": 7200.0}]}
    stage.run("features", Cell.FALLBACK, [2], at=1.0, took=0.1, note=old)
    stage.step("score", Cell.PENDING, Cell.RUNNING, [2], at=1.25)
    for task in ("features", "score"):
        stage.run(task, entities=[i for i in rest if i != 2], at=1.0, took=0.1)
    return stage


def key_of(raw: str) -> str:
    """An entity in key form."""
    return encode_entity(raw)


def picture(app: App[Any]) -> str:
    """What the screen on top shows, as text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def until(pilot: Pilot[Any], true: Callable[[], object], what: str = "", timeout: float = 15.0) -> None:
    """Waits until the console has come so far."""
    end = time.monotonic() + timeout
    while True:
        await pilot.pause()
        if true():
            return
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what}\n{picture(pilot.app)}")
        await asyncio.sleep(0.02)


async def shows(pilot: Pilot[Any], *texts: str, timeout: float = 15.0) -> str:
    """Waits until the screen shows all of these; what it shows then."""
    await until(pilot, lambda: all(t in picture(pilot.app) for t in texts), f"the screen shows {texts}", timeout)
    return picture(pilot.app)
