"""The screen of workers: who is alive, busy with what, who is gone, and which of them is bad."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from redis import Redis
from stage import HOSTILE, Stage, error, picture, shows, until
from textual.pilot import Pilot

from console.app import WavedeckApp
from console.reports.crew import last_failure, workers
from console.screens.base import DeckScreen
from console.screens.text_pane import TextPane
from console.screens.worker_list import WorkerList
from console.screens.workers import WorkersScreen
from engine.keys import encode_entity
from engine.status import Cell
from engine.store.claims import claim_command, read_claim, trip
from engine.store.workers import SlotState, Worker, Workers

SIZES = [(80, 24), (160, 45)]
BIG = (160, 45)


def beat(redis: Redis, name: str, slots: Sequence[SlotState] = (SlotState(11), SlotState(12)), **more: Any) -> Worker:
    """A sign of life of a worker."""
    now = time.time()
    given: dict[str, Any] = {"version": "main", "host": "ip-10-0-0-7", "pid": 4711, "memory": 512_000_000, "served": 1234}
    worker = Worker(name=name, started=now - 3600, beat=now, slots=list(slots), **(given | more))
    Workers(redis).beat(worker)
    redis.expire(f"wd:{{{worker.version}}}:worker:{name}", 600)  # a slow machine must not kill it
    return worker


def died(redis: Redis, name: str, **more: Any) -> Worker:
    """A worker that fell silent: its heartbeat has expired."""
    worker = beat(redis, name, **more)
    redis.delete(f"wd:{{main}}:worker:{name}")
    return worker


class Shift(Stage):
    """A wave that several workers have served, so many entities each, one after the other."""

    def __init__(self, redis: Redis, served: Mapping[str, int], **more: Any) -> None:
        many = sum(served.values())
        super().__init__(redis, more.pop("entities", [f"e-{n:03}" for n in range(many)]), **more)
        self.of: dict[str, list[int]] = {}
        for worker, want in served.items():
            claimed = read_claim(self.wave, trip(redis, [claim_command(self.wave, want, worker, lease=600)])[0])
            self.of[worker] = claimed.ids  # type: ignore[union-attr]
            self._records += claimed.records  # type: ignore[union-attr]

    def serve(self, worker: str, failed: int = 0, took: float = 0.1) -> None:
        """Runs all that the worker holds; the first `failed` of it fail at their first task."""
        bad, good = self.of[worker][:failed], self.of[worker][failed:]
        for task in ("sales", "weather", "features", "score"):
            self.run(task, entities=good, at=0.5, took=took)
        if bad:
            self.run("sales", Cell.FAILED, bad, at=0.5, took=took, note=error())
            self.run("weather", entities=bad, at=0.5, took=took)
            for task in ("features", "score"):
                self.step(task, Cell.PENDING, Cell.BLOCKED, bad)


def place(pilot: Pilot[None]) -> str:
    screen = pilot.app.screen
    assert isinstance(screen, DeckScreen)
    return str(screen.place)


def row_of(pilot: Pilot[None], name: str) -> str:
    return next((line for line in picture(pilot.app).split("\n") if f" {name} " in line and "✗ " + name + ":" not in line), "")


def about(pilot: Pilot[None]) -> str:
    return pilot.app.screen.query_one(TextPane).content


@pytest.mark.parametrize("size", SIZES)
async def test_alive_and_busy_with_what(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = Stage(redis).claim("w-01")
    stage.step("sales", Cell.PENDING, Cell.RUNNING, [1])
    busy = SlotState(11, stage.wave.id, "south", "sales", time.time() - 2)
    beat(redis, "w-01", [busy, SlotState(12)], image="forecasts:1.4")
    beat(redis, "w-02")
    beat(redis, "w-03", draining=True)
    async with WavedeckApp(redis_url, locator="workers").run_test(size=size) as pilot:
        await shows(pilot, "w-01", "w-02", "w-03", "3 workers alive")
        assert "busy" in row_of(pilot, "w-01") and "1/2" in row_of(pilot, "w-01")
        assert "sales of south" in row_of(pilot, "w-01")
        assert "idle" in row_of(pilot, "w-02") and "0/2" in row_of(pilot, "w-02")
        assert "draining" in row_of(pilot, "w-03")
        assert "no worker stands out" in picture(pilot.app)
        for told in ("host ip-10-0-0-7", "pid 4711", "version main", "image forecasts:1.4", "512 MB", "1,234 entities served"):
            assert told in about(pilot), told
        assert "slot 11 sales of south in shops@main 2013-07-01T14" in about(pilot) and "slot 12 is idle" in about(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_the_one_that_fails_more_than_the_others_is_loud(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    shift = Shift(redis, {"w-01": 50, "w-02": 50, "w-03": 50})
    shift.serve("w-01", failed=1)
    shift.serve("w-02", failed=19)
    shift.serve("w-03", failed=1)
    for name in shift.of:
        beat(redis, name)
    async with WavedeckApp(redis_url).run_test(size=size) as pilot:
        await pilot.press("4")
        shown = await shows(pilot, "✗ w-02: 38% of its entities failed, others 2%")
        assert "▸ ✗ w-02" in shown, "it stands first"
        assert "38%" in row_of(pilot, "w-02") and "failed, others 2%" in row_of(pilot, "w-02")
        assert "failed" not in row_of(pilot, "w-01") and " 2%" in row_of(pilot, "w-01")


async def test_the_slow_one_is_loud(redis: Redis, redis_url: str) -> None:
    shift = Shift(redis, {"w-01": 10, "w-02": 10, "w-03": 10})
    shift.serve("w-01", took=0.1)
    shift.serve("w-02", took=0.1)
    shift.serve("w-03", took=0.31)
    for name in shift.of:
        beat(redis, name)
    async with WavedeckApp(redis_url, locator="workers").run_test(size=BIG) as pilot:
        await shows(pilot, "✗ w-03: 3.1× slower than the others")
        assert "1.2 s" in row_of(pilot, "w-03") and "0.4 s" in row_of(pilot, "w-01")


def test_a_few_more_failures_are_chance_and_alike_workers_are_not_told_apart(redis: Redis) -> None:
    shift = Shift(redis, {"w-01": 50, "w-02": 50})
    shift.serve("w-01", failed=4, took=0.1)
    shift.serve("w-02", failed=7, took=0.12)
    for name in shift.of:
        beat(redis, name)
    assert [(w.verdict.failed, w.bad) for w in workers(redis) if w.verdict] == [(4, False), (7, False)]


def test_a_worker_that_served_a_bad_partition_is_not_blamed_for_it(redis: Redis) -> None:
    shift = Shift(redis, {"w-01": 50, "w-02": 50})
    members = [f"e-{n:03} {'JFK' if 50 <= n < 70 else 'LGA'}" for n in range(100)]
    redis.delete(shift.wave.key("members"))
    redis.rpush(shift.wave.key("members"), *members)
    shift.serve("w-01")
    shift.serve("w-02", failed=20)
    for name in shift.of:
        beat(redis, name)
    verdict = workers(redis)[1].verdict
    assert verdict is not None and verdict.partition == "JFK" and not verdict.loud
    assert "rather the data than the worker" in verdict.words


def test_who_served_alone_is_not_odd(redis: Redis) -> None:
    shift = Shift(redis, {"w-01": 20})
    shift.serve("w-01", failed=20)
    beat(redis, "w-01")
    [row] = workers(redis)
    assert row.verdict is not None and row.verdict.rate == 1.0 and not row.bad and row.verdict.others is None


async def test_dead_ones_fold_away_but_what_they_hold_is_told(redis: Redis, redis_url: str) -> None:
    shift = Shift(redis, {"w-01": 10, "w-02": 12})
    beat(redis, "w-01")
    died(redis, "w-02")
    Workers(redis).leave(beat(redis, "w-03"))
    async with WavedeckApp(redis_url, locator="workers").run_test(size=BIG) as pilot:
        shown = await shows(pilot, "w-02", "holds 12 entities until its lease ends in")
        assert "w-03" not in shown and "1 gone, z shows them" in shown and "1 worker alive" in shown
        assert "dead" in row_of(pilot, "w-02")
        await pilot.press("z")
        await until(pilot, lambda: row_of(pilot, "w-03"), "the others are shown")
        assert "stopped" in row_of(pilot, "w-03") and "left" in row_of(pilot, "w-03")
        await pilot.press("z")
        await until(pilot, lambda: not row_of(pilot, "w-03"))
        # When its lease has ended nobody holds them
        redis.zadd(shift.wave.key("leases"), dict.fromkeys(map(str, shift.of["w-02"]), 1), xx=True)
        await shows(pilot, "holds 12 entities that the next free worker takes up")
        redis.zrem(shift.wave.key("leases"), *shift.of["w-02"])
        await until(pilot, lambda: "w-02" not in picture(pilot.app), "it is folded away")
        await pilot.press("z")
        await shows(pilot, "dead for")


async def test_what_a_dead_one_holds_fits_on_a_small_screen(redis: Redis, redis_url: str) -> None:
    Shift(redis, {"w-01": 1204})
    died(redis, "w-01")
    async with WavedeckApp(redis_url, locator="workers").run_test(size=(80, 24)) as pilot:
        await shows(pilot, "holds 1,204 for ", " s more", "holds 1,204 entities until its lease ends in")


async def test_enter_opens_what_it_runs_and_else_its_last_failure(redis: Redis, redis_url: str) -> None:
    shift = Shift(redis, {"w-01": 6, "w-02": 6, "w-03": 6})
    shift.serve("w-01", failed=3)
    shift.serve("w-02")
    shift.run("sales", Cell.FAILED, [12], at=9.0, took=0.5, note=error())
    shift.run("sales", Cell.FAILED, [13], at=3.0, took=0.5, note=error())
    shift.step("sales", Cell.PENDING, Cell.RUNNING, [14])
    beat(redis, "w-01", [SlotState(1)])
    beat(redis, "w-02", [SlotState(1)])
    beat(redis, "w-03", [SlotState(1, shift.wave.id, "e-014", "sales", time.time())])
    assert last_failure(redis, "main", "w-03") == (shift.wave.id, shift.wave.locator, "e-012"), "by time, not by number"
    async with WavedeckApp(redis_url, locator="workers").run_test(size=BIG, notifications=True) as pilot:
        await shows(pilot, "w-01", "w-02", "w-03")
        workers_list = pilot.app.screen.query_one(WorkerList)
        names = [row.name for row in workers_list.rows]
        workers_list.cursor = names.index("w-02")
        await pilot.press("enter")
        await shows(pilot, "w-02 runs nothing now")
        workers_list.cursor = names.index("w-01")
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot).startswith(f"entity shops@main 2013-07-01T14 {shift.wave.id} e-00"))
        await pilot.press("minus")
        await until(pilot, lambda: isinstance(pilot.app.screen, WorkersScreen))
        await shows(pilot, "w-03")
        workers_list = pilot.app.screen.query_one(WorkerList)
        workers_list.cursor = [row.name for row in workers_list.rows].index("w-03")
        await pilot.press("enter")
        await until(pilot, lambda: place(pilot) == f"entity shops@main 2013-07-01T14 {shift.wave.id} e-014 sales")


async def test_one_version_filter_sort_and_copy(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    Stage(redis, version="fix-1")
    beat(redis, "a", memory=1_000_000)
    beat(redis, "b", memory=3_000_000, image="img:2")
    beat(redis, "c", version="fix-1", memory=2_000_000)

    def order() -> str:
        return "".join(row.name for row in pilot.app.screen.query_one(WorkerList).rows)

    async with WavedeckApp(redis_url, locator="workers main").run_test(size=BIG) as pilot:
        await until(pilot, lambda: order() == "ab")
        await pilot.press("4")
        await until(pilot, lambda: order() == "abc")
        assert place(pilot) == "workers"
        screen = pilot.app.screen
        assert isinstance(screen, WorkersScreen)
        while screen.query_one(WorkerList).sort != "memory":
            await pilot.press("O")
        assert order() == "bca"
        await pilot.press("c")
        assert pilot.app.clipboard == "ip-10-0-0-7 pid 4711 b (main) image img:2"
        screen.set_filter("!img fix")
        assert order() == "c"
        screen.set_filter("(")
        assert order() == "c", "half an expression leaves what was found"
        screen.set_filter("nobody")
        await shows(pilot, "no worker matches; esc clears the filter")


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_names_break_no_line(redis: Redis, redis_url: str, size: tuple[int, int]) -> None:
    stage = Stage(redis, HOSTILE)
    for number, name in enumerate(HOSTILE):
        slot = SlotState(number, stage.wave.id, encode_entity(name), name, time.time())
        beat(redis, f"{number}{name}", [slot], image=name, host=name)
    async with WavedeckApp(redis_url, locator="workers").run_test(size=size) as pilot:
        await shows(pilot, "9 workers alive")
        for _ in HOSTILE:
            shown = picture(pilot.app)
            assert all(len(line) <= size[0] for line in shown.split("\n")) and "\x1b" not in shown and "\u202e" not in shown
            await pilot.press("c", "j")
            assert "\n" not in pilot.app.clipboard and "\x1b" not in pilot.app.clipboard


async def test_no_worker_at_all(redis: Redis, redis_url: str) -> None:
    Stage(redis)
    async with WavedeckApp(redis_url, locator="workers").run_test(size=(80, 24)) as pilot:
        await shows(pilot, "no worker is alive", "no workers alive")
        died(redis, "w-01")
        await shows(pilot, "no worker is alive; z shows 1 that is gone")


@pytest.mark.parametrize("size", SIZES)
async def test_one_on_ecs_says_its_task_its_image_and_why_it_ended(
    redis: Redis, redis_url: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a worker that ran in a task which Spot took back while it ran something
    stage = Stage(redis, ["south"])
    ran = SlotState(11, stage.wave.id, "south", "sales", time.time())
    arn = "arn:aws:ecs:eu-west-1:123456789012:task/wavedeck-main/0123456789abcdef0123456789abcdef"
    died(redis, "w-ecs", slots=[ran], task=arn, digest="sha256:" + "ab12" * 16, limit=2 << 30)
    told = {("main", "w-ecs"): "Spot took it back (Your Spot Task was interrupted.)"}
    monkeypatch.setattr("console.reports.endings.Endings.of", lambda *_, **__: told)

    # When somebody looks at it
    async with WavedeckApp(redis_url, locator="workers").run_test(size=size) as pilot:
        await shows(pilot, "1 gone")
        await pilot.press("z")
        await shows(pilot, "w-ecs")

        # Then all of that is in sight
        for words in (arn[-32:], "ab12ab12ab12", "Spot took it back", "ran sales of south"):
            assert words in about(pilot), words
