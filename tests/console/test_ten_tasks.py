"""What a person on call does, from the home screen in five keys at most, as docs/console.md lists it."""

from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from stage import Stage, a_bad_wave, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from engine.status import Cell
from engine.store.waves import Waves

SIZE = (160, 45)


def documented() -> dict[str, list[str]]:
    """The table of docs/console.md: what to do → keys."""
    names = {"→": "right", "!": "exclamation_mark", "<": "less_than_sign"}
    rows = {}
    for line in Path("docs/console.md").read_text("utf-8").split("\n"):
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 5 and cells[2].startswith("`"):
            keys = cells[2].strip("`").split("` `")
            rows[cells[1]] = [names.get(key, key) for key in keys]
        if line.startswith("A dialog"):
            break
    return rows


TASKS = documented()


async def do(pilot: Pilot[Any], what: str, waits: dict[int, str] | None = None) -> None:
    """Presses what the documentation says, waiting for texts before the keys of these numbers."""
    for number, key in enumerate(TASKS[what]):
        if waits and number in waits:
            await shows(pilot, waits[number])
        await pilot.press(key)


def test_there_are_ten_and_none_takes_more_than_five_keys() -> None:
    assert len(TASKS) == 10
    assert max(map(len, TASKS.values())) <= 5


async def test_find_the_first_red(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "find the first red of a wave")
        shown = await shows(pilot, "› south", "Traceback", "NoObservation")
        assert "collect.py:41" in shown


async def test_why_is_it_pending(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "see why an entity is pending", {1: "ENTITY", 2: "status:"})
        await shows(pilot, "› north", "no worker of main is alive")


async def test_which_inputs_did_it_use(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis).claim()
    stage.run("sales", at=0.1, took=0.1)
    old = {"inputs": [{"name": "weather", "key": "main/weather north 2013-07-01T12", "age": 7200.0}]}
    stage.run(
        "weather", Cell.FAILED, at=0.1, took=0.1, note={"error": {"type": "E", "message": "m", "where": "", "traceback": ""}}
    )
    stage.run("features", Cell.FALLBACK, at=0.2, took=0.1, note=old)
    stage.run("score", at=0.3, took=0.1)
    stage.end()
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "see which inputs it used", {1: "▸"})
        await shows(pilot, "inputs")
        await pilot.press("j")
        await shows(pilot, "weather", "main/weather north 2013-07-01T12")


async def test_copy_an_incident_block(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "copy an incident block")
        await until(pilot, lambda: "NoObservation" in pilot.app.clipboard)
        assert stage.wave.id in pilot.app.clipboard and "wavedeck" in pilot.app.clipboard


async def test_cancel(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "cancel a wave", {1: "will never run"})
        await until(pilot, lambda: Waves(redis).get(stage.wave.id).cancelled)


async def test_re_run_one_family(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "re-run one family of failures", {1: "NoObservation", 2: "1 entity"})
        await until(pilot, lambda: len(Waves(redis).recent()) == 2)
        new = next(p.wave for p in Waves(redis).recent() if p.wave.id != stage.wave.id)
        assert [entity for entity, _ in Waves(redis).members(new)] == ["south"]


async def test_compare_two_versions_of_a_pipe(redis: Redis, redis_url: str) -> None:
    for version, value in (("main", b'{"delay":12.5}'), ("fix-1", b'{"delay":11.0}')):
        stage = Stage(redis, ["north"], version=version).claim()
        stage.run("sales", at=0.1, took=0.1)
        redis.set(f"{version}/sales north 2013-07-01T14", value)
        stage.end()
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "compare two versions of one pipe", {1: "sales", 2: "2013-07-01T14", 3: "north", 4: "delay"})
        await shows(pilot, "12.5", "11.0")


async def test_what_changed_since_the_last_wave(redis: Redis, redis_url: str) -> None:
    before = Stage(redis, date="2013-07-01T13").claim()
    for task in ("sales", "weather", "features", "score"):
        before.run(task, at=0.1, took=0.1)
    before.end()
    a_bad_wave(redis)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "see what changed since the last wave")
        await shows(pilot, "newly failed", "2013-07-01T13")


async def test_which_worker_is_bad(redis: Redis, redis_url: str) -> None:
    a_bad_wave(redis, [f"e-{n}" for n in range(3)])
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "find the bad worker")
        await shows(pilot, "w-07", "FAIL")


async def test_as_it_was_ten_minutes_ago(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(redis).claim()
    redis.hset(
        stage.wave.key("wave"), mapping={"created": stage.wave.created - 1_800_000, "started": stage.wave.created - 1_800_000}
    )
    stage.run("sales", at=60.0, took=30.0)
    stage.run("weather", at=1700.0, took=30.0)
    async with WavedeckApp(redis_url).run_test(size=SIZE) as pilot:
        await shows(pilot, "2013-07-01T14")
        await do(pilot, "see the wave as it was ten minutes ago", {1: "3 ●"})
        shown = await shows(pilot, "as it was")
        await until(pilot, lambda: "10 min ago" in picture(pilot.app))
        weather = next(line for line in picture(pilot.app).split("\n") if " weather " in line and "◆" in line)
        sales = next(line for line in picture(pilot.app).split("\n") if " sales " in line and "◆" in line)
        assert "3 ●" in sales and "0 ●" in weather, shown
