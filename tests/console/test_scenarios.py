"""Scripted scenarios on a stopped clock: what the console shows while all is well, while much fails, stalls, or Redis is lost."""

import pytest
from played import PlayedApp, drawn, failing, healthy, stop_clock
from redis import Redis

from console.screens.chrome import Header

SIZE = (160, 45)


async def test_healthy_is_quiet(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stop_clock(monkeypatch)
    wave = healthy(redis)
    app = PlayedApp(redis, clock)
    async with app.run_test(size=SIZE) as pilot:
        await app.play(pilot)
        shown = drawn(app)
        assert "as of 14:06:31" in shown[0] and "prod.example:6379" in shown[0]
        rows = [line for line in shown if "2013-07-01T" in line]
        assert len(rows) == 4 and rows[0].split("2013-07-01T")[1].startswith("14")
        assert not any("✗" in row for row in rows)
        await pilot.press("enter")
        await app.play(pilot)
        text = "\n".join(drawn(app))
        assert wave.locator in text and "0 ✗" in text and "3 ◐" in text


async def test_one_in_twenty_failing_is_loud(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stop_clock(monkeypatch)
    wave = failing(redis)
    app = PlayedApp(redis, clock, locator=wave.id)
    async with app.run_test(size=SIZE) as pilot:
        await app.play(pilot)
        shown = drawn(app)
        entities = [line for line in shown if line.strip("▸ +").startswith("shop-")]
        assert entities[0].strip("▸ +").startswith("shop-03") and "NoObservation" in entities[0]
        assert entities[1].strip().startswith("shop-17")
        assert any("2 ✗" in line and "weather" in line for line in shown)
        assert any("2 ◌" in line and "features" in line for line in shown)


async def test_a_feed_that_falls_silent_is_said(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stop_clock(monkeypatch)
    wave = healthy(redis)
    app = PlayedApp(redis, clock, locator=wave.id)
    async with app.run_test(size=SIZE) as pilot:
        await app.play(pilot)
        assert "no answer" not in drawn(app)[0]
        clock.at += 60
        app.screen._look_at_age()  # type: ignore[attr-defined]
        await pilot.pause()
        assert "no answer · as of 14:06:31" in drawn(app)[0]
        assert app.screen.has_class("-stale")
        await app.play(pilot)
        assert "as of 14:07:31" in drawn(app)[0] and not app.screen.has_class("-stale")


async def test_a_lost_redis_is_grey_with_its_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = stop_clock(monkeypatch)
    wave = failing(redis)
    app = PlayedApp(redis, clock, locator=wave.id)
    async with app.run_test(size=SIZE) as pilot:
        await app.play(pilot)
        before = drawn(app)[1:-1]
        clock.at += 5
        await app.lose(pilot)
        assert "link lost · as of 14:06:31" in drawn(app)[0]
        assert app.screen.has_class("-stale")
        assert [line.split("ETA")[0] for line in drawn(app)[1:-1]] == [line.split("ETA")[0] for line in before]
        await pilot.press("escape")
        await app.lose(pilot)
        assert "link lost" in app.screen.query_one(Header).age_text
