"""Two versions of a forecast and what really happened, for tests of the comparison; the same numbers every time."""

import random
from typing import Any

from redis import Redis

from engine import Date, Flow
from engine.keys import PipeKey
from engine.payload import encode_json
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes, expiry

START = Date("2013-07-01T00")
LAST = START.shift(47)
SHOPS = ("north", "south", "東京-店", "$(touch pwned)", "\x1b[31mred")


def a_flow() -> Flow:
    """sales, observed_sales; forecast ← sales; score ← observed_sales, and the forecasts of before."""
    flow = Flow("shops", every="1h", state="shops")

    @flow.task()
    def sales(entity: str) -> None: ...

    @flow.task()
    def observed_sales(entity: str) -> None: ...

    @flow.task(horizon="3h")
    def forecast(sales: object) -> None: ...

    @flow.task(history={"forecast": "3h"})
    def score(observed_sales: object, forecast: object) -> None: ...

    return flow


def write(redis: Redis, version: str, pipe: str, entity: str, date: Date, value: Any) -> None:
    """A pipe, written outside waves."""
    Pipes(redis).put(PipeKey.make(version, pipe, entity, date), encode_json(value), expiry(date, 86400), "tests")


def two_versions(redis: Redis, hours: int = 48) -> None:
    """`main` and `try/x` forecast three hours of five shops, the second a little better; of the last hour one lacks a shop each."""
    for version in ("main", "try/x"):
        Catalog(redis).publish(version, [a_flow().plan])
    dice = random.Random(4)
    for shop in SHOPS:
        truth = [round(dice.gauss(100, 20), 1) for _ in range(hours + 4)]
        for n in range(hours):
            date = START.shift(n)
            for version, off in (("main", 12.0), ("try/x", 8.0)):
                told = {str(START.shift(n + i)): round(truth[n + i] + dice.gauss(0, off + i), 1) for i in range(3)}
                if n < hours - 1 or shop != ("north" if version == "main" else "south"):
                    write(redis, version, "forecast", shop, date, {"hours": told, "model": version, "trained_on": 100})
            if n:
                write(redis, "main", "observed_sales", shop, date, {str(START.shift(n - 1)): truth[n - 1]})
