"""The evidence about one entity, on the screen and headless."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from click.testing import CliRunner
from played import PlayedApp, drawn, failing, stop_clock
from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, error, key_of, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.cli import cli
from console.screens.base import DeckScreen
from console.screens.chrome import Rule
from console.screens.entity import EntityScreen
from console.screens.input_list import InputList
from console.screens.text_pane import TextPane
from console.screens.timeline import TaskList
from engine import Flow
from engine.plan import Plan
from engine.status import Cell
from engine.store.workers import SlotState, Worker, Workers

SMALL, BIG = (80, 24), (160, 45)
SIZES = [SMALL, (110, 30), BIG, (240, 60)]
TRACE = """Traceback (most recent call last):
  File "flows/features.py", line 7, in features
    return rows[3]
IndexError: list index out of range
"""


def a_forecast() -> Plan:
    """sales → features ← weather; features → forecast, which reaches six hours."""
    flow = Flow("shops", every="1h", state="shops", keep="30d")

    @flow.task(timeout="60s")
    def sales(entity: str) -> None: ...

    @flow.task(timeout="60s")
    def weather(entity: str) -> None: ...

    @flow.task(timeout="60s", lookback={"weather": "3h"})
    def features(sales: object, weather: object) -> None: ...

    @flow.task(timeout="60s", horizon="6h")
    def forecast(features: object) -> None: ...

    return flow.plan


def put(redis: Redis, task: str, entity: str, hour: int, value: Any) -> None:
    redis.set(f"main/{task} {key_of(entity)} 2013-07-01T{hour:02}", json.dumps(value))


def a_lost_forecast(redis: Redis, entities: tuple[str, ...] = ("north", "south", "east")) -> Stage:
    """The wave of 13 went well; in that of 14 features of `south` failed, and weather was nowhere; north is well, east covered."""
    good = Stage(redis, entities, plan=a_forecast(), date="2013-07-01T13").claim()
    for task in good.plan.names:
        good.run(task, at=0.1, took=0.1)
        for entity in entities:
            put(redis, task, entity, 13, {"rows": [{"temp": 12.0}], "of": task})
    good.end()
    bad = Stage(redis, entities, plan=a_forecast()).claim()
    bad.run("sales", at=0.25, took=0.25)
    for entity in entities:
        put(redis, "sales", entity, 14, {"rows": [{"temp": 24.0}], "of": "sales"})
    bad.run("weather", entities=[0, 2], at=0.5, took=0.5)
    put(redis, "weather", entities[0], 14, [1])
    bad.run("weather", Cell.FAILED, [1], at=0.5, took=0.5, note=error())
    raised = {"error": {"type": "IndexError", "message": "out of range", "where": "flows/features.py:7", "traceback": TRACE}}
    missing = {"inputs": [{"name": "weather", "missing": True, "timed_out": True}]}
    log = "".join(f"row {n} of {50 - n}\n" for n in range(50))
    bad.run("features", Cell.FAILED, [1], at=1.0, took=0.5, note=raised | missing, log=log)
    bad.run("features", entities=[0], at=1.0, took=0.5)
    old = {"inputs": [{"name": "weather", "key": f"main/weather {key_of(entities[2])} 2013-07-01T12", "age": 7200.0}]}
    bad.run("features", Cell.FALLBACK, [2], at=1.0, took=0.5, note=old)
    blocked = {"error": {"type": "Blocked", "message": "no features at 2013-07-01T14", "where": "", "traceback": ""}}
    bad.step("forecast", Cell.PENDING, Cell.BLOCKED, [1], note=blocked | {"inputs": [{"name": "features", "missing": True}]})
    return bad


def at(stage: Stage, entity: str, task: str = "") -> str:
    return f"entity {stage.wave.id} {key_of(entity)} {task}".strip()


def pane(pilot: Pilot[Any], name: str) -> TextPane:
    return pilot.app.screen.query_one(f"#{name}", TextPane)


@pytest.mark.parametrize("size", SIZES)
async def test_the_evidence_at_every_size(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=size) as pilot:
        shown = (
            await shows(pilot, "▸ ✗ features", "IndexError: out of range", 'File "flows/features.py"', "no other like it")
        ).split("\n")
        assert len(shown) == size[1] and "as of " in shown[0] and "? help" in shown[-1]
        text = "\n".join(shown)
        assert "● sales" in text and "finished" in text and "✗ weather" in text and "◌ forecast" in text and "blocked" in text
        assert "↺ T13 serves until 19:00" in text
        if size[0] >= 110:
            assert "last good: T13 (1h00 old)" in text
            assert "main 2013-07-01T14" in text and "fresh" in text


async def test_everything_is_reached_at_80_by_24(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=SMALL) as pilot:
        await shows(pilot, "IndexError: out of range")
        assert "INPUT" not in picture(pilot.app)
        await pilot.press("tab")
        await shows(pilot, "INPUT", "◌ weather", "missing", "T13")
        await pilot.press("tab")
        await until(pilot, lambda: pane(pilot, "evidence").has_focus and "INPUT" not in picture(pilot.app))
        await pilot.press("tab")
        await until(pilot, lambda: pilot.app.screen.query_one(TaskList).has_focus)
        await pilot.press("l")
        await shows(pilot, "row 49 of 1", "following")
        await pilot.press("s")
        await shows(pilot, "wavedeck script", "#!/usr/bin/env bash")
        await pilot.press("d")
        await shows(pilot, "inputs against the last success", "rows[0].temp  12 → 24 (+100.0%)")
        await pilot.press("d")
        await shows(pilot, "a healthy neighbour: north")
        await pilot.press("d")
        await shows(pilot, "features · evidence")


async def test_wide_screens_have_no_empty_half(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        await shows(
            pilot, "features · evidence", "features · log", "features · inputs against the last success", "rows[0].temp"
        )
        await pilot.press("k", "k")  # sales, which printed nothing
        shown = await shows(pilot, "sales · evidence", "sales · script", "#!/usr/bin/env bash", "what it wrote", '"temp": 24.0')
        assert "wrote main/sales south 2013-07-01T14" in shown and "sales · log" not in shown


async def test_what_was_chosen_for_the_second_pane_stays_with_the_cursor(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        await shows(pilot, "features · log")
        await pilot.press("s")
        await shows(pilot, "features · script")
        await pilot.press("j")
        await shows(pilot, "forecast · script", "meanwhile main/forecast south 2013-07-01T13 serves until 2013-07-01 19:00 UTC")
        await pilot.press("s")
        await shows(pilot, "forecast · inputs against the last success", "missing here")


async def test_a_log_is_searched_and_followed(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        await shows(pilot, "features · log", "row 49 of 1")
        rule = pilot.app.screen.query_one("#side-rule", Rule)
        await pilot.press("slash", *"row 1[0-3]")
        await until(pilot, lambda: rule._right.startswith("1 of 4"))
        await pilot.press("enter")
        await until(pilot, lambda: pane(pilot, "side").has_focus)
        await pilot.press("n", "n")
        await until(pilot, lambda: rule._right.startswith("3 of 4") and "not following" in rule._right)
        await pilot.press("c")
        assert pilot.app.clipboard == "row 12 of 38"
        await pilot.press("N")
        await until(pilot, lambda: rule._right.startswith("2 of 4"))
        redis.hset(stage.wave.key("logs"), "2:1", "".join(f"row {n} of {60 - n}\n" for n in range(60)))
        await until(pilot, lambda: "row 59" in pane(pilot, "side").content)
        assert "row 59" not in picture(pilot.app), "one who reads is not carried away"
        await pilot.press("G")
        await shows(pilot, "row 59 of 1")
        await until(pilot, lambda: rule._right.endswith("· following"))
        await pilot.press("escape")
        await until(pilot, lambda: rule._right == "following")
        assert isinstance(pilot.app.screen, EntityScreen)


async def test_the_search_is_of_the_text_that_has_the_focus(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        await shows(pilot, "features · log")
        await pilot.press("enter")
        await until(pilot, lambda: pane(pilot, "evidence").has_focus)
        await pilot.press("slash", *"rows", "enter")
        await until(pilot, lambda: pane(pilot, "evidence").state.startswith("1 of "))
        assert pane(pilot, "side").hits == 0 and pane(pilot, "evidence").has_focus
        await pilot.press("slash", *"[", "enter")
        await until(pilot, lambda: pane(pilot, "evidence").state == "1 of 1")


async def test_each_panel_is_copied_as_it_is(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        app = pilot.app
        await shows(pilot, "features · log", "rows[0].temp")
        await pilot.press("c")
        assert app.clipboard.startswith("features  failed  waited 0 ms, ran 0.5 s  IndexError: out of range")
        await pilot.press("tab", "c")
        assert app.clipboard == "main/sales south 2013-07-01T14"
        await pilot.press("j", "c")
        assert app.clipboard == "weather missing  last good: T13 (1h00 old) · not waited for any longer"
        await pilot.press("tab", "c")
        assert app.clipboard == TRACE
        await pilot.press("tab", "c")
        assert "    rows[0].temp  12 → 24 (+100.0%)" in app.clipboard.split("\n")
        await pilot.press("tab", "c")
        assert app.clipboard.startswith("row 0 of 50\n") and app.clipboard.endswith("row 49 of 1\n")
        await pilot.press("s", "c")
        assert app.clipboard == f"wavedeck script {stage.wave.id} 'south' > s.sh; bash s.sh"
        await pilot.press("C")
        assert app.clipboard == f":entity {stage.wave.locator} {stage.wave.id} south features"


async def test_pipes_are_opened_from_here(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "sales")).run_test(size=BIG) as pilot:
        app = pilot.app

        def place() -> str:
            return str(app.screen.place) if isinstance(app.screen, DeckScreen) else ""

        async def back() -> None:
            await pilot.press("minus")
            await until(pilot, lambda: isinstance(app.screen, EntityScreen))
            await shows(pilot, "STATUS", "▸")

        await shows(pilot, "▸ ● sales")
        await pilot.press("v")
        await until(pilot, lambda: place() == "pipes main/sales 2013-07-01T14 south")
        await back()
        app.screen.query_one(TaskList).cursor = 2
        await shows(pilot, "features · evidence", "INPUT")
        await pilot.press("v")
        await until(pilot, lambda: "there is no pipe of features to open" in str([n.message for n in app._notifications]))
        app.screen.query_one(InputList).focus()
        await until(pilot, lambda: app.screen.query_one(InputList).has_focus)
        await pilot.press("j", "enter")
        await until(pilot, lambda: place() == "pipes main/weather 2013-07-01T13 south", "the last good one of what was missing")
        await back()
        app.screen.query_one(TaskList).cursor = 3
        await shows(pilot, "forecast · evidence")
        await pilot.press("v")
        await until(pilot, lambda: place() == "pipes main/forecast 2013-07-01T13 south", "what serves meanwhile")


async def test_an_old_input_is_told_with_its_key(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    put(redis, "weather", "east", 12, [1, 2, 3])
    async with WavedeckApp(redis_url, locator=at(stage, "east", "features")).run_test(size=BIG) as pilot:
        shown = await shows(pilot, "▸ ↺ features", "ran with main/weather east 2013-07-01T12, 2h00 old", "covered")
        words = " ".join(shown.split())
        assert "↺ weather 2h00 old 9 B main 2013-07-01T12" in words and "● sales fresh 41 B main 2013-07-01T14" in words


async def test_why_it_is_pending_is_live(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, [f"shop-{n}" for n in range(5)])
    worker = Worker("w-07", "main", "box", 1, time.time(), time.time(), [SlotState(1)], flows=["shops"])
    async with WavedeckApp(redis_url, locator=at(stage, "shop-3", "features")).run_test(size=BIG) as pilot:
        await shows(pilot, "no worker of main is alive")
        Workers(redis).beat(worker)
        await shows(pilot, "queued: 3 entities before it in this wave", "why: queued: 3 entities")
        Stage(redis, date="2013-07-01T12")
        stage.claim()
        Workers(redis).beat(worker)
        created = stage.wave.created / 1000
        stage.step("sales", Cell.PENDING, Cell.RUNNING, at=max(time.time() - created - 3, 0.001))
        await shows(pilot, "why: waits for sales (runs ", "weather (which has not begun);", "patience ends in ")
        redis.delete("wd:{main}:worker:w-07")
        redis.zadd("wd:{main}:workers", {"w-07": time.time() - 40})
        await shows(pilot, "held by worker w-07, whose lease ends in 9 min; w-07 was heard 4")


async def test_another_task_of_the_same_entity_is_shown_in_the_same_screen(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        await shows(pilot, "▸ ✗ features")
        screen = pilot.app.screen
        await pilot.press("colon", *f"entity {stage.wave.id} south sales", "enter")
        await shows(pilot, "▸ ● sales", "sales · evidence")
        assert pilot.app.screen is screen


async def test_only_this_entity_is_run_again_and_its_incident_copied(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis)
    async with WavedeckApp(redis_url, locator=at(stage, "south", "features")).run_test(size=BIG) as pilot:
        asked: list[Any] = []
        await shows(pilot, "▸ ✗ features")
        pilot.app.rerun = lambda *more: asked.append(more)  # type: ignore[attr-defined]
        await pilot.press("R")
        assert asked == [(stage.wave.id, stage.wave.locator, "this entity", [1])]
        await pilot.press("Y")
        await until(pilot, lambda: "`features` Failed" in pilot.app.clipboard)
        assert "weather missing" in pilot.app.clipboard and "IndexError" in pilot.app.clipboard


async def test_how_many_others_are_like_it_and_who_is_well(redis: Redis, redis_url: str) -> None:
    stage = a_lost_forecast(redis, tuple(f"e{n}" for n in range(4)))
    stage.run("features", Cell.FAILED, [3], at=1.0, took=0.25, note={"error": {"type": "IndexError", "message": "out of range", "where": "flows/features.py:7", "traceback": ""}})  # fmt: skip
    async with WavedeckApp(redis_url, locator=at(stage, "e1", "features")).run_test(size=BIG) as pilot:
        await shows(pilot, "1 other like it · first at ", "new since T13", "healthy neighbour: e0")


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_hostile_keys_stay_in_their_line(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = a_lost_forecast(redis, tuple(HOSTILE))
    for name, as_shown in zip(HOSTILE, AS_SHOWN, strict=True):
        async with WavedeckApp(redis_url, locator=at(stage, name, "features")).run_test(size=size) as pilot:
            shown = (await shows(pilot, "STATUS", "features · evidence")).split("\n")
            assert as_shown in shown[0] and len(shown) == size[1]
            for key in ("d", "d", "s", "l"):
                await pilot.press(key)
                await pilot.pause()
            assert not set(picture(pilot.app)) & set("\x1b\x9b\x07\u202e")


async def test_a_lost_link_greys_the_panels_and_what_it_knew_stays(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stop_clock(monkeypatch)
    wave = failing(redis)
    app = PlayedApp(redis, clock, locator=f"entity {wave.id} shop-03 weather")
    async with app.run_test(size=BIG) as pilot:
        await app.play(pilot)
        before = drawn(app)[1:-1]
        assert "as of 14:06:31" in drawn(app)[0] and "1 other like it · first at 14:0" in "\n".join(before)
        clock.at += 5
        await app.lose(pilot)
        assert "link lost · as of 14:06:31" in drawn(app)[0] and app.screen.has_class("-stale")
        assert drawn(app)[1:-1] == before


# headless


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_why_and_diff_have_headless_twins(redis: Redis, home: object) -> None:
    stage = a_lost_forecast(redis)
    pending = Stage(redis, date="2013-07-01T15").wave
    assert "no worker of main is alive" in run("why", pending.id, "north")
    told = json.loads(run("why", pending.id, "east", "--json"))
    assert (told["kind"], told["entity"], [t["task"] for t in told["tasks"]]) == ("no worker", "east", list(pending.tasks))
    assert "all its tasks have ended" in run("why", stage.wave.id, "south")

    text = run("diff", stage.wave.id, "south", "--task", "features")
    assert "rows[0].temp  12 → 24 (+100.0%)" in text and "weather  missing here" in text
    against = json.loads(run("diff", stage.wave.id, "south", "--neighbour", "--task", "features", "--json"))
    assert (against["entity"], against["against"]) == ("north", "neighbour")
    assert json.loads(run("diff", stage.wave.id, "south", "--json"))["task"] == "weather", "what failed first"


def test_the_entity_is_printed_with_its_inputs_and_what_serves(redis: Redis, home: object) -> None:
    stage = a_lost_forecast(redis)
    text = run("entity", stage.wave.id, "south")
    assert "input weather: missing, not waited for any longer; last good: main/weather south 2013-07-01T13 (1h00 older)" in text
    assert "input sales: fresh: main/sales south 2013-07-01T14, 41 bytes" in text
    assert "meanwhile main/forecast south 2013-07-01T13 serves until 2013-07-01 19:00" in text
    task = {t["task"]: t for t in json.loads(run("entity", stage.wave.id, "south", "--json"))["tasks"]}
    weather = next(i for i in task["features"]["inputs"] if i["name"] == "weather")
    assert (weather["state"], weather["missing"], weather["good_age"]) == ("missing", True, 3600)
    assert task["forecast"]["serves"]["date"] == "2013-07-01T13"


def test_a_script_of_one_task_waits_for_no_other(redis: Redis, home: object) -> None:
    stage = a_lost_forecast(redis)
    whole, alone = run("script", stage.wave.id, "south"), run("script", stage.wave.id, "south", "--task", "features")
    lines = [line.strip() for line in alone.split("\n") if line.startswith("  task ")]
    assert lines == ["task features --timeout 1m"]
    assert "  task features --after sales,weather --timeout 1m" in whole
    assert CliRunner().invoke(cli, ["script", stage.wave.id, "south", "--task", "nope"]).exception is not None


def test_a_base_versions_forecast_serves_too(redis: Redis, home: object) -> None:
    put(redis, "forecast", "north", 10, [1])
    stage = Stage(redis, ["north"], plan=a_forecast(), version="fix").claim()
    redis.hset(stage.wave.key("wave"), "base", "main")
    stage.run("sales", at=0.1, took=0.1)
    stage.run("weather", at=0.1, took=0.1)
    stage.run("features", Cell.FAILED, at=0.2, took=0.1, note=error())
    stage.run("forecast", Cell.FAILED, at=0.2, took=0.1, note=error())
    put(redis, "sales", "north", 14, 1)
    tasks = {t["task"]: t for t in json.loads(run("entity", stage.wave.id, "north", "--json"))["tasks"]}
    assert tasks["forecast"]["serves"] == {
        "key": "main/forecast north 2013-07-01T10", "version": "main", "date": "2013-07-01T10",
        "until": "2013-07-01T16:00+00:00", "age": 14400.0,
    }  # fmt: skip
    redis.delete("main/forecast north 2013-07-01T10")
    put(redis, "forecast", "north", 8, [1])
    tasks = {t["task"]: t for t in json.loads(run("entity", stage.wave.id, "north", "--json"))["tasks"]}
    assert tasks["forecast"]["serves"] is None, "what ended before the wave's date covers nothing of it"
