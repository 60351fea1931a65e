"""A console whose feeds are played: what sources would read, at moments that a script chooses, on a clock that stands still.

`World` makes waves by the engine's own scripts and then gives them fixed times, so that two runs draw the same picture.
`PlayedApp` reads with the real sources, but only when a scenario says so, and never in a thread.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import pytest
from redis import Redis
from rich.style import Style
from stage import Stage, error
from textual.message_pump import MessagePump
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.feed import Answer, Feed, FeedLost, Gone, News, Refusal, Source, sentence
from console.settings import Settings
from engine.errors import NotFound
from engine.status import Cell
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.workers import SlotState, Worker, Workers

NOON = 1372687591.0
"""2013-07-01T14:06:31Z, when the played console is looked at."""


class Stopped:
    """A clock that stands still until it is moved."""

    def __init__(self, at: float = NOON) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def stop_clock(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    """Stops the console's clock at `NOON`, in UTC."""
    clock = Stopped()
    monkeypatch.setattr("console.moment.clock", clock)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    return clock


class PlayedFeed:
    """Stands where a `Feed` stands: reads when it begins, when it is woken, and when a scenario plays."""

    def __init__(self, redis: Redis, clock: Stopped, source: Source, target: MessagePump) -> None:
        self._redis, self._clock, self._source, self._to = redis, clock, source, target
        self._number, self._stopped = 0, False
        self.lost = ""

    def start(self) -> None:
        self.play()

    def wake(self) -> None:
        if not self.lost:
            self.play()

    def stop(self) -> None:
        self._stopped = True

    def slow(self, slowly: bool) -> None:
        """It has no beat of its own."""

    def pause(self, paused: bool) -> None:
        """As above."""

    def play(self) -> None:
        """One read, as a feed's thread would do it."""
        if self._stopped:
            return
        if self.lost:
            self._to.post_message(FeedLost(self._clock() if self._number else None, self.lost))
            return
        try:
            body, _ = self._source.read(self._redis)
        except NotFound as gone:
            self._to.post_message(Gone(sentence(gone)))
            return
        self._number += 1
        self._to.post_message(News(self._number, self._clock(), body))


class PlayedApp(WavedeckApp):
    """The console on `redis`, played."""

    def __init__(self, redis: Redis, clock: Stopped, locator: str = "waves", **more: Any) -> None:
        more.setdefault("settings", Settings())
        super().__init__("redis://prod.example:6379/0", locator=locator, **more)
        self._redis, self._clock = redis, clock
        self.feeds: list[PlayedFeed] = []

    def make_feed(self, source: Source, target: MessagePump) -> Feed:
        feed = PlayedFeed(self._redis, self._clock, source, target)
        self.feeds.append(feed)
        return cast(Feed, feed)

    def errand(self, target: MessagePump, name: str, question: Callable[[Any], object], *, write: bool = False) -> None:
        try:
            target.post_message(Answer(name, question(self._redis)))
        except Exception as refused:
            target.post_message(Refusal(name, sentence(refused)))

    async def play(self, pilot: Pilot[None], times: int = 3) -> None:
        """Lets every feed read, and all be drawn."""
        for _ in range(times):
            for feed in self.feeds:
                feed.play()
            await pilot.pause()

    async def lose(self, pilot: Pilot[None], reason: str = "Redis cannot be reached: connection refused") -> None:
        """From now on Redis is away."""
        for feed in self.feeds:
            feed.lost = reason
        await self.play(pilot, 1)


class World:
    """Waves of one flow at fixed times."""

    def __init__(self, redis: Redis, entities: int = 40) -> None:
        self.redis = redis
        self.names = [f"shop-{n:02}" for n in range(entities)]
        self._times: list[tuple[Wave, float, float | None]] = []

    def wave(
        self, hour: int, *, began: float, took: float | None = None, failing: Sequence[int] = (), share: float = 1.0
    ) -> Wave:
        """A wave about 2013-07-01T`hour`, begun `began` seconds before noon; without `took` it still runs, `share` of it done."""
        stage = Stage(self.redis, self.names, date=f"2013-07-01T{hour:02}", trigger=f"schedule:{hour}", by="schedule")
        stage.claim("w-07")
        done = list(range(int(len(self.names) * share)))
        good = [i for i in done if i not in failing]
        bad = [i for i in failing if i in done]
        stage.run("sales", entities=done, at=0.5, took=0.25, log="fetched the day\n")
        stage.run("weather", entities=good, at=0.5, took=1.0)
        for i in bad:
            stage.run("weather", Cell.FAILED, [i], at=0.5, took=2.0, note=error(message=f"no weather for shop-{i:02}"))
        blocked = {"error": {"type": "Blocked", "message": "no weather", "where": "", "traceback": ""}}
        for task in ("features", "score") if bad else ():
            stage.step(task, Cell.PENDING, Cell.BLOCKED, bad, note=blocked)
        for task, cell in (("features", Cell.FALLBACK), ("score", Cell.FINISHED)):
            old = {"inputs": [{"name": "weather", "key": f"main/weather x 2013-07-01T{hour - 2:02}", "age": 7200.0}]}
            stage.run(task, cell, good[:2], at=2.0, took=0.5, note=old if task == "features" else None)
            stage.run(task, entities=good[2:], at=2.0, took=0.5)
        if took is None:
            rest = [i for i in range(len(self.names)) if i not in done]
            stage.step("sales", Cell.PENDING, Cell.RUNNING, rest[:3], at=3.0)
        else:
            stage.end()
        self._times.append((stage.wave, NOON - began, took))
        return stage.wave

    def settle(self) -> None:
        """Puts all waves at their times; a wave that is made later would find them too old to list."""
        for wave, created, took in self._times:
            ms = int(created * 1000)
            times = {"created": ms, "started": ms + 100, "deadline": ms + 3600_000} | (
                {"ended": ms + int(took * 1000)} if took is not None else {}
            )
            self.redis.hset(wave.key("wave"), mapping=times)
            self.redis.zadd(f"wd:{{{wave.version}}}:waves", {wave.id: ms})


def furnish(redis: Redis, wave: Wave) -> None:
    """What is around the waves: a state, workers (one of them at work), acts and pipes, at fixed times."""
    workers = Workers(redis)
    for name, served, slots in (
        ("w-07", 1204, [SlotState(71, wave.id, "shop-24", "sales", NOON - 2)]),
        ("w-08", 1198, [SlotState(81)]),
    ):
        workers.beat(Worker(name, "main", "host-a", 70, NOON - 7200, NOON - 1, slots, 180_000_000, served))
        redis.persist(f"wd:{{main}}:worker:{name}")  # on a busy machine a test takes longer than a worker may be silent
    redis.zadd("wd:{main}:workers", {"w-07": int(NOON), "w-08": int(NOON)})
    States(redis).seen("shops", [(f"shop-{n:02}", "north" if n % 2 else "south") for n in range(40)], NOON - 391)
    redis.delete("wd:acts")
    acts = (
        ("trigger", "ana@desk", "console", ""),
        ("schedule", "schedule", "schedule", ""),
        ("cancel", "bo@phone", "command", "too late"),
    )
    for minutes, (verb, by, origin, detail) in enumerate(acts):
        fields = {"verb": verb, "by": by, "origin": origin, "version": "main", "flow": "shops", "wave": "w0123456789ab"}
        fields |= {"date": "2013-07-01T13", "entities": "40", "detail": detail}
        redis.xadd("wd:acts", fields, id=f"{int((NOON - 3600 + 60 * minutes) * 1000)}-0")
    hours = {f"2013-07-01T{14 + n}": 10.0 + 3 * n for n in range(6)}
    value = {"model": "gradient boosting", "hours": hours, "rows": [{"lag": 1, "weight": 0.5}, {"lag": 2, "weight": 0.25}]}
    redis.set("main/score shop-00 2013-07-01T14", json.dumps(value))


def healthy(redis: Redis) -> Wave:
    """Three quiet waves, and one that runs."""
    world = World(redis)
    for ago in (3, 2, 1):
        world.wave(14 - ago, began=3600.0 * ago, took=30.0)
    last = world.wave(14, began=12.0, share=0.6)
    world.settle()
    return last


def failing(redis: Redis) -> Wave:
    """As healthy, but one in twenty fails, since this wave."""
    world = World(redis)
    for ago in (3, 2, 1):
        world.wave(14 - ago, began=3600.0 * ago, took=30.0)
    last = world.wave(14, began=72.0, failing=(3, 17), share=0.6)
    world.settle()
    furnish(redis, last)
    return last


def drawn(app: WavedeckApp) -> list[str]:
    """The screen on top, line by line."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def styles(app: WavedeckApp) -> str:
    """How each cell of it is styled: a legend of letters, then each line as runs such as `12a3b`."""
    letters: dict[str, str] = {}
    lines = []
    for strip in app.screen._compositor.render_strips():
        runs: list[list[Any]] = []
        for segment in strip:
            name = _name(segment.style)
            letter = letters.setdefault(name, _letter(len(letters)))
            if runs and runs[-1][1] == letter:
                runs[-1][0] += len(segment.text)
            else:
                runs.append([len(segment.text), letter])
        lines.append(" ".join(f"{n}{letter}" for n, letter in runs))
    return "\n".join([*(f"{letter} = {name}" for name, letter in letters.items()), "", *lines])


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"{chr(ord('A') + number // 26 - 1)}{chr(ord('a') + number % 26)}"


def _name(style: Style | None) -> str:
    if style is None:
        return "none"
    return str(
        Style(
            color=style.color,
            bgcolor=style.bgcolor,
            bold=style.bold,
            dim=style.dim,
            reverse=style.reverse,
            underline=style.underline,
        )
    )
