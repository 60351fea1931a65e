"""The wave's screen: selection, marks, sorts, filters, the heat map, the two drawings and rewinding, on waves that the engine made."""

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from played import PlayedApp, World, drawn, stop_clock
from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, error, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.cli import cli
from console.dialogs.rerun import RerunDialog
from console.screens.chrome import Header, Rule
from console.screens.wave import WaveScreen
from console.settings import Settings
from console.widgets.flow_graph import FlowGraph
from console.widgets.heat_map import HeatMap
from console.widgets.layered import layered
from console.widgets.layered_graph import LayeredGraph
from console.widgets.matrix import EntityMatrix
from engine.status import Cell

BIG, SMALL = (160, 45), (80, 24)
SIZES = [SMALL, (110, 30), BIG, (240, 60)]


def app_of(stage: Stage, url: str) -> WavedeckApp:
    return WavedeckApp(url, locator=stage.wave.id)


async def opened(pilot: Pilot[Any]) -> WaveScreen:
    await shows(pilot, "ENTITY", "WHY", "▸")
    screen = pilot.app.screen
    assert isinstance(screen, WaveScreen)
    await until(pilot, lambda: screen.query_one(EntityMatrix).has_focus)
    return screen


def rule(pilot: Pilot[Any]) -> Rule:
    return pilot.app.screen.query_one(Rule)


def aged(stage: Stage, seconds: float) -> Stage:
    """As if it had begun so long ago."""
    ms = stage.wave.created - int(seconds * 1000)
    stage.redis.hset(stage.wave.key("wave"), mapping={"created": ms, "started": ms})
    return stage


def a_wave_of_ten(redis: Redis) -> Stage:
    """Ten shops: 3 and 7 failed at weather, 8 runs it, 9 has not begun it; 1 took longest."""
    stage = Stage(redis, [f"shop-{n}" for n in range(10)]).claim()
    stage.run("sales", entities=[0], at=0.1, took=0.1)
    stage.run("sales", entities=[1], at=0.2, took=9.0)
    stage.run("sales", entities=range(2, 10), at=0.3, took=0.2)
    stage.run("weather", entities=[n for n in range(8) if n not in (3, 7)], at=0.4, took=0.3)
    stage.run("weather", Cell.FAILED, [7], at=0.5, took=0.5, note=error())
    stage.run("weather", Cell.FAILED, [3], at=0.6, took=2.5, note=error("Timeout", "no answer"))
    stage.step("weather", Cell.PENDING, Cell.RUNNING, [8], at=0.9)
    blocked = {"error": {"type": "Blocked", "message": "no weather", "where": "", "traceback": ""}}
    for task in ("features", "score"):
        stage.step(task, Cell.PENDING, Cell.BLOCKED, [3, 7], note=blocked)
    return stage


# selecting a task


@pytest.mark.parametrize("drawing", ["rail", "layered"])
async def test_a_selected_task_filters_to_what_is_not_quiet_and_dims_the_rest(
    redis: Redis, redis_url: str, drawing: str
) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        matrix = screen.query_one(EntityMatrix)
        if drawing == "layered":
            await pilot.press("g")
        await pilot.press("tab", "j", "j")
        graph = screen._graph
        assert isinstance(graph, LayeredGraph if drawing == "layered" else FlowGraph)
        assert graph.has_focus and graph.selected == "weather"
        await until(pilot, lambda: sorted(matrix.order) == [3, 7, 8])
        assert rule(pilot).text == "3 of 10 entities · weather: 2 failed, 1 running"
        assert matrix._dim == {stage.plan.index["sales"]}, "sales has nothing to do with weather"
        await pilot.press("k")
        await until(pilot, lambda: len(matrix.order) == 10)
        assert rule(pilot).text == "10 entities · sales: 10 finished", "all are quiet, so all are shown"
        await pilot.press("escape")
        assert graph.selected is None and matrix._dim == frozenset()
        assert pilot.app.screen is screen, "esc took the selection away and nothing else"
        await pilot.press("escape")
        assert pilot.app.screen is not screen


async def test_enter_on_a_task_filters_by_its_name_and_esc_goes_step_by_step(redis: Redis, redis_url: str) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        await pilot.press("tab", "j", "j", "enter")
        await until(pilot, lambda: screen.place.filter == "task:weather")
        matrix = screen.query_one(EntityMatrix)
        await until(pilot, lambda: sorted(matrix.order) == [3, 7])
        await pilot.press("escape")
        assert screen.query_one(FlowGraph).selected is None and screen.place.filter
        await pilot.press("escape")
        await until(pilot, lambda: not screen.place.filter)
        await until(pilot, lambda: len(matrix.order) == 10)


# marks on the graph


@pytest.mark.parametrize("size", SIZES)
async def test_first_red_slowest_and_critical_path_are_marked_at_any_width(redis: Redis, redis_url: str, size: Any) -> None:
    stage = a_wave_of_ten(redis)
    stage.run("features", entities=[0, 1, 2], at=1.0, took=3.0)
    async with app_of(stage, redis_url).run_test(size=size) as pilot:
        screen = await opened(pilot)

        def line(task: str) -> str:
            return next(row for row in picture(pilot.app).split("\n") if f" {task} " in row and "◆" in row)

        await until(pilot, lambda: "!" in line("weather") and "▲" in line("features"))
        assert "△" not in line("sales") or "△" not in line("weather")
        if size[0] >= 160:
            assert re.search(r"← first red \d\d:\d\d:\d\d", line("weather"))
            assert "← slowest" in line("features")
        await until(pilot, lambda: "← slowest" in line("features") or "▲ slowest" in rule(pilot)._right, "words say what ▲ is")
        await pilot.press("g")
        await until(pilot, lambda: "weather!" in picture(pilot.app) and "features▲" in picture(pilot.app))
        assert screen.query_one(LayeredGraph).display and not screen.query_one(FlowGraph).display


async def test_the_layered_drawing_is_laid_out_once_and_recoloured(redis: Redis, redis_url: str, monkeypatch: Any) -> None:
    import console.widgets.layered_graph as module

    laid: list[int] = []

    def counted(*args: Any) -> Any:
        laid.append(1)
        return layered(*args)

    monkeypatch.setattr(module, "layered", counted)
    stage = Stage(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        await shows(pilot, "no worker of main is alive")
        await pilot.press("g")
        await shows(pilot, "○ sales")
        stage.claim()
        stage.run("sales", at=0.1, took=0.1)
        await shows(pilot, "● sales")
        await pilot.press("g")
        await shows(pilot, "3 ●")
        await pilot.press("g")
        await shows(pilot, "● sales")
        assert laid == [1]


# filters, marks, sorts


async def test_a_family_is_a_filter(redis: Redis, redis_url: str) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        await pilot.press("F")
        await shows(pilot, "COUNT", "Timeout")
        await pilot.press("slash", *"Timeout", "enter")
        await shows(pilot, "no answer")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is screen)
        await until(pilot, lambda: list(screen.query_one(EntityMatrix).order) == [3])
        assert re.match(r"1 of 10 entities · family:[0-9a-f]{8}", rule(pilot).text)
        screen.set_filter("family:00000000")
        await until(pilot, lambda: not screen.query_one(EntityMatrix).order)
        await until(pilot, lambda: "no family '00000000'" in str([n.message for n in pilot.app._notifications]))


async def test_unfinished_and_failed_are_a_key_each(redis: Redis, redis_url: str) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        matrix = screen.query_one(EntityMatrix)
        await pilot.press("u")
        await until(pilot, lambda: sorted(matrix.order) == [0, 1, 2, 4, 5, 6, 8, 9])
        await pilot.press("f")
        await until(pilot, lambda: sorted(matrix.order) == [3, 7])
        await pilot.press("f")
        await until(pilot, lambda: len(matrix.order) == 10)
        assert not screen.place.filter


async def test_marks_are_counted_and_rerun(redis: Redis, redis_url: str) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        await opened(pilot)
        await pilot.press("space", "space", "space")
        await until(pilot, lambda: rule(pilot).text == "10 entities · 3 marked")
        await pilot.press("R")
        await shows(pilot, "3 entities marked")
        dialog = pilot.app.screen
        assert isinstance(dialog, RerunDialog) and dialog._numbers == [3, 7, 8]
        await pilot.press("escape", "ctrl+backslash", "f")
        await until(pilot, lambda: rule(pilot).text.startswith("2 of 10 entities · status"))
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, RerunDialog))
        assert pilot.app.screen._numbers == [3, 7]  # type: ignore[attr-defined]
        await pilot.press("escape", "f")
        await until(pilot, lambda: rule(pilot).text == "10 entities")
        await pilot.press("R")
        await until(pilot, lambda: isinstance(pilot.app.screen, RerunDialog))
        assert pilot.app.screen._numbers is None, "what failed and was blocked"  # type: ignore[attr-defined]


async def test_rows_are_sorted_by_failures_name_number_slowest(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["c", "a", "b"]).claim()
    stage.run("sales", at=0.1, took=0.1, entities=[0, 1])
    stage.run("sales", at=0.1, took=5.0, entities=[2])
    stage.run("weather", Cell.FAILED, [1], at=0.2, took=0.1, note=error())
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        matrix = screen.query_one(EntityMatrix)
        orders = []
        for words in ("failures first", "by name", "by number", "slowest first"):
            await shows(pilot, words)
            if words == "slowest first":
                await until(pilot, lambda: matrix.order[0] == 2, "Redis has told who was slow")
            orders.append([matrix._entities.names[entity] for entity in matrix.order])
            await pilot.press("O")
        assert orders == [["a", "c", "b"], ["a", "b", "c"], ["c", "a", "b"], ["b", "a", "c"]] or orders[3][0] == "b"
        assert orders[:3] == [["a", "c", "b"], ["a", "b", "c"], ["c", "a", "b"]]
        await shows(pilot, "failures first")


# the heat map


@pytest.mark.parametrize("size", SIZES)
async def test_the_heat_map_names_what_the_cursor_is_on_and_opens_it(redis: Redis, redis_url: str, size: Any) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=size) as pilot:
        screen = await opened(pilot)
        await pilot.press("m")
        heat = screen.query_one(HeatMap)
        await until(pilot, lambda: heat.has_focus)
        assert rule(pilot).text.startswith("shop-0 · ")
        await pilot.press("l", "l", "l")
        await until(pilot, lambda: rule(pilot).text.startswith("shop-3 · failed weather · blocked features"))
        await pilot.press("c")
        assert "shop-3 · failed weather" in pilot.app.clipboard and "Timeout" in pilot.app.clipboard
        await pilot.press("m")
        await until(pilot, lambda: screen.query_one(EntityMatrix).has_focus)
        assert not heat.display
        await pilot.press("m", "enter")
        await shows(pilot, "shop-3", "STATUS")


async def test_a_bad_worker_is_a_stripe(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, [f"e-{n}" for n in range(6)]).claim("w-b")
    claims = bytearray(redis.get(stage.wave.key("claims")) or b"")  # type: ignore[arg-type]
    for entity in (1, 3, 5):
        claims[entity * 8 + 4] = 2
    redis.set(stage.wave.key("claims"), bytes(claims))
    redis.hset(stage.wave.key("crew"), mapping={"w-a": 2, "#": 2})
    for entity in range(6):
        redis.setrange(stage.wave.key("times"), entity * 8, (6 - entity).to_bytes(4, "little"))
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        await pilot.press("m")
        heat = screen.query_one(HeatMap)
        seen = {}
        for sort in ("number", "name", "worker", "start", "failures"):
            await until(pilot, lambda sort=sort: screen._sort_now == sort)  # type: ignore[misc]
            if sort in ("worker", "start"):
                await until(pilot, lambda: list(heat._order) != list(range(6)))
            seen[sort] = list(heat._order)
            await pilot.press("O")
        assert seen["worker"] == [1, 3, 5, 0, 2, 4]
        assert seen["start"] == [5, 4, 3, 2, 1, 0]
        assert seen["number"] == list(range(6))


async def test_the_heat_map_shows_the_selected_task_alone(redis: Redis, redis_url: str) -> None:
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        await pilot.press("m")
        heat = screen.query_one(HeatMap)
        await until(pilot, lambda: heat._shown[3:4] == b"X")
        screen.query_one(FlowGraph).select("score")
        await until(pilot, lambda: heat._shown == b"BB")
        screen.query_one(FlowGraph).select("sales")
        await until(pilot, lambda: heat._shown == b"F" * 10)


async def test_no_color_draws_the_heat_map_in_glyphs(redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stage = a_wave_of_ten(redis)
    async with app_of(stage, redis_url).run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press("m")
        await shows(pilot, "○○○✗○○○✗◐○")


# why


async def test_what_waits_says_for_what_and_how_long(redis: Redis, redis_url: str) -> None:
    stage = aged(Stage(redis, ["north", "south", "east"]), 40.0)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        await shows(pilot, "no worker of main is alive")
        beat = {"name": "w-07", "version": "main", "host": "h", "pid": 1, "started": 0.0, "beat": 9e9, "slots": []}
        stage.redis.set("wd:{main}:worker:w-07", json.dumps(beat))
        stage.redis.zadd("wd:{main}:workers", {"w-07": 9e9})
        shown = await shows(pilot, "next in the queue", "queued behind 1 entity", "queued behind 2 entities")
        assert "no worker of" not in shown
        stage.claim()
        stage.run("sales", at=1.0, took=0.5)
        stage.step("weather", Cell.PENDING, Cell.RUNNING, [0], at=1.0)
        await shows(pilot, "waits for weather …")
        await until(pilot, lambda: re.search(r"waits for weather …, [12]?\d s left", picture(pilot.app)), "12 s left, or so")
        await shows(pilot, "weather is next")


# rewinding


async def test_the_wave_as_it_was_in_every_panel(redis: Redis, redis_url: str) -> None:
    stage = aged(a_wave_of_ten(redis), 60.0)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        matrix = screen.query_one(EntityMatrix)
        await pilot.press("comma")
        await shows(pilot, "as it was at")
        await until(pilot, lambda: rule(pilot).text.startswith("as it was at ") and " ago · . forward" in rule(pilot).text)
        assert rule(pilot)._bad, "loudly"
        assert "as it was at" in str(screen.query_one(Header)._crumbs)
        assert matrix._board.count(b"X") == 2, "what had ended then has ended"
        await pilot.press(*["less_than_sign"] * 4)
        await until(pilot, lambda: "its beginning" in rule(pilot).text)
        assert set(matrix._board) == {Cell.PENDING}
        graph = screen.query_one(FlowGraph)
        assert graph._snapshot.of("sales").counts["Pending"] == 10  # type: ignore[index]
        shown = picture(pilot.app)
        assert "NoObservation" not in shown and "← first red" not in shown
        await pilot.press("m")
        assert set(screen.query_one(HeatMap)._shown) == {Cell.PENDING}
        await pilot.press("m", "full_stop")
        await until(pilot, lambda: graph._snapshot.of("sales").counts["Finished"] > 0)  # type: ignore[index]
        then = matrix._board
        stage.step("features", Cell.PENDING, Cell.RUNNING, [0], at=61.0)
        await until(pilot, lambda: screen._news is not None and screen._news.board[20:21] == b"R", "the news have come")
        assert matrix._board == then, "and do not move what was"
        await pilot.press("escape")
        await until(pilot, lambda: rule(pilot).text == "10 entities")
        assert pilot.app.screen is screen and not rule(pilot)._bad
        await until(pilot, lambda: matrix._board == stage.redis.get(stage.wave.key("board")))


async def test_past_the_last_step_is_now(redis: Redis, redis_url: str) -> None:
    stage = aged(a_wave_of_ten(redis), 1800.0)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        await opened(pilot)
        await pilot.press("full_stop")
        await until(pilot, lambda: "this is now" in str([n.message for n in pilot.app._notifications]))
        await pilot.press("less_than_sign")
        await until(pilot, lambda: "10 min ago" in rule(pilot).text)
        await pilot.press("comma")
        assert "11 min ago" in rule(pilot).text
        await pilot.press("greater_than_sign")
        assert "1 min ago" in rule(pilot).text
        await pilot.press("full_stop")
        await until(pilot, lambda: rule(pilot).text == "10 entities")


async def test_a_wave_that_has_not_begun_has_no_past(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis)
    async with app_of(stage, redis_url).run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press("comma")
        await until(pilot, lambda: "nothing of this wave has run yet" in str([n.message for n in pilot.app._notifications]))
        assert rule(pilot).text == "3 entities"


async def test_the_past_is_filtered_and_selected_like_now(redis: Redis, redis_url: str) -> None:
    stage = aged(a_wave_of_ten(redis), 60.0)
    async with app_of(stage, redis_url).run_test(size=BIG) as pilot:
        screen = await opened(pilot)
        matrix = screen.query_one(EntityMatrix)
        await pilot.press("less_than_sign", "less_than_sign", "less_than_sign")
        await until(pilot, lambda: "its beginning" in rule(pilot).text)
        await pilot.press("f")
        await until(pilot, lambda: not matrix.order)
        await pilot.press(*["full_stop"] * 2)
        await until(pilot, lambda: sorted(matrix.order) == [3, 7])
        await pilot.press("R")
        await until(pilot, lambda: "esc goes back to now" in str([n.message for n in pilot.app._notifications]))
        assert pilot.app.screen is screen


# all sizes, and what others wrote


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "keys", [[], ["m"], ["g"], ["g", "tab", "l"], ["comma"], ["m", "comma"]], ids=lambda keys: "".join(keys) or "rows"
)
async def test_every_way_to_look_fits_its_terminal(redis: Redis, monkeypatch: Any, size: Any, keys: list[str]) -> None:
    clock = stop_clock(monkeypatch)
    world = World(redis)
    wave = world.wave(14, began=72.0, failing=(3, 17), share=0.6)
    world.settle()
    app = PlayedApp(redis, clock, locator=wave.id)
    async with app.run_test(size=size) as pilot:
        await app.play(pilot)
        await pilot.press(*keys)
        await app.play(pilot)
        shown = drawn(app)
        assert len(shown) == size[1] and all(len(line) == size[0] for line in shown)
        assert "as of " in shown[0] or "comma" in keys
        assert "? help" in shown[-1] and "✗ failed" in "\n".join(shown[-2:])
        text = "\n".join(shown)
        assert "weather" in text and ("shop-" in text or "m" in keys)


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_hostile_keys_break_no_line_of_the_map(redis: Redis, redis_url: str, size: Any) -> None:
    stage = Stage(redis, HOSTILE).claim()
    stage.run("sales", Cell.FAILED, at=0.1, took=0.1, note=error("[b]E", "\x1b[2J\u202e"))
    async with app_of(stage, redis_url).run_test(size=size) as pilot:
        await opened(pilot)
        await pilot.press("m")
        for shown in AS_SHOWN:
            await until(pilot, lambda shown=shown: shown in picture(pilot.app).split("\n")[6], shown)  # type: ignore[misc]
            assert not set(picture(pilot.app)) & set("\x1b\x9b\x07\u202e")
            await pilot.press("c", "l")


# headless


def test_the_headless_twin_tells_path_slowest_and_first_red(redis: Redis, home: Any) -> None:
    stage = aged(a_wave_of_ten(redis), 60.0)
    stage.run("features", entities=[0, 1, 2], at=1.0, took=3.0)
    told = json.loads(CliRunner().invoke(cli, ["wave", stage.wave.id, "--json"]).stdout)
    assert told["critical_path"][-1] == "features" and told["slowest"] == "features"
    assert told["first_red"]["entity"] == "shop-7" and told["first_red"]["task"] == "weather"
    assert told["at"] is None


def test_the_headless_twin_tells_how_it_was(redis: Redis, home: Any) -> None:
    stage = aged(a_wave_of_ten(redis), 60.0)
    result = CliRunner().invoke(cli, ["wave", stage.wave.id, "--at", "-30s", "--json"])
    told = json.loads(result.stdout)
    assert told["counts"]["weather"]["Failed"] == 2 and told["at"]
    first = (datetime.fromisoformat(told["created"]) + timedelta(seconds=0.1)).isoformat()
    told = json.loads(CliRunner().invoke(cli, ["wave", stage.wave.id, "--at", first, "--json"]).stdout)
    assert told["counts"]["weather"]["Pending"] == 10 and told["first_red"] is None
    shown = CliRunner().invoke(cli, ["wave", stage.wave.id, "--at", "-30s"]).stdout
    assert "as it was at" in shown
    wrong = CliRunner().invoke(cli, ["wave", stage.wave.id, "--at", "-3h"])
    assert wrong.exit_code != 0 and "before the wave began" in wrong.output


# what is read of a large wave


async def test_the_source_is_told_what_is_on_the_screen(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, [f"e-{n:03}" for n in range(200)])
    async with app_of(stage, redis_url).run_test(size=SMALL) as pilot:
        screen = await opened(pilot)
        matrix = screen.query_one(EntityMatrix)
        await until(pilot, lambda: screen._source._board.window == tuple(matrix.on_screen))
        await pilot.press("G")
        await until(pilot, lambda: screen._source._board.window == tuple(matrix.on_screen) and 199 in matrix.on_screen)
        await pilot.press("m")
        await until(pilot, lambda: screen._source._board.window == ())


async def test_on_a_slow_link_all_is_read_when_it_is_wanted(redis: Redis, redis_url: str) -> None:
    names = [f"e-{n:03}" for n in range(200)]
    stage = Stage(redis, names).claim()
    stage.run("sales", Cell.FAILED, [150], at=0.1, took=0.1, note=error())
    app = WavedeckApp(redis_url, locator=stage.wave.id, settings=Settings(slow_link=True))
    async with app.run_test(size=BIG) as pilot:
        await shows(pilot, "by number; O and / read all", "▸ e-000")
        screen = pilot.app.screen
        assert isinstance(screen, WaveScreen)
        matrix = screen.query_one(EntityMatrix)
        assert list(matrix.order) == list(range(200))
        await pilot.press("j", "j", "f")
        await until(pilot, lambda: list(matrix.order) == [150])
        await shows(pilot, "▸ e-150", "failures first as of ")
        await pilot.press("f")
        await until(pilot, lambda: len(matrix.order) == 200 and matrix.order[0] == 150)
