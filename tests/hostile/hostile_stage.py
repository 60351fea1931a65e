"""A wave that is hostile in every place that a screen or a command shows: what a test of either looks at."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from naughty import FEW, STRINGS, is_text
from redis import Redis
from stage import Stage

from engine.cancel import cancel
from engine.errors import BadKey
from engine.flow import Flow
from engine.keys import check_version, encode_entity
from engine.plan import Plan
from engine.status import Cell
from engine.store.acts import Act, Acts
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.workers import SlotState, Worker, Workers

DATE = "2013-07-01T14"
TEXTS = [text for text in STRINGS if len(encode_entity(text)) < 2000]


def versions() -> list[str]:
    """Of a few strings those that can be versions."""
    found = []
    for text in FEW:
        try:
            found.append(check_version(text))
        except BadKey:
            continue
    return [text for text in found if "/" not in text][:12]


def a_plan(config: object = None) -> Plan:
    """sales → features ← weather; features → score."""
    flow = Flow("shops", every="1h", state="shops", keep="30d")

    @flow.task(config={"text": config or ""})
    def sales(entity: str) -> None: ...

    @flow.task
    def weather(entity: str) -> None: ...

    @flow.task(lookback={"weather": "3h"})
    def features(sales: object, weather: object) -> None: ...

    @flow.task
    def score(features: object) -> None: ...

    return flow.plan


def error(text: str) -> dict[str, Any]:
    """A note in which all of an error is hostile; what is no text is kept as workers keep it."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return {
        "error": {
            "type": shown[:60],
            "message": shown,
            "where": shown[:60],
            "traceback": f"Traceback\n  {shown}\n{shown}: {shown}\n",
        }
    }


def a_hostile_wave(redis: Redis, texts: Sequence[str] = TEXTS, date: str = DATE, **more: Any) -> Stage:
    """Entities are the strings, each in a partition of its name; every sixth is finished and has its text in a pipe, the others
    failed with it."""
    plan = more.pop("plan", None) or a_plan([t for t in texts if is_text(t)][:40])
    States(redis).seen("shops", [(text, text) for text in texts], 1372687200.0)
    stage = Stage(redis, texts, plan=plan, date=date, **more).claim(worker="w-07")
    whole = [n for n in range(len(texts)) if not n % 6]
    bad = [n for n in range(len(texts)) if n % 6]
    for n, text in enumerate(texts):
        shown = text if is_text(text) else ascii(text)
        data = (
            json.dumps({shown: [shown, {"text": shown}], "n": n}).encode() if n % 12 else text.encode("utf-8", "surrogatepass")
        )
        redis.set(f"{stage.wave.version}/sales {encode_entity(text)} {date}", data, ex=3600)
    stage.run("sales", at=0.5, took=0.25, log="\n".join(t.encode("utf-8", "replace").decode() for t in texts))
    stage.run("weather", entities=whole, at=0.5, took=0.5)
    for n in bad:
        stage.run("weather", Cell.FAILED, [n], at=0.5, took=1.5, note=error(texts[n]))
    for n in bad:
        blocked = {
            "error": {
                "type": "Blocked",
                "message": f"no weather for {texts[n]}".encode("utf-8", "replace").decode(),
                "where": "",
                "traceback": "",
            }
        }
        for task in ("features", "score"):
            stage.step(task, Cell.PENDING, Cell.BLOCKED, [n], note=blocked)
    old = [
        {"inputs": [{"name": "weather", "key": f"main/weather {encode_entity(texts[n])} 2013-07-01T12", "age": 7200.0}]}
        for n in whole
    ]
    for n, note in zip(whole, old, strict=True):
        stage.run("features", Cell.FALLBACK, [n], at=1.0, took=0.1, note=note)
        stage.run("score", entities=[n], at=1.0, took=0.1)
    return stage


def everything_hostile(redis: Redis) -> Stage:
    """The wave, one an hour before it, waves of hostile people and versions, workers and acts; the whole of what there is to look at."""
    people = [text for text in FEW if is_text(text) and len(text) < 500]
    for number, text in enumerate(people):
        by = Stage(
            redis,
            ["e"],
            plan=a_plan(),
            date=f"2013-06-{1 + number // 24:02}T{number % 24:02}",
            by=text,
            trigger=f"manual:{text}",
        )
        if not number % 3:
            cancel(redis, by.wave, by=text, reason=text)
        Acts(redis).record(Act(0, "trigger", text, text, "main", "shops", by.wave.id, DATE, 1, text))
    States(redis).seen("others", [("e", "p")], 1.0)  # of one state alone there is no list
    for version in versions():
        Catalog(redis).publish(version, [replace(a_plan(), flow="others")])
        Stage(redis, ["e"], plan=a_plan(), version=version, date="2013-05-01T00")
    a_hostile_wave(redis, TEXTS[::3], "2013-07-01T13").end()
    stage = a_hostile_wave(redis)
    for number, text in enumerate(people[:40]):
        slots = [SlotState(1, stage.wave.id, encode_entity(text), "sales", 1372687200.0)]
        Workers(redis).beat(
            Worker(f"w{number}", "main", text, 1, 1372687200.0, 1372687200.0, slots, image=text, flows=["shops", text])
        )
        redis.expire(f"wd:{{main}}:worker:w{number}", 3600)  # however long a test takes, it is alive
    for text in people:
        redis.hset(f"wd:{{main}}:at:sales:{DATE}", f"e:{encode_entity(text)}", f"a script of {text}")
    assert Pipes(redis).names("main")
    return stage
