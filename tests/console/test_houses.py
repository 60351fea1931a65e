"""The console and its headless twins on every kind of Redis: what they read, and what they may do."""

import json

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import a_bad_wave, a_plan, shows

from console.app import WavedeckApp
from console.cli import cli
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.states import States

pytestmark = pytest.mark.every_house
BIG = (160, 45)


def test_the_headless_twins_tell_it(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    Catalog(redis).publish("main", [a_plan()])
    run = CliRunner()

    def told(*words: str) -> object:
        result = run.invoke(cli, ["--redis", redis_url, *words, "--json"])
        assert result.exit_code == 0, (words, result.output, result.exception)
        return json.loads(result.output)

    [wave] = told("waves")  # type: ignore[misc]
    assert told("wave", "last")["id"] == wave["id"]  # type: ignore[index]
    for words in (
        ["failures", "last"],
        ["first-red", "last"],
        ["entity", "last", "south"],
        ["why", "last", "south"],
        ["changes", "last"],
    ):
        assert told(*words)
    for words in (["flows"], ["state"], ["workers"], ["acts"], ["pipes"], ["pipes", "main"], ["pipes", "main/sales"]):
        told(*words)
    assert told("cancel", wave["id"])["id"] == wave["id"]  # type: ignore[index]
    assert told("acts")[0]["verb"] == "cancel"  # type: ignore[index]
    assert "read-only" in run.invoke(cli, ["--redis", redis_url, "--read-only", "rerun", wave["id"]]).exception.args[0]  # type: ignore[union-attr]


async def test_the_screens_show_a_wave_and_what_becomes_of_it(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await shows(pilot, "2013-07-01T14", "shops", "2")
        await pilot.press("enter")
        await shows(pilot, "ENTITY", "WHY", "▸ south")
        stage.step("score", Cell.RUNNING, Cell.FINISHED, [2])
        await shows(pilot, "100%")
        await pilot.press("enter")
        await shows(pilot, "STATUS", "Traceback")


@pytest.mark.parametrize(
    ("place", "texts"), [("acts", ["triggered"]), ("workers", ["WORKER"]), ("pipes", ["main"]), ("state shops", ["shops"])]
)
async def test_every_other_screen_opens(redis: Redis, redis_url: str, place: str, texts: list[str]) -> None:
    a_bad_wave(redis)
    Catalog(redis).publish("main", [a_plan()])
    States(redis).seen("shops", [("north", "n")], 1.0)
    async with WavedeckApp(redis_url, locator=place).run_test(size=BIG) as pilot:
        await shows(pilot, *texts)
        assert "lost" not in await shows(pilot, "as of")
