"""Pipes of two versions for the tests of the screen that shows them."""

import json
from collections.abc import Mapping
from typing import Any

from redis import Redis
from stage import Stage, key_of, shows
from textual.pilot import Pilot

from console.locator import parse
from console.screens.base import DeckScreen
from console.screens.pipe_lists import ItemList

BIG, SMALL = (160, 45), (80, 24)
SIZES = [SMALL, (110, 30), BIG, (240, 60)]
DATE = "2013-07-01T14"


def write(redis: Redis, stage: Stage, task: str, values: Mapping[int, Any], **more: Any) -> None:
    """Ends cells of a task with these values in their pipes."""
    for number, value in values.items():
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        redis.set(f"{stage.wave.version}/{task} {key_of(stage.entities[number])} {stage.wave.date}", data, ex=3600)
    stage.run(task, entities=list(values), at=0.1, took=0.1, **more)


def two_versions(redis: Redis, dates: tuple[str, ...] = (DATE,)) -> None:
    """main and fix-1 differ in the sales of north, and south has none in fix-1; main was active last."""
    for version, delay in (("fix-1", 11.0), ("main", 12.5)):
        for date in dates:
            stage = Stage(redis, ["north", "south"], version=version, date=date).claim()
            sales = {"delay": delay, "rows": [{"a": 1, "b": "x"}, {"a": 2}]}
            write(redis, stage, "sales", {0: sales, 1: {"delay": 1}} if version == "main" else {0: sales})
            write(redis, stage, "weather", {0: {"temp": 20}, 1: {"temp": 21}})
            write(redis, stage, "features", {0: [1, 2, 3]})
    redis.zincrby("wd:versions", 10, "main")


def many(redis: Redis, n: int) -> Stage:
    stage = Stage(redis, [f"shop-{i:05}" for i in range(n)]).claim()
    stage.run("sales", at=0.1, took=0.1)
    return stage


async def at(pilot: Pilot[Any], line: str, *texts: str) -> str:
    pilot.app.go(parse(line))  # type: ignore[attr-defined]
    return await shows(pilot, *texts)


def place(pilot: Pilot[Any]) -> str:
    assert isinstance(pilot.app.screen, DeckScreen)
    return str(pilot.app.screen.place)


def items(pilot: Pilot[Any]) -> ItemList:
    return pilot.app.screen.query_one("#items", ItemList)
