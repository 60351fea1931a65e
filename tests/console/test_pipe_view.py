"""One pipe on the screen: its value in every mode, where it comes from, two versions side by side, hostile values."""

import json
from typing import Any

import pytest
from piped import BIG, DATE, SIZES, SMALL, at, place, two_versions, write
from redis import Redis
from stage import AS_SHOWN, HOSTILE, Stage, a_plan, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.locator import parse
from console.reports.lineage import lineage
from console.reports.pipes import against, others, whole
from console.screens.pipe_lists import OriginList
from console.screens.pipe_value import Value
from console.sources.pipe_levels import COMPARE_MOST
from console.sources.pipes import Ask, PipesSource
from console.widgets.json_tree import JsonTree
from console.widgets.sides import Sides
from engine.keys import Date, PipeKey, encode_entity
from engine.status import Cell
from engine.store.catalog import Catalog

# values


async def test_the_value_as_tree_table_raw_and_plot(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        await at(pilot, f"pipes main/sales {DATE} north", "delay: 12.5", "[tree]")
        tree = pilot.app.screen.query_one("#pipe #tree", JsonTree)
        assert "{ 2 }" in picture(pilot.app), "the second level is folded"
        await pilot.press("G", "k", "enter")
        await shows(pilot, 'b: "x"', "rows[0]")
        await pilot.press("enter")
        await until(pilot, lambda: 'b: "x"' not in picture(pilot.app))
        await pilot.press("c")
        assert pilot.app.clipboard == "main/sales north 2013-07-01T14 rows[0] { 2 }" and tree.has_focus
        await pilot.press("m")
        await shows(pilot, "[table]", "a  b")
        await pilot.press("c")
        assert pilot.app.clipboard == "1\tx"
        await pilot.press("m")
        await shows(pilot, "[raw]", '"rows": [{"a": 1')
        await pilot.press("c")
        assert json.loads(pilot.app.clipboard)["delay"] == 12.5
        await pilot.press("m")
        await shows(pilot, "[tree]")
        await at(pilot, f"pipes main/features {DATE} north", "[0] 1")
        await pilot.press("m", "m")
        await shows(pilot, "[plot]", "┤")
        await at(pilot, f"pipes main/weather {DATE} north", "temp: 20")
        await at(pilot, f"pipes main/features {DATE} north", "[plot]", "┤")


async def test_a_number_shows_its_history(redis: Redis, redis_url: str) -> None:
    for hour, value in ((12, 1), (13, 9), (14, 5.5)):
        stage = Stage(redis, ["north"], date=f"2013-07-01T{hour}").claim()
        write(redis, stage, "sales", {0: value})
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE} north").run_test(size=SMALL) as pilot:
        await shows(pilot, "over time", "▁█▅ 5.5")
        await pilot.press("m", "m")
        await shows(pilot, "[plot]", "01 T13")


async def test_bytes_are_shown_in_hexadecimal(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["north"]).claim()
    write(redis, stage, "sales", {0: bytes(range(256)) * 100})
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE} north").run_test(size=SMALL) as pilot:
        shown = await shows(pilot, "00000000  00 01 02 03", "25,600 bytes of bytes", "[raw]")
        assert "·" * 16 in shown and "@ABCDEFGHIJKLMNO" in shown
        await pilot.press("G")
        await shows(pilot, "000063f0")
        await pilot.press("m")
        await shows(pilot, "[raw]")


async def test_five_megabytes_are_shown_and_unfolded(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["north", "south"]).claim()
    value = {"rows": [{"n": i, "name": f"row {i}", "pad": "x" * 30} for i in range(80_000)]}
    write(redis, stage, "sales", {0: value, 1: b"[" + b"1," * 10_000_000 + b"1]"})
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE} north").run_test(size=SMALL) as pilot:
        await shows(pilot, "[0 … 9,999]", "bytes of JSON", timeout=30)
        await pilot.press("G", "enter")
        await pilot.press("G", "enter", "G")
        await shows(pilot, "[79999]")
        await pilot.press("m")
        await shows(pilot, "row 0", "[table]")
        await pilot.press("G")
        await shows(pilot, "row 79999")
        await pilot.press("m", "G")
        await shows(pilot, "more bytes")
        await at(pilot, f"pipes main/sales {DATE} south", "too long for a tree", "20,000,003 bytes")


@pytest.mark.parametrize("levels", [400, 1000, 100_000])
async def test_deep_values_end_nothing(redis: Redis, redis_url: str, levels: int) -> None:
    stage = Stage(redis, ["north"]).claim()
    write(redis, stage, "sales", {0: b'{"a":' * levels + b"1" + b"}" * levels})
    write(redis, stage, "weather", {0: b"[" * levels + b"]" * levels})
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE} north vs main").run_test(size=SMALL) as pilot:
        await shows(pilot, "equal" if levels == 400 else "equal to main's")
        await pilot.press("m", "m", "m", "enter", "c", "escape")
        await at(pilot, f"pipes main/sales {DATE} north", "a" if levels == 400 else '{"a":')
        await pilot.press("j", "enter", "enter", "m", "m", "G")
        await at(pilot, f"pipes main/weather {DATE} north", "[")


async def test_odd_numbers_can_be_looked_at(redis: Redis, redis_url: str) -> None:
    stage = Stage(redis, ["a", "b", "c", "d"]).claim()
    write(redis, stage, "sales", {0: b"[1e308, -1e308, 5]", 1: b"[NaN, 1]", 2: b"1" + b"0" * 400, 3: b""})
    async with WavedeckApp(redis_url).run_test(size=SMALL) as pilot:
        for name, text in (("a", "1e+308"), ("b", "[NaN, 1]"), ("c", "1"), ("d", "0 bytes")):
            await at(pilot, f"pipes main/sales {DATE} {name}", f"main/sales {name}", text)
            for _ in range(4):
                await pilot.press("m")
                await pilot.pause()
        await at(pilot, f"pipes main/sales {DATE}", "4 entities")


# lineage


async def test_lineage_is_opened(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url, locator=f"pipes main/features {DATE} north").run_test(size=BIG) as pilot:
        await shows(pilot, "made from", "sales", "weather", "made of it", "score", "pending")
        origins = pilot.app.screen.query_one(OriginList)
        await pilot.press("tab")
        await until(pilot, lambda: origins.has_focus)
        names = [f"{row.what} {row.text}" for row in origins.rows]
        assert names[0] == f"key main/features north {DATE}"
        await pilot.press("g", *"j" * names.index(next(n for n in names if n.endswith("sales"))), "enter")
        await shows(pilot, "delay: 12.5")
        assert place(pilot) == f"pipes main/sales {DATE} north"
        await pilot.press("minus")
        await shows(pilot, "[0] 1")
        await pilot.press("tab")
        await until(pilot, lambda: origins.has_focus)
        await pilot.press("g", "j", "enter")
        await shows(pilot, f"waves › shops@main {DATE} › north")
        assert place(pilot).endswith("north features")


async def test_a_worker_is_opened(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url, locator=f"pipes main/features {DATE} north").run_test(size=BIG) as pilot:
        await shows(pilot, "made from")
        await pilot.press("tab", "g", "j", "j", "enter")
        await until(pilot, lambda: place(pilot).startswith("workers main"))


def test_lineage_has_the_keys_that_were_really_read(redis: Redis) -> None:
    old = Stage(redis, ["north"], date="2013-07-01T12").claim()
    write(redis, old, "weather", {0: 3})
    stage = Stage(redis, ["north"]).claim()
    write(redis, stage, "sales", {0: 1})
    note = {"inputs": [{"name": "weather", "key": "main/weather north 2013-07-01T12", "age": 7200.0}]}
    redis.set(f"main/features north {DATE}", "1")
    stage.run("features", Cell.FALLBACK, at=0.1, took=0.1, note=note)

    found = lineage(redis, PipeKey("main", "features", "north", Date(DATE)))

    assert [(link.pipe, link.key, link.note) for link in found.up] == [
        ("sales", f"main/sales north {DATE}", ""),
        ("weather", "main/weather north 2013-07-01T12", "2h00 old"),
    ]
    assert (found.wave, found.worker) == (stage.wave.id, "w-07")
    assert [(link.pipe, link.there, link.note) for link in found.down] == [("score", False, "pending")]
    down = lineage(redis, PipeKey("main", "weather", "north", Date("2013-07-01T12"))).down
    assert [(link.pipe, link.key) for link in down if link.there] == [("features", f"main/features north {DATE}")]


def test_what_a_replay_wrote_says_so(redis: Redis) -> None:
    from engine.store.pipes import Pipes

    Catalog(redis).publish("main", [a_plan()])
    Pipes(redis).put(PipeKey("main", "sales", "north", Date(DATE)), b"1", 4102444800, "ada's laptop")

    found = whole(redis, parse(f"pipes main/sales {DATE} north"))

    assert (found.detail.writer, found.wave, found.up) == ("ada's laptop", "", ())
    assert [link.pipe for link in found.down] == ["features"]


# versions


@pytest.mark.parametrize("size", SIZES)
async def test_two_versions_side_by_side(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=size, notifications=True) as pilot:
        await at(pilot, f"pipes main/sales {DATE} north", "delay: 12.5")
        await pilot.press("v")
        shown = await shows(pilot, "1 difference to fix-1", "PATH")
        row = next(line for line in shown.split("\n") if "delay" in line)
        assert row.split()[:5] == ["▸", "≠", "delay", "12.5", "11.0"] and "-1.5 (-12.0%)" in row
        assert place(pilot) == f"pipes main/sales {DATE} north vs fix-1"
        await pilot.press("c")
        assert pilot.app.clipboard == f"main/sales north {DATE} delay 12.5 → 11.0 -1.5 (-12.0%)"
        await pilot.press("m")
        await shows(pilot, "[tree]", "delay: 12.5")
        await pilot.press("v")
        await until(pilot, lambda: "difference" not in picture(pilot.app))
        assert place(pilot) == f"pipes main/sales {DATE} north"
        await at(pilot, f"pipes main/weather {DATE} north vs fix-1", "equal to fix-1's")
        await at(pilot, f"pipes main/sales {DATE} south vs fix-1", "fix-1 has no such pipe")
        await pilot.press("escape")
        await shows(pilot, "delay: 1")
        await pilot.press("v")
        await shows(pilot, "no other version has this pipe")


async def test_equal_members_are_unfolded(redis: Redis, redis_url: str) -> None:
    for version in ("fix-1", "main"):
        stage = Stage(redis, ["north"], version=version).claim()
        write(redis, stage, "sales", {0: {"n": version, "same": 1, **{f"k{i}": i for i in range(40)}}})
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE} north vs fix-1").run_test(size=SMALL) as pilot:
        await shows(pilot, "1 difference", "… 41 more are equal")
        await pilot.press("G", "enter")
        await until(pilot, lambda: pilot.app.screen.query_one("#pipe Sides", Sides).count == 42)


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_which_entities_differ(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE}").run_test(size=size) as pilot:
        await shows(pilot, "2 entities")
        await pilot.press("v")
        shown = await shows(pilot, "VS fix-1", "delay  12.5 → 11", "not in fix-1", "1 differ · 1 missing in fix-1")
        assert place(pilot) == f"pipes main/sales {DATE} vs fix-1" and "≠" in shown
        await pilot.press("slash", *"missing", "enter")
        await shows(pilot, "1 of 2 entities", "▸ south")
        await pilot.press("escape")
        await shows(pilot, "▸ north", "2 entities")
        await pilot.press("enter")
        await shows(pilot, "1 difference to fix-1")
        await pilot.press("escape")
        await shows(pilot, "VS fix-1")
        await pilot.press("v")
        await until(pilot, lambda: "VS fix-1" not in picture(pilot.app))
        assert place(pilot) == f"pipes main/sales {DATE}"


def test_a_comparison_of_many_is_bounded_and_goes_on(redis: Redis) -> None:
    for version in ("main", "fix-1"):
        stage = Stage(redis, [f"e{i:04}" for i in range(1000)], version=version).claim()
        with redis.pipeline(transaction=False) as trip:
            for i in range(1000):
                trip.set(f"{version}/sales e{i:04} {DATE}", f'{{"v":{i if i % 100 or version == "main" else -1}}}')
            trip.execute()
        stage.run("sales", at=0.1, took=0.1)
    source = PipesSource(Ask(parse(f"pipes main/sales {DATE} vs fix-1"), rows=50))
    news, pause = source.read(redis)
    assert news is not None and news.view is not None and not news.view.done and pause == 0.0
    while not pause:
        later, pause = source.read(redis)
        news = later or news
    assert news.view is not None and news.view.note == "10 differ · 990 equal" and COMPARE_MOST >= 1000
    source.ask = Ask(parse(f"pipes main/sales {DATE} vs fix-1 /differs e0"))
    pause = 0.0
    while not pause:
        later, pause = source.read(redis)
        news = later or news
    assert news.view is not None and [row.name for row in news.view.rows] == [f"e{i:04}" for i in range(0, 1000, 100)]


def test_large_values_are_compared_by_their_bytes(redis: Redis) -> None:
    large = json.dumps(["x" * 300_000])
    values = {
        "same": (large, large), "other": (large, large + " "), "alike": ('{"a":1,"b":2}', '{"b": 2, "a": 1.0}'),
        "text": ("x", "y"), "gone": (None, "1"), "missing": ("1", None),
    }  # fmt: skip
    for entity, pair in values.items():
        for version, value in zip(("main", "fix"), pair, strict=True):
            if value is not None:
                redis.set(f"{version}/sales {entity} {DATE}", value)

    found = dict(zip(values, against(redis, "main", "fix", "sales", list(values), DATE), strict=True))

    assert {name: one.verdict for name, one in found.items()} == {
        "same": "equal", "other": "differs", "alike": "equal", "text": "differs", "gone": "gone", "missing": "missing",
    }  # fmt: skip
    assert found["other"].words == "300,004 → 300,005 bytes"


def test_other_versions(redis: Redis) -> None:
    two_versions(redis)
    assert others(redis, PipeKey("main", "sales", "north", Date(DATE))) == ["fix-1"]
    assert others(redis, PipeKey("main", "sales", "south", Date(DATE))) == []


# hostile


@pytest.mark.parametrize("size", [SMALL, BIG])
async def test_hostile_keys_and_values(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    value = {
        "\x1b[31mred": "[red]z\x1b]2;title\x07\n\u202eevil",
        "deep": {"a": "x" * 5000},
        "rows": [{"\x1b[2J": "\u202e", "[b]": "\n"}],
    }
    for version in ("fix-1", "main"):
        stage = Stage(redis, HOSTILE, version=version).claim()
        more = {} if version == "main" else {"\x1b[0m": "\x1b[1m"}
        write(redis, stage, "sales", {key: {**value, **more} for key in range(len(HOSTILE))})
        write(redis, stage, "weather", {0: b"\x00\xff\x1b[2Jbinary" * 10})
    redis.zincrby("wd:versions", 10, "main")

    def harmless(pilot: Pilot[Any]) -> str:
        shown = picture(pilot.app)
        assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
        return shown

    async with WavedeckApp(redis_url, locator=f"pipes main/sales {DATE}").run_test(size=size) as pilot:
        await shows(pilot, *AS_SHOWN[:5])
        shown = harmless(pilot)
        assert all(len(line) <= size[0] * 2 for line in shown.split("\n"))
        await pilot.press("v")
        await shows(pilot, "VS fix-1")
        harmless(pilot)
        await pilot.press("v", "enter")
        await shows(pilot, "\\x1b[31mred")
        for _ in range(4):
            await pilot.press("m")
            await pilot.pause()
            harmless(pilot)
        await pilot.press("v")
        await shows(pilot, "1 difference", "\\x1b[0m")
        harmless(pilot)
        await at(pilot, f"pipes main/weather {DATE} {encode_entity(HOSTILE[0])}", "[raw]", "binary")
        harmless(pilot)
        await at(pilot, f"pipes main/sales {DATE} {encode_entity(HOSTILE[2])}", "x" * 20)
        harmless(pilot)
        await pilot.press("c")
        assert "\x1b" not in pilot.app.clipboard


async def test_the_value_pane_is_one(redis: Redis, redis_url: str) -> None:
    """Whatever was looked at before: no pane of another mode stays."""
    two_versions(redis)
    async with WavedeckApp(redis_url).run_test(size=BIG) as pilot:
        for line in (f"{DATE} north", f"{DATE} north vs fix-1", f"{DATE} south vs fix-1", f"{DATE} south"):
            await at(pilot, f"pipes main/sales {line}", "main/sales")
            value = pilot.app.screen.query_one("#pipe", Value)
            await until(pilot, lambda value=value: len([pane for pane in value.children if pane.display]) == 1)
