"""The screen of coverage and the home screen's line: what they say, where keys lead, and what they cost at rest."""

import re

import pytest
from forecasts import AT, a_plan, a_wave, scene, settle
from played import PlayedApp, Stopped, drawn, stop_clock
from redis import Redis
from stage import AS_SHOWN, HOSTILE, shows

from console.locator import Locator, parse
from console.reports.coverage import Partition, Who
from console.screens.coverage import LostList
from console.sources import coverage as source_module
from console.sources.coverage import CoverageSource, Covers, continued
from console.sources.waves import WavesSource
from engine.coverage import Coverage
from engine.errors import NotFound
from engine.store.catalog import Catalog
from engine.store.coverage import Forecasts
from engine.store.states import States
from engine.store.waves import Waves


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Stopped:
    return stop_clock(monkeypatch)


async def test_a_key_leads_from_home_to_the_coverage_and_on_to_the_wave_that_serves(redis: Redis, clock: Stopped) -> None:
    scene(redis)
    app = PlayedApp(redis, clock)
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        assert "shops@main forecast" in drawn(app)[1] and "2.5 % dark" in drawn(app)[1]
        await pilot.press("h")
        await app.play(pilot)
        assert app.screen.place == Locator("coverage", path="shops@main", task="forecast")  # type: ignore[attr-defined]
        rows = app.screen.query_one(LostList)
        who = [row.entity if isinstance(row, Who) else f"{row.name}: {row.dark}" for row in rows.rows]
        assert who == ["north: 3", "shop-39", "shop-00", "shop-03", "south: 3", "shop-01", "shop-04", "shop-07"]

        # An entity that an older forecast serves: its wave; one that is dark: the wave that should have served it
        for steps, date in ((2, "T11"), (1, "T14")):
            await pilot.press(*"j" * steps)
            row = rows.chosen
            await pilot.press("enter")
            await app.play(pilot)
            place = app.screen.place  # type: ignore[attr-defined]
            assert isinstance(row, Who)
            assert (place.view, place.entity, place.task, place.name) == (
                "entity",
                row.entity,
                "forecast",
                f"shops@main 2013-07-01{date}",
            )
            await pilot.press("minus")
            await app.play(pilot)
            rows = app.screen.query_one(LostList)


async def test_partitions_fold_filters_find_and_tasks_take_turns(redis: Redis, clock: Stopped) -> None:
    scene(redis)
    app = PlayedApp(redis, clock, locator="coverage shops")
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        rows = app.screen.query_one(LostList)
        await pilot.press("enter")
        assert rows.rows[0] == Partition("north", 14, 3, 3, "14:00", True) and isinstance(rows.rows[1], Partition)
        await pilot.press("slash", *"0[37]", "enter")
        assert [row.entity for row in rows.rows if isinstance(row, Who)] == ["shop-03", "shop-07"]
        await pilot.press("slash", *["backspace"] * 5, *"!older", "enter")
        assert [row.entity for row in rows.rows if isinstance(row, Who)] == ["shop-39"]
        await pilot.press("escape", "t")
        await app.play(pilot)
        assert "everybody is served fresh" in "\n".join(drawn(app))
        assert "100 % fresh · nobody dark until 17:00" in drawn(app)[1]
        await pilot.press("t")
        assert "dark begins 17:00 for 2 entities" in drawn(app)[1]


async def test_hostile_names_break_no_line(redis: Redis, clock: Stopped) -> None:
    Catalog(redis).publish("main", [a_plan()])
    States(redis).seen("shops", [(name, name) for name in HOSTILE], AT.start.timestamp())
    settle(redis, a_wave(redis, 0, list(range(len(HOSTILE))), names=HOSTILE))
    for size in ((80, 40), (160, 40)):
        app = PlayedApp(redis, clock, locator="coverage shops")
        async with app.run_test(size=size) as pilot:
            await app.play(pilot)
            text = "\n".join(drawn(app))
            assert len(drawn(app)) == size[1] and {len(strip) for strip in map(str, drawn(app))}
            assert "\x1b" not in text and "\u202e" not in text
            assert all(text.count(shown[:10]) >= 2 for shown in AS_SHOWN), text


async def test_with_a_real_feed_a_wave_that_ends_is_told(redis: Redis, redis_url: str) -> None:
    from console.app import WavedeckApp

    scene(redis)
    app = WavedeckApp(redis_url, locator="coverage shops@main forecast")
    async with app.run_test(size=(120, 30)) as pilot:
        await shows(pilot, "not served fresh")


@pytest.mark.parametrize("place", ["coverage nope@main", "coverage shops@nope"])
async def test_a_flow_that_is_not_there_is_said(redis: Redis, clock: Stopped, place: str) -> None:
    scene(redis)
    app = PlayedApp(redis, clock, locator=place)
    async with app.run_test(size=(110, 30)) as pilot:
        await app.play(pilot)
        assert "has published no flow" in "\n".join(drawn(app))


# places


def test_a_place_is_typed_as_it_is_told() -> None:
    for text in (
        "coverage",
        "coverage flights@main",
        "coverage flights@feature/x delay_forecast",
        "coverage flights@main /JFK !older",
    ):
        assert str(parse(text)) == text
    assert parse("coverage flights@main x").same(parse("coverage flights@main y"))
    assert parse("coverage a@main").parent() == Locator()


# what is read


def count_reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that are read from now on."""
    found: list[str] = []
    real = Forecasts.coverage

    def counting(self: Forecasts, task: str, **more: object) -> Coverage:
        found.append(task)
        return real(self, task, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Forecasts, "coverage", counting)
    return found


def test_home_reads_coverage_when_waves_move_or_an_hour_turns_and_not_else(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a home screen that has told its list, and then what forecasts reach
    scene(redis)
    ticks = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: ticks[0])
    reads, source = count_reads(monkeypatch), WavesSource()
    first, _ = source.read(redis)
    ticks[0] += 1
    second, _ = source.read(redis)
    assert first is not None and first.covers == ()
    assert second is not None and [line.task for line in second.covers] == ["forecast"]
    assert reads == ["forecast", "stock"]

    # When nothing moves for half an hour
    for _ in range(700):
        ticks[0] += 2.5
        clock.at += 2.5
        source.read(redis)

    # Then it is not read again; and when the hour turns, at once
    assert len(reads) == 2
    clock.at = AT.shift(3).start.timestamp() + 1
    ticks[0] += 1
    news, _ = source.read(redis)
    assert len(reads) == 4
    assert news is not None and (news.covers[0].task, news.covers[0].long[-1]) == ("stock", ("dark", "100 % dark"))


def test_while_waves_move_it_is_read_as_seldom_as_it_costs_little_and_once_more_in_the_end(
    redis: Redis, clock: Stopped, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene(redis)
    ticks = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: ticks[0])
    reads, covers = count_reads(monkeypatch), Covers()
    recent = Waves(redis).recent(10)
    covers.of(redis, recent[3:])
    for moved in range(3):
        ticks[0] += source_module.EVERY / 10
        covers.of(redis, recent[2 - moved :])
    assert len(reads) == 2 and not covers.due
    ticks[0] += source_module.EVERY
    assert covers.due
    covers.of(redis, recent)
    assert len(reads) == 4 and not covers.due


def test_a_plan_that_cannot_be_read_takes_only_its_own_line(redis: Redis, clock: Stopped) -> None:
    other = a_wave(redis, 0, [], flow="other")
    scene(redis)
    settle(redis, other)
    redis.delete(other.wave.key("plan"))

    assert {p.wave.flow for p in Waves(redis).recent(20)} == {"shops", "other"}
    assert [line.flow for line in Covers().of(redis, Waves(redis).recent(20))] == ["shops"]


def test_of_versions_those_count_that_a_schedule_goes_on_with(redis: Redis, clock: Stopped) -> None:
    told = (
        (3, "main", "schedule", "shops"),
        (2, "main", "schedule", "shops"),
        (1, "try", "manual", "shops"),
        (2, "main", "manual", "other"),
        (1, "try", "manual", "other"),
    )
    waves = [a_wave(redis, age, [], version=version, by=by, flow=flow, names=["a"]) for age, version, by, flow in told]
    settle(redis, *waves)

    found = continued([p.wave for p in Waves(redis).recent(20)])

    assert [(w.flow, w.version, str(w.date)[11:]) for w in found] == [("shops", "main", "12"), ("other", "try", "13")]


def test_a_screen_without_a_flow_shows_the_newest_that_forecasts_and_says_when_none_does(redis: Redis, clock: Stopped) -> None:
    with pytest.raises(NotFound, match="no task has a horizon"):
        CoverageSource("").read(redis)
    scene(redis)
    source = CoverageSource("")

    news, _ = source.read(redis)
    assert news is not None and (news.flow, news.version, [c.task for c in news.tasks]) == (
        "shops",
        "main",
        ["forecast", "stock"],
    )
    assert source.read(redis)[0] is None
    clock.at += 3600
    again, _ = source.read(redis)
    assert again is not None and again.tasks[0].at == AT.shift(1)
    assert re.match(r"2013-07-01T1[45]", again.tasks[0].due)
