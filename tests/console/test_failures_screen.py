"""The screen of failures."""

from pathlib import Path

from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, error, picture, shows, until
from test_failures_report import a_wave

from console.app import WavedeckApp
from console.dialogs.rerun import RerunDialog
from console.reports.failures import families
from console.screens.base import DeckScreen
from console.screens.families import FamilyList
from engine.status import Cell
from engine.store.waves import Waves

BIG = (160, 45)


def line_of(shown: str, *words: str) -> str:
    return next(line for line in shown.split("\n") if all(word in line for word in words))


async def test_families_their_share_where_and_news(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {1: "NoObservation"})
    a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "known since 2013-07-01T13 (1 wave)", "new since 2013-07-01T13")
        known = line_of(shown, "▸ ✗", "NoObservation: no weather for <key>")
        assert "2   33% weather" in known and "flows/collect.py:41 in weather" in known and ":" in known
        assert "17% weather" in line_of(shown, "ReadTimeout", "new")
        # the example of the chosen one
        assert "Traceback" in shown and "entities   shop-1, shop-3" in shown and "the first red of the wave" in shown
        await pilot.press("j")
        await shows(pilot, "✗ 1 failed at weather  ReadTimeout", "entities   shop-4")


async def test_blocked_stand_apart_say_why_and_fold(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation"})
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "◌ blocked: 4 cells in 2 families", "b hides them")
        lines = shown.split("\n")
        fold = lines.index(line_of(shown, "◌ blocked: 4"))
        rule = lines.index(line_of(shown, "1 family failed"))
        assert all("✗" in line for line in lines[2:fold])
        assert all("◌" in line and "by weather: " in line for line in lines[fold + 1 : rule])
        await pilot.press("b")
        shown = await shows(pilot, "b shows them")
        assert "by weather" not in shown
        await pilot.press("j", "enter")  # the line itself unfolds them
        await shows(pilot, "b hides them", "by weather")
        await pilot.press("j")
        await shows(pilot, "◌ 2 blocked at features", "blocked by weather (2)")


async def test_enter_opens_the_wave_with_the_family(redis: Redis, redis_url: str) -> None:
    stage = a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    key = families(redis, stage.wave)[0].key
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        await shows(pilot, "NoObservation")
        await pilot.press("enter")
        shown = await shows(pilot, f"family:{key}", "2 of 6 entities")
        assert "shop-1" in shown and "shop-3" in shown and "shop-4" not in shown


async def test_a_family_or_marked_ones_run_again(redis: Redis, redis_url: str) -> None:
    stage = a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        await shows(pilot, "NoObservation")
        await pilot.press("R")
        await shows(pilot, "2 × NoObservation: no weather for <key>", "2 entities")
        assert isinstance(pilot.app.screen, RerunDialog)
        await pilot.press("escape", "space", "space")
        await shows(pilot, "2 marked")
        await pilot.press("R")
        await shows(pilot, "2 families", "3 entities")
        await pilot.press("right", "enter")
        await until(pilot, lambda: len(Waves(redis).recent()) == 2)
        new = next(p.wave for p in Waves(redis).recent() if p.wave.id != stage.wave.id)
        assert [name for name, _ in Waves(redis).members(new)] == ["shop-1", "shop-3", "shop-4"]


async def test_the_line_of_the_blocked_is_no_family(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 14, {1: "NoObservation"})
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "NoObservation")
        await pilot.press("j", "R")
        await shows(pilot, "no family is chosen")
        await pilot.press("space")
        await pilot.pause()
        assert not pilot.app.screen.query_one(FamilyList).marks
        await pilot.press("k", "c")
        await shows(pilot, "nothing to copy here")


async def test_filter_sort_and_copy(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {1: "NoObservation"})
    a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 0: "ReadTimeout"})
    async with WavedeckApp(redis_url, locator="failures last /!blocked timeout").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "▸ ✗       1   17% weather ReadTimeout")
        assert "NoObservation" not in shown and "◌ blocked:" not in shown
        await pilot.press("c")
        assert "1 × ReadTimeout: no weather for <key>, flows/collect.py:41 in weather" in pilot.app.clipboard
        await pilot.press("escape")
        await shows(pilot, "NoObservation", "by count", "known since")
        families = pilot.app.screen.query_one(FamilyList)
        for by, first in (
            ("news", "ReadTimeout"),
            ("first", "ReadTimeout"),
            ("task", "NoObservation"),
            ("count", "NoObservation"),
        ):
            await pilot.press("O")
            await shows(pilot, f"by {by}")
            row = families.rows[0]
            assert getattr(row, "type", "") == first, by


async def test_a_filter_that_finds_nothing_and_one_that_is_half_typed(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 14, {1: "NoObservation"})
    async with WavedeckApp(redis_url, locator="failures last /nowhere").run_test(size=BIG) as pilot:
        await shows(pilot, "no family matches; esc clears the filter")
        await pilot.press("escape", "slash", "N", "o", "O", "left_parenthesis")
        await shows(pilot, "NoObservation")


async def test_a_wave_in_which_nothing_failed_says_so(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 14, {})
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        await shows(pilot, "nothing failed and nothing was blocked", "no families failed")


async def test_new_failures_come_in_and_the_cursor_stays_with_its_family(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, [f"shop-{n}" for n in range(4)]).claim()
    stage.run("sales", Cell.FAILED, [0], at=0.1, took=0.1, note=error("Alpha", "a"))
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        await shows(pilot, "▸ ✗       1   25% sales Alpha: a")
        stage.run("sales", Cell.FAILED, [1, 2], at=0.2, took=0.1, note=error("Beta", "b"))
        shown = await shows(pilot, "▸ ✗       1   25% sales Alpha: a", "Beta: b")
        assert shown.index("Beta: b") < shown.index("Alpha: a")


async def test_the_screen_says_how_far_reading_is(redis: Redis, redis_url: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation"})
    monkeypatch.setattr("console.reports.book.Book.update", _one_and_no_more)
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=BIG) as pilot:
        await shows(pilot, "reading 1 of 6 …", "NoObservation")


def _one_and_no_more(book, redis, most=1, *, blocked=True):  # type: ignore[no-untyped-def]
    from engine.store.waves import Waves

    if not book.read:
        book._scan(Waves(redis))
        part, book._todo = book._todo[:1], book._todo[1:]
        book._read(redis, Waves(redis), part)
    return False


async def test_hostile_keys_and_messages_on_a_small_screen(redis: Redis, redis_url: str, tmp_path: Path) -> None:
    stage = Stage(redis, HOSTILE).claim()
    for number, key in enumerate(HOSTILE):
        note = error(f"E{chr(65 + number)}", f"[bold]{key}[/bold]\x1b[2J\u202e")
        stage.run("sales", Cell.FAILED, [number], at=0.1, took=0.1, note=note)
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=(80, 24)) as pilot:
        await shows(pilot, "EA: [bold]<key>[/bold]\\x1b[<n>J\\u202e")
        for shown in AS_SHOWN:
            await until(pilot, lambda text=shown: text in picture(pilot.app), shown)
            assert all(len(line) <= 80 for line in picture(pilot.app).split("\n"))
            assert "\x1b" not in picture(pilot.app) and "\u202e" not in picture(pilot.app)
            await pilot.press("j")


async def test_a_small_screen_leaves_out_columns_and_no_halves(redis: Redis, redis_url: str) -> None:
    a_wave(redis, 13, {1: "NoObservation"})
    a_wave(redis, 14, {1: "NoObservation", 3: "NoObservation", 4: "ReadTimeout"})
    async with WavedeckApp(redis_url, locator="failures last").run_test(size=(80, 24)) as pilot:
        shown = await shows(pilot, "NoObservation: no weather for <key>", " known", " new ")
        header = shown.split("\n")[1]
        assert header.split() == ["COUNT", "SHARE", "TASK", "WHAT", "NEWS"]
        assert "where      flows/collect.py:41 in weather" in shown
        assert "b hides them" in shown
        assert isinstance(pilot.app.screen, DeckScreen)
        await pilot.resize_terminal(110, 30)
        shown = await shows(pilot, "WHERE", "FIRST")
        assert "known since" not in shown.split("\n")[2]
        await pilot.resize_terminal(240, 60)
        shown = await shows(pilot, "WHERE")
        assert "known since 2013-07-01T13 (1 wave)" in shown.split("\n")[2]
