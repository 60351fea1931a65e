"""The screen of states: who is active, by partition, when last seen, and how the last waves went."""

from collections.abc import Sequence

import pytest
from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, a_plan, error, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.screens.base import DeckScreen
from console.screens.state import StateScreen
from console.screens.state_lists import MemberList, PartitionList
from console.screens.waves import WavesScreen
from console.sources.state import RollNews, StateSource
from console.theme import look
from engine.keys import Date
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.states import States

NOON = Date("2013-07-01T14").start.timestamp()
HOUR = 3600.0
SIZES = [(80, 24), (160, 45)]


def a_state(redis: Redis, entities: Sequence[str] = ("north", "south", "east"), name: str = "shops") -> None:
    """Entities in turn of partitions `city` and `land`, each seen an hour before the next."""
    for number, entity in enumerate(entities):
        partition = "land" if number % 2 else "city"
        States(redis).seen(name, [(entity, partition)], NOON - HOUR * (len(entities) - number))
    Catalog(redis).publish("main", [a_plan()])


def went(redis: Redis, entities: Sequence[str], hour: int, failed: Sequence[int] = (), *, end: bool = True) -> Stage:
    """A wave in which some failed and the others finished."""
    stage = Stage(redis, entities, date=f"2013-07-01T{hour:02}", trigger=f"manual:{hour}").claim()
    good = [n for n in range(len(entities)) if n not in failed]
    for task in ("sales", "weather", "features", "score") if good else ():
        stage.run(task, entities=good, at=0.1, took=0.1)
    if failed:
        stage.run("sales", Cell.FAILED, failed, at=0.1, took=0.1, note=error())
        for task in ("features", "score") if end else ():
            stage.step(task, Cell.PENDING, Cell.BLOCKED, failed)
    if end:
        stage.end()
    redis.hincrby(stage.wave.key("wave"), "created", hour)  # never two in one millisecond
    redis.zincrby("wd:{main}:waves", hour, stage.wave.id)
    return stage


def place(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    assert isinstance(screen, DeckScreen)
    return str(screen.place)


def line_of(app: object, text: str) -> str:
    return next(line for line in picture(app).split("\n") if text in line)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", SIZES)
async def test_all_states_then_partitions_then_entities_and_out_again(
    redis: Redis, redis_url: str, size: tuple[int, int]
) -> None:
    a_state(redis)
    a_state(redis, ["JFK-LAX"], "routes")
    async with WavedeckApp(redis_url, locator="state").run_test(size=size) as pilot:
        shown = await shows(pilot, "ENTITIES", "routes", "shops", "2013-07-01 13:00")
        assert "shops@main" in shown, "who runs over it"
        await pilot.press("j", "enter")
        shown = await shows(pilot, "state › shops", "PARTITION", "city", "land", "north", "south", "east")
        await pilot.press("j", "j")
        await until(pilot, lambda: place(pilot) == "state shops land")
        shown = await shows(pilot, "1 of 3 entities")
        assert "south" in shown and "north" not in shown
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.query_one(MemberList).has_focus)
        await shows(pilot, "south · last seen 2013-07-01 12:00")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen.query_one(PartitionList).has_focus)
        await pilot.press("escape")
        await shows(pilot, "routes", "ENTITIES")
        assert place(pilot) == "state"
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, WavesScreen)


async def test_the_only_state_is_shown_at_once_and_again(redis: Redis, redis_url: str) -> None:
    a_state(redis)
    async with WavedeckApp(redis_url).run_test(size=(160, 45)) as pilot:
        await pilot.press("3")
        await shows(pilot, "state › shops", "north")
        assert place(pilot) == "state shops"
        await pilot.press("3")
        await shows(pilot, "state › shops", "north")
        await pilot.press("escape")
        assert isinstance(pilot.app.screen, WavesScreen)


async def test_how_the_last_waves_went_a_glyph_a_wave_the_newest_right(redis: Redis, redis_url: str) -> None:
    names = ["east", "north", "south", "west"]
    a_state(redis, names)
    went(redis, names[:3], 10)
    went(redis, names[:3], 11, [2])
    went(redis, names[:3], 12)
    running = went(redis, names[:3], 13, [1], end=False)
    ok, bad = look(Cell.FINISHED).glyph, look(Cell.FAILED).glyph
    async with WavedeckApp(redis_url, locator="state shops").run_test(size=(160, 45)) as pilot:
        await shows(pilot, f"{ok}{bad}{ok}{ok}", f"{ok}{ok}{ok}{bad}", f"{ok}{ok}{ok}{ok}")
        assert "failed" in line_of(pilot.app, f"{ok}{ok}{ok}{bad}") and "north" in line_of(pilot.app, f"{ok}{ok}{ok}{bad}")
        assert "south" in line_of(pilot.app, f"{ok}{bad}{ok}{ok}")
        assert "····" in line_of(pilot.app, " west ") and "in none" in line_of(pilot.app, " west ")
        # When the wave that still runs goes on, so does the picture
        running.step("features", Cell.PENDING, Cell.BLOCKED, [1])
        running.run("sales", entities=[], at=0.1)
        running.step("weather", Cell.PENDING, Cell.FAILED, [1])
        redis.setrange(running.wave.key("board"), 2, "X")
        await until(pilot, lambda: f"{ok}{bad}{ok}{bad}" in picture(pilot.app), "south failed as well")


async def test_enter_opens_the_entity_in_its_newest_wave(redis: Redis, redis_url: str) -> None:
    a_state(redis, ["east", "north", "west"])
    went(redis, ["east", "north"], 10)
    went(redis, ["east"], 11)
    async with WavedeckApp(redis_url, locator="state shops").run_test(size=(160, 45), notifications=True) as pilot:
        await shows(pilot, "in none", "finished")
        await pilot.press("tab", "j", "enter")
        await until(pilot, lambda: place(pilot).startswith("entity "))
        assert "2013-07-01T10" in place(pilot) and " north" in place(pilot)
        await pilot.press("minus")
        await until(pilot, lambda: isinstance(pilot.app.screen, StateScreen))
        await shows(pilot, "in none")
        pilot.app.screen.query_one(MemberList).focus()
        await pilot.press("G", "enter")
        await shows(pilot, "west was in none of the last 2 waves")


async def test_filter_by_name_and_partition(redis: Redis, redis_url: str) -> None:
    a_state(redis, ["north-1", "north-2", "south-1", "south-2"])
    async with WavedeckApp(redis_url, locator="state shops /^north").run_test(size=(160, 45)) as pilot:
        shown = await shows(pilot, "north-1", "north-2", "2 of 4 entities")
        assert "south" not in shown
        screen = pilot.app.screen
        assert isinstance(screen, StateScreen)
        screen.set_filter("partition:land !south")
        shown = await shows(pilot, "1 of 4 entities", "north-2")
        assert "city" not in shown.split("PARTITION")[1], "a partition without a match is not listed"
        screen.set_filter("status:failed")
        await shows(pilot, "status:, task: and family: are of a wave")
        screen.set_filter("(")
        await shows(pilot, "not a regular expression")
        screen.set_filter("nobody")
        await shows(pilot, "no entity matches; esc clears the filter")
        await pilot.press("escape")
        await shows(pilot, "4 of 4 entities")


async def test_sorting_by_name_by_last_seen_and_the_worst_first(redis: Redis, redis_url: str) -> None:
    names = ["d", "c", "b", "a"]
    a_state(redis, names)
    went(redis, sorted(names), 10, [1])
    went(redis, sorted(names), 11, [1, 2])

    def order() -> str:
        members = pilot.app.screen.query_one(MemberList)
        return "".join(members.name_at(row) for row in range(members.count))

    async with WavedeckApp(redis_url, locator="state shops").run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: order() == "abcd")
        await pilot.press("O")
        await until(pilot, lambda: order() == "dcba", "the longest unseen first")
        await pilot.press("O")
        await until(pilot, lambda: order() == "bcad", "who failed twice, then once, then by name")
        await pilot.press("O")
        await until(pilot, lambda: order() == "abcd")


async def test_copying_what_the_cursor_is_on(redis: Redis, redis_url: str) -> None:
    names = ["east", "north"]
    a_state(redis, names)
    went(redis, names, 10, [1])
    async with WavedeckApp(redis_url, locator="state shops").run_test(size=(160, 45)) as pilot:
        await shows(pilot, "failed")
        await pilot.press("j", "c")
        assert pilot.app.clipboard.startswith("shops city: 1 entities")
        await pilot.press("k", "tab", "j", "c")
        assert pilot.app.clipboard.startswith("north · ✗ failed in shops@main 2013-07-01T10 · bad in 1 of 1")


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_break_no_line(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    a_state(redis, HOSTILE)
    States(redis).seen("shops", [("plain", hostile) for hostile in HOSTILE[:3]], NOON)
    went(redis, HOSTILE, 10, [1])
    async with WavedeckApp(redis_url, locator="state shops").run_test(size=size, notifications=True) as pilot:
        await shows(pilot, "failed")
        rest = set(AS_SHOWN)
        pilot.app.screen.query_one(MemberList).focus()
        for _ in range(len(HOSTILE) + 1):
            shown = picture(pilot.app)
            rest -= {text for text in rest if text in shown}
            assert all(len(line) <= size[0] for line in shown.split("\n")) and "\x1b" not in shown
            await pilot.press("j", "c")
            assert "\n" not in pilot.app.clipboard and "\x1b" not in pilot.app.clipboard
        assert not rest


async def test_a_state_that_there_is_not_says_which_there_are(redis: Redis, redis_url: str) -> None:
    a_state(redis)
    async with WavedeckApp(redis_url, locator="state nowhere").run_test(size=(80, 24), notifications=True) as pilot:
        await shows(pilot, "no state 'nowhere'; there are: shops")


async def test_fifty_thousand_scroll_and_only_what_is_visible_is_asked_for(redis: Redis, redis_url: str) -> None:
    names = [f"shop-{n:05}" for n in range(50_000)]
    States(redis).seen("shops", [(name, f"p-{n // 5000}") for n, name in enumerate(names)], NOON)
    Stage(redis, names)
    async with WavedeckApp(redis_url, locator="state shops").run_test(size=(160, 45)) as pilot:
        await shows(pilot, "shop-00000", "pending", "50,000 of 50,000", timeout=60)
        members = pilot.app.screen.query_one(MemberList)
        members.focus()
        await pilot.press("G")
        await shows(pilot, "▸ shop-49999")
        await until(pilot, lambda: "pending" in line_of(pilot.app, "▸ shop-49999"), timeout=30)
        assert len(members.how) < 200
        source = pilot.app.screen._source  # type: ignore[attr-defined]
        assert source.wanted == members.in_view() and len(source.wanted) < 45


def test_a_source_reads_members_again_only_when_they_have_changed(redis: Redis) -> None:
    a_state(redis)
    went(redis, ["north"], 10)
    source, news = StateSource("shops"), []
    for _ in range(4):
        body, _ = source.read(redis)
        if body is not None:
            assert isinstance(body, RollNews)
            news.append(body)
    source.wanted = frozenset(["north"])
    told, _ = source.read(redis)
    assert isinstance(told, RollNews) and told.roll is news[0].roll and told.how["north"] == bytes([Cell.FINISHED])
    assert source.read(redis)[0] is None
    States(redis).seen("shops", [("new", "city")], NOON)
    source._roll_next = 0.0
    again, _ = source.read(redis)
    assert isinstance(again, RollNews) and "new" in again.roll.names and again.roll is not told.roll
