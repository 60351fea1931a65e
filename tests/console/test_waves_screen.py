"""The list of waves as a person sees it: what is said of each at every width, sorting, filtering, and what the keys act on."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from played import NOON, PlayedApp, World, drawn, failing, stop_clock
from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, a_bad_wave, shows, until

from console import views
from console.app import WavedeckApp
from console.feed import News
from console.screens.wave_columns import SORTS, shape
from console.screens.wave_list import WaveList, waits_for
from console.screens.waves import WavesScreen
from console.widgets.text import fit
from engine.store.wave import Wave

SIZES = [(80, 24), (110, 30), (160, 45), (240, 60)]
SIZED = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


def a_day(redis: Redis) -> dict[str, Wave]:
    """Twelve waves as usual; one that runs, is slow and fails; a part of it that runs again; and three that are queued."""
    world = World(redis, 60)
    for ago in range(12, 0, -1):
        world.wave(24 - ago, began=3600.0 * ago, took=30.0)
    bad = world.wave(2, began=72.0, failing=(3, 5, 8, 17, 21), share=0.6)
    part = Stage(redis, [f"r{i}" for i in range(15)], date="2013-07-01T02", trigger="manual:part").claim().wave
    redis.hset(part.key("wave"), "of", bad.id)
    waits = [
        Stage(redis, ["north"] * 1, date="2013-07-01T03", trigger="schedule:3").wave,
        Stage(redis, ["north", "south"], date="2013-07-01T04", trigger="schedule:4").wave,
        Stage(redis, ["north"], date="2013-07-01T04", trigger="schedule:4", version="fix-123").wave,
    ]
    for age, wave in enumerate([part, *reversed(waits)], 1):
        world._times.append((wave, NOON - age, None))
    world.settle()
    for wave in waits:
        redis.hdel(wave.key("wave"), "started")
    return {"bad": bad, "part": part, "next": waits[0], "later": waits[1], "alone": waits[2]}


def line_of(lines: list[str], *texts: str) -> str:
    """The one row of the list that has all of these."""
    [found] = [line for line in lines[2:-2] if all(text in line for text in texts)]
    return found


def served(redis: Redis, monkeypatch: pytest.MonkeyPatch, *versions: str) -> None:
    """Lets versions look served by a worker."""
    news = [type("Worker", (), {"version": version})() for version in versions]
    monkeypatch.setattr("console.browse.workers", lambda _redis: news)


@SIZED
async def test_what_matters_most_is_there_at_every_width(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    a_day(redis)
    app = PlayedApp(redis, stop_clock(monkeypatch))
    async with app.run_test(size=size) as pilot:
        await app.play(pilot)
        lines = drawn(app)

    head, bad = lines[1], line_of(lines, "60% ")
    for title in ("FLOW", "VERSION", "DATE", "PROGRESS", "✗", "◌", "ETA", "VS", "ENT"):
        assert title in head, title
    assert "4.3× slow" in bad and " 5 " in bad and " 10 " in bad and "47.9 s" in bad and " 60" in bad
    assert " 15" in line_of(lines, "re-run"), "waves of one date differ in their entities"
    assert "as usual" in line_of(lines, "01T23", "done")
    assert all(len(line) <= size[0] for line in lines)
    assert "2013-07-01T23" in "".join(lines) or size[0] == 80, "the year goes first in need"


async def test_wide_screens_say_it_all(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = a_day(redis)
    app = PlayedApp(redis, stop_clock(monkeypatch), read_only=True)
    async with app.run_test(size=(160, 45)) as pilot:
        await app.play(pilot)
        lines = drawn(app)

    for title in ("✗ FAIL", "◌ BLOCK", "RATE", "ETA", "VS LAST 10", "TOOK", "AGE", "ENTITIES", "BY"):
        assert title in lines[1], title
    assert "4.3× slower · 3.7% fail" in line_of(lines, "60%") and "schedule" in line_of(lines, "60%")
    assert f"re-run of {waves['bad'].id}" in line_of(lines, "re-run") and " ana" in line_of(lines, "re-run")
    assert "first of its flow" in line_of(lines, "01T12")
    assert "redis prod.example:6379" in lines[0] and "no workers" in lines[0] and "read-only" in lines[0]
    assert "as of 14:06:31" in lines[0]


@pytest.mark.parametrize(("size", "queued"), [((80, 24), "behind"), ((110, 30), "queued behind")])
async def test_a_queued_wave_says_behind_which(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], queued: str
) -> None:
    a_day(redis)
    served(redis, monkeypatch, "main", "main")
    app = PlayedApp(redis, stop_clock(monkeypatch))
    async with app.run_test(size=size) as pilot:
        await app.play(pilot)
        lines = drawn(app)

    assert f"{queued} shops@main 02 " in line_of(lines, "01T03 ")
    assert f"{queued} shops@main 03 " in line_of(lines, "01T04 ", "main ")
    assert "no worker of fix-123" in line_of(lines, "fix-123 ")
    assert "2 workers" in lines[0]


def test_the_queue_is_the_engines(redis: Redis) -> None:
    waves = [
        Stage(redis, ["a"], date="2013-07-01T01", trigger="schedule:1").wave,
        Stage(redis, ["a"], date="2013-07-01T02", trigger="schedule:2").wave,
        Stage(redis, ["a"], date="2013-07-01T03", trigger="manual:3").wave,
        Stage(redis, ["a"], date="2013-07-01T04", trigger="manual:4", version="fix").wave,
        Stage(redis, ["a"], date="2013-07-01T05", trigger="manual:5").wave,
    ]
    for at, wave in enumerate(waves):  # made within one millisecond they would be equal
        redis.hset(wave.key("wave"), "created", wave.created + at)
        redis.zincrby(f"wd:{{{wave.version}}}:queue", at, wave.id)
    order = [w.decode() for w in redis.zrange("wd:{main}:queue", 0, -1)]
    names = {wave.id: wave.locator for wave in waves}

    told = {row.id: row.behind for row in views.waves(redis)}

    assert [told[i] for i in order] == ["", *(names[i] for i in order[:-1])]
    assert told[waves[3].id] == "", "nothing of its version is before it"


@pytest.mark.parametrize(
    ("date", "behind", "words"),
    [
        ("2013-08-22T02", "flights@main 2013-08-22T01", "queued behind flights@main 01"),
        ("2013-08-23T00", "flights@main 2013-08-22T23", "queued behind flights@main 2013-08-22T23"),
        ("2013-08-22", "flights@main 2013-08-22T23", "queued behind flights@main 23"),
        ("2013-08-22T02", "campaigns@main 2013-08-22", "queued behind campaigns@main 2013-08-22"),
        ("2013-08-22T02", "", "queued"),
    ],
)
def test_a_queued_wave_names_the_hour_alone_on_its_own_day(redis: Redis, date: str, behind: str, words: str) -> None:
    wave = Stage(redis, ["a"]).wave
    [row] = views.waves(redis)
    row = replace(row, date=date, behind=behind)
    assert waits_for(row, None) == waits_for(row, {"main"}) == words
    assert waits_for(row, {"fix"}) == f"queued, no worker of {wave.version}"


async def test_o_sorts_and_the_header_says_by_what(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = a_day(redis)
    app = PlayedApp(redis, stop_clock(monkeypatch))
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        shown = app.screen.query_one(WaveList)
        newest = [row.id for row in shown.rows]
        seen = []
        for _ in SORTS:
            seen.append((shown.sort, drawn(app)[1]))
            first = shown.rows[0].id
            if shown.sort in ("failures", "slowest"):
                assert first == waves["bad"].id, shown.sort
            if shown.sort == "entities":
                assert shown.rows[0].entities == 60 and shown.rows[-1].entities == 1
            if shown.sort == "flow":
                assert first == waves["alone"].id, "fix-123 comes before main"
            await pilot.press("O")
        assert [row.id for row in shown.rows] == newest, "and it begins again"

    titles = {"newest": "DATE▾", "failures": "✗ FAIL▾", "slowest": "VS LAST 10▾", "entities": "ENTITIES▾", "flow": "FLOW▾"}
    for sort, head in seen:
        assert titles[sort] in head and head.count("▾") == 1, head


async def test_news_stay_sorted_and_the_cursor_stays_with_its_wave(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = a_day(redis)
    app = PlayedApp(redis, stop_clock(monkeypatch))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.play(pilot)
        await pilot.press("j", "j", "j", "j")
        shown = app.screen.query_one(WaveList)
        assert shown.chosen is not None and shown.chosen.id == waves["bad"].id
        await pilot.press("O")
        assert shown.cursor == 0 and shown.chosen.id == waves["bad"].id
        redis.hset(waves["bad"].key("wave"), "left", 5)
        await app.play(pilot)
        assert shown.rows[0].id == waves["bad"].id and shown.rows[0].left == 5


async def test_the_filter_knows_how_waves_compare(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = a_day(redis)
    app = PlayedApp(redis, stop_clock(monkeypatch))
    async with app.run_test(size=(80, 24)) as pilot:
        await app.play(pilot)
        shown = app.screen.query_one(WaveList)
        for query, found in {
            "slower": [waves["bad"].id],
            "re-run": [waves["part"].id],
            "fix-123": [waves["alone"].id],
            "queued !fix": [waves["later"].id, waves["next"].id],
            "failed main": [waves["bad"].id],
        }.items():
            app.screen.set_filter(query)  # type: ignore[attr-defined]
            await pilot.pause()
            assert {row.id for row in shown.rows} == set(found), query


async def test_the_console_can_open_with_a_filter(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    waves = a_day(redis)
    app = PlayedApp(redis, stop_clock(monkeypatch), locator="waves /fix-123")
    async with app.run_test(size=(80, 24)) as pilot:
        await app.play(pilot)
        assert [row.id for row in app.screen.query_one(WaveList).rows] == [waves["alone"].id]
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen.query_one(WaveList).rows) == 17


async def test_keys_act_on_the_wave_under_the_cursor_and_say_so(redis: Redis, redis_url: str) -> None:
    for hour in (10, 11, 12):
        a_bad_wave(redis, date=f"2013-07-01T{hour}")
    async with WavedeckApp(redis_url).run_test(size=(110, 30)) as pilot:
        await shows(pilot, "01T12")
        await pilot.press("space", "space")
        for key, title in (("R", "run again: what did not finish of shops@main 2013-07-01T10"), ("X", "cancel")):
            pilot.app.clear_notifications()
            await pilot.press(key)
            await shows(pilot, title, "2013-07-01T10")
            told = "this is about shops@main 2013-07-01T10, under the cursor, and not about the 2 marked waves"
            assert [n.message for n in pilot.app._notifications] == [told]
            await pilot.press("escape")
            await until(pilot, lambda: isinstance(pilot.app.screen, WavesScreen))
        await pilot.press("ctrl+backslash")
        pilot.app.clear_notifications()
        await pilot.press("X")
        await shows(pilot, "cancel", "2013-07-01T10")
        assert not pilot.app._notifications


@pytest.mark.parametrize(
    ("key", "view"), [("F", "failures"), ("d", "changes"), ("exclamation_mark", "entity"), ("enter", "wave")]
)
async def test_keys_lead_on_from_the_wave_under_the_cursor(redis: Redis, redis_url: str, key: str, view: str) -> None:
    stage = a_bad_wave(redis)
    app = WavedeckApp(redis_url)
    async with app.run_test(size=(110, 30)) as pilot:
        await shows(pilot, "01T14")
        await pilot.press(key)
        await until(pilot, lambda: app.screen.place.view == view, view)  # type: ignore[attr-defined]
        assert app.screen.place.wave == stage.wave.id  # type: ignore[attr-defined]


async def test_a_row_and_an_incident_are_copied_and_the_wave_is_watched(redis: Redis, redis_url: str) -> None:
    stage = a_bad_wave(redis)
    app = WavedeckApp(redis_url)
    async with app.run_test(size=(110, 30)) as pilot:
        await shows(pilot, "01T14")
        await pilot.press("c")
        assert app.clipboard.startswith(f"shops@main 2013-07-01T14 {stage.wave.id} running: 3 entities, ")
        assert "1 Failed" in app.clipboard and "2 Blocked" in app.clipboard and app.clipboard.endswith("; first of its flow")
        await pilot.press("Y")
        await until(pilot, lambda: "NoObservation" in app.clipboard)
        await pilot.press("w")
        await until(pilot, lambda: any("watching shops@main 2013-07-01T14" in n.message for n in app._notifications))


async def test_the_header_says_how_far_away_redis_is(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    async with WavedeckApp(redis_url).run_test(size=(160, 24)) as pilot:
        head = (await shows(pilot, "01T14", " ms ·")).split("\n")[0]
        assert " ms ·" in head and "no workers" in head and "as of " in head


@SIZED
async def test_hostile_names_break_no_line(redis: Redis, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]) -> None:
    for number, text in enumerate(HOSTILE):
        wave = Stage(redis, ["a"], date=f"2013-07-01T{number:02}").wave
        told = {"flow": text, "version": text, "by": text, "of": text if number % 2 else ""}
        redis.hset(wave.key("wave"), mapping={**told, "created": int(NOON * 1000) - number})
    app = PlayedApp(redis, stop_clock(monkeypatch))
    async with app.run_test(size=size) as pilot:
        await app.play(pilot)
        lines = drawn(app)
        assert len(lines) == size[1]
        for number, text in enumerate(AS_SHOWN):
            line = line_of(lines, f"01T{number:02}")
            assert "\x1b" not in line and "\u202e" not in line
            assert fit(text, 7).rstrip().rstrip("…")[:5] in line, text
        await pilot.press("slash", *"zz", "enter")
        assert "no wave matches" in "\n".join(drawn(app))


@pytest.mark.parametrize("width", range(20, 260, 7))
def test_columns_never_take_more_than_there_is(redis: Redis, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_clock(monkeypatch)
    failing(redis)
    rows = views.waves(redis)
    found = shape(width, rows)

    taken = 4 + found.flow + found.version + found.date + 3 + found.how_far + sum(c.width + found.gap for c in found.columns)
    assert taken <= max(width, 50)
    assert len({c.name for c in found.columns}) == len(found.columns)
    if width >= 79:
        assert {"failed", "blocked", "eta", "entities", "versus"} <= {c.name for c in found.columns}


def test_nothing_changed_is_no_news(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    from console.sources.waves import WavesSource

    stop_clock(monkeypatch)
    world = World(redis, 20)
    world.wave(13, began=60.0, took=30.0)
    world.settle()
    source = WavesSource()

    assert source.read(redis)[0] is not None
    source.read(redis)
    assert source.read(redis)[0] is None
    new = world.wave(14, began=90.0, took=30.0)
    told = source.read(redis)[0]
    assert told is not None and told.rows[0].id == new.id
    assert News(1, NOON, None).body is None


def test_the_headless_twin_says_the_same(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    stage = a_bad_wave(redis)
    command = [sys.executable, "-m", "console.cli", "--redis", redis_url, "waves"]

    [row] = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True, timeout=60).stdout)
    table = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True).stdout

    assert row["id"] == stage.wave.id and row["behind"] == "" and row["of"] == ""
    assert row["normal"] == {
        "words": "first of its flow",
        "ratio": None,
        "since": None,
        "failure_rate": 1 / 9,
        "usual_failure_rate": None,
        "loud": False,
    }
    assert "VS LAST 10" in table and "first of its flow" in table
