"""Waves that forecast, at fixed times: some entities are dark, some are served by older forecasts."""

from played import NOON
from redis import Redis
from stage import Stage

from engine import Flow
from engine.keys import Date
from engine.plan import Plan
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.states import States

AT = Date("2013-07-01T14")
NAMES = [f"shop-{n:02}" for n in range(40)]
TOWNS = ("north", "south", "west")
ERROR = {"error": {"type": "NoObservation", "message": "no weather", "where": "", "traceback": ""}}


def a_plan(name: str = "shops") -> Plan:
    flow = Flow(name, every="1h", state="shops")

    @flow.task
    def sales(entity: str) -> None: ...

    @flow.task(horizon="6h")
    def forecast(sales: object) -> None: ...

    @flow.task(horizon="3h")
    def stock(sales: object) -> None: ...

    return flow.plan


def a_wave(
    redis: Redis,
    age: int,
    bad: list[int],
    *,
    version: str = "main",
    by: str = "schedule",
    flow: str = "shops",
    names: list[str] = NAMES,
) -> Stage:
    """A wave that has ended, in which the forecasts of `bad` failed."""
    date = AT.shift(-age)
    stage = Stage(redis, names, plan=a_plan(flow), version=version, date=str(date), trigger=f"{by}:{date}", by=by).claim()
    good = [i for i in range(len(names)) if i not in bad]
    stage.run("sales", at=0.5, took=0.25)
    stage.run("stock", at=0.5, took=0.25)
    stage.run("forecast", entities=good, at=1.0, took=0.5)
    if bad:
        stage.run("forecast", Cell.FAILED, bad, at=1.0, took=0.5, note=ERROR)
    stage.end()
    return stage


def settle(redis: Redis, *stages: Stage) -> None:
    """Puts waves at their times; one that is made later would find them too old to list."""
    for wave in (stage.wave for stage in stages):
        when = int((NOON - (AT.start - wave.date.start).total_seconds() - 300) * 1000)
        times = {"created": when, "started": when, "ended": when + 60_000, "deadline": when + 3600_000}
        redis.hset(wave.key("wave"), mapping=times)
        redis.zadd(f"wd:{{{wave.version}}}:waves", {wave.id: when})


def scene(redis: Redis) -> None:
    """Two shops of the north have failed for three hours, three of the south since the last, one never had a forecast."""
    Catalog(redis).publish("main", [a_plan()])
    States(redis).seen("shops", [(name, TOWNS[n % 3]) for n, name in enumerate(NAMES)], AT.start.timestamp())
    always, long, new = [39], [0, 3], [1, 4, 7]
    failed = ((4, always), (3, always), (2, always + long), (1, always + long), (0, always + long + new))
    settle(redis, *[a_wave(redis, age, bad) for age, bad in failed])
