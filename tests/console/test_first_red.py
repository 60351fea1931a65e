"""The first red: the earliest failure without a failed ancestor, and the key that leads to it from four screens."""

import json

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import HOSTILE, Stage, a_bad_wave, error, shows, until

from console.app import WavedeckApp
from console.cli import cli
from console.locator import parse
from console.reports.failures import first_red
from console.screens.entity import EntityScreen
from engine.status import Cell

BIG = (160, 45)


def test_the_earliest_end_counts_not_the_earliest_start(redis: Redis) -> None:
    stage = Stage(redis).claim()
    stage.run("sales", Cell.FAILED, [0], at=0.1, took=5.0, note=error("Slow"))
    stage.run("weather", Cell.FAILED, [1], at=1.0, took=0.5, note=error("Quick"))

    found = first_red(redis, stage.wave)

    assert found is not None
    assert (found.entity, found.task, found.number, found.error["type"]) == ("south", "weather", 1, "Quick")
    assert found.seconds == 1.5
    assert found.at is not None


def test_a_failure_below_a_failed_one_is_not_the_first(redis: Redis) -> None:
    """Its end may be earlier: a task that covers for a missing input does not wait for it."""
    stage = Stage(redis).claim()
    stage.run("sales", entities=[0, 1], at=0.1, took=0.1)
    stage.run("weather", entities=[1], at=0.1, took=0.1)
    stage.run("features", Cell.FAILED, [0], at=0.5, took=0.1, note=error("Below"))
    stage.run("weather", Cell.FAILED, [0], at=0.3, took=9.0, note=error("Above"))
    stage.run("features", Cell.FAILED, [1], at=3.0, took=0.1, note=error("Root"))

    found = first_red(redis, stage.wave)

    assert found is not None
    assert (found.entity, found.task, found.error["type"]) == ("south", "features", "Root")


def test_blocked_is_not_red_and_a_failure_that_never_ran_comes_last(redis: Redis) -> None:
    stage = Stage(redis).claim()
    assert first_red(redis, stage.wave) is None
    stage.step("features", Cell.PENDING, Cell.BLOCKED, [2], note=error("Blocked"))
    assert first_red(redis, stage.wave) is None
    stage.step("sales", Cell.PENDING, Cell.FAILED, [0], note=error("NeverRan"))
    only = first_red(redis, stage.wave)
    assert only is not None
    assert (only.at, only.seconds, only.error["type"]) == (None, 0.0, "NeverRan")
    stage.run("weather", Cell.FAILED, [1], at=9.0, took=9.0, note=error("Ran"))
    then = first_red(redis, stage.wave)
    assert then is not None
    assert then.error["type"] == "Ran"


@pytest.mark.parametrize("view", ["waves", "wave last", "failures last", "changes last"])
async def test_one_key_leads_to_it(redis: Redis, redis_url: str, view: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url, locator=view).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14", "as of")
        await until(pilot, lambda: getattr(pilot.app.screen, "target", lambda: None)() is not None)
        await pilot.press("exclamation_mark")
        await shows(pilot, "› south", "NoObservation", "Traceback")
        assert isinstance(pilot.app.screen, EntityScreen)
        assert parse(str(pilot.app.screen.place)) == parse(f"entity shops@main 2013-07-01T14 {stage.wave.id} south weather")


@pytest.mark.parametrize("view", ["waves", "wave last", "failures last", "changes last"])
async def test_a_wave_without_one_says_so(redis: Redis, redis_url: str, view: str) -> None:
    stage = Stage(redis).claim()
    stage.run("sales", at=0.1, took=0.1)
    async with WavedeckApp(redis_url, locator=view).run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "2013-07-01T14", "as of")
        await pilot.press("exclamation_mark")
        await shows(pilot, "nothing failed in this wave")


async def test_it_leads_to_hostile_entities(redis: Redis, redis_url: str) -> None:
    for number, key in enumerate(HOSTILE):
        stage = Stage(redis, HOSTILE, date=f"2013-07-01T{number:02}").claim()
        stage.run("sales", Cell.FAILED, [number], at=0.1, took=0.1, note=error("Boom", f"about {key}"))
        found = first_red(redis, stage.wave)
        assert found is not None
        assert found.entity == key
    async with WavedeckApp(redis_url, locator="wave last").run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "sales")
        await pilot.press("exclamation_mark")
        await shows(pilot, "\\u202egnp", "Boom")


def test_the_twin(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis, ["north", "sou\nth", "east"])
    run = CliRunner()
    found = json.loads(run.invoke(cli, ["--redis", redis_url, "first-red", "last", "--json"]).output)
    assert (found["entity"], found["task"], found["error"]["type"]) == ("sou\nth", "weather", "NoObservation")
    shown = run.invoke(cli, ["--redis", redis_url, "first-red", "last"]).output
    assert "sou\\nth" in shown and "collect.py" in shown
    Stage(redis, date="2013-07-01T15")
    assert run.invoke(cli, ["--redis", redis_url, "first-red", "last", "--json"]).output.strip() == "null"
    assert "nothing failed" in run.invoke(cli, ["--redis", redis_url, "first-red", "last"]).output
