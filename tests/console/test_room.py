"""Redis with little room, and Redis that deletes: what the console and the commands say of it before a wave starts."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from servers import RedisServer, eventually
from stage import Stage, a_bad_wave, a_plan, shows, until
from textual.widgets import Button

from console import demo
from console.app import WavedeckApp
from console.reports.why import why
from engine.errors import Refused
from engine.keys import Date
from engine.store.catalog import Catalog
from engine.store.states import States
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server whose limits tests set."""
    with RedisServer() as server:
        yield server


@pytest.fixture(name="redis")
def own_redis(server: RedisServer) -> Iterator[Redis]:
    with server.client() as redis:
        redis.config_set("maxmemory", "0")
        redis.config_set("maxmemory-policy", "noeviction")
        redis.flushall()
        yield redis


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_FLOWS", "no_such_module")
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))


def a_state(redis: Redis, many: int = 800) -> None:
    at = Date("2013-07-01T15").start.timestamp()
    States(redis).seen("shops", [(f"shop-{i}", "BER") for i in range(many)], at)
    Catalog(redis).publish("main", [a_plan()])


def leave(redis: Redis, free: int) -> None:
    """So many bytes are free from now on, more or less."""
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) + free)


# the console


async def test_a_trigger_that_has_no_room_cannot_be_chosen(redis: Redis, server: RedisServer) -> None:
    a_bad_wave(redis)
    a_state(redis)
    leave(redis, 2_500_000)
    async with WavedeckApp(server.url).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("T")
        await shows(pilot, "800 entities", "✗ Redis has no room for this wave: it needs about 3.", "`wavedeck trigger")
        assert pilot.app.screen.query_one("#yes", Button).disabled


async def test_a_trigger_that_has_room_says_what_it_needs(redis: Redis, server: RedisServer) -> None:
    a_bad_wave(redis)
    a_state(redis)
    leave(redis, 100_000_000)
    async with WavedeckApp(server.url).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "2013-07-01T14")
        await pilot.press("T")
        await shows(pilot, "memory about", " free in Redis (pipes ", "board ")
        yes = pilot.app.screen.query_one("#yes", Button)
        await until(pilot, lambda: not yes.disabled)


async def test_a_re_run_that_has_no_room_cannot_be_chosen(redis: Redis, server: RedisServer) -> None:
    a_bad_wave(redis)
    leave(redis, 1)
    async with WavedeckApp(server.url).run_test(size=(120, 40)) as pilot:
        await shows(pilot, "07-01T14")
        await pilot.press("R")
        await shows(pilot, "1 entity in a new wave", "✗ Redis has no room for this wave", "`wavedeck rerun")
        assert pilot.app.screen.query_one("#yes", Button).disabled


@pytest.mark.parametrize("read_only", [False, True])
async def test_a_redis_that_deletes_is_told_once_at_the_start(redis: Redis, server: RedisServer, read_only: bool) -> None:
    redis.config_set("maxmemory-policy", "allkeys-lru")
    async with WavedeckApp(server.url, read_only=read_only).run_test(size=(100, 30)) as pilot:
        await shows(pilot, "no waves yet")
        await until(pilot, lambda: ["maxmemory-policy is allkeys-lru" in n.message for n in pilot.app._notifications] == [True])


async def test_a_redis_that_deletes_nothing_is_not_spoken_of(redis: Redis, server: RedisServer) -> None:
    asked = int(redis.info("commandstats").get("cmdstat_info", {}).get("calls", 0))
    async with WavedeckApp(server.url).run_test(size=(100, 30)) as pilot:
        await shows(pilot, "no waves yet")
        await until(pilot, lambda: int(redis.info("commandstats")["cmdstat_info"]["calls"]) > asked + 1)
        await pilot.pause()
        assert len(pilot.app._notifications) == 0


def test_why_an_entity_is_pending_when_redis_is_full(redis: Redis) -> None:
    stage = Stage(redis)
    Workers(redis).beat(Worker("w-1", "main", "host", 1, 0.0, 0.0, slots=[SlotState(1)], flows=["shops"]))
    assert why(redis, stage.wave, 1).kind == "queued"

    redis.config_set("maxmemory", "1")
    told = why(redis, stage.wave, 1)

    assert (told.kind, told.text) == ("full", "Redis is full (maxmemory): nobody takes anything up until there is room")


def test_a_demo_that_finds_no_room_says_so_when_it_is_left(
    redis: Redis, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Date] = []

    def start(_: Redis, date: Date, *__: object, **___: object) -> None:
        asked.append(date)
        raise Refused("Redis has no room for this wave")

    monkeypatch.setattr(demo, "_start", start)
    monkeypatch.setattr("console.app.run_console", lambda *_, **__: eventually(lambda: bool(asked)))

    with pytest.raises(Refused, match="no room"):
        demo._watched(redis, server.url, 1, None)
    assert len(asked) == 1


# the commands


def wavedeck(server: RedisServer, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(Path(sys.executable).with_name("wavedeck")), *words],
        env={**os.environ, "WAVEDECK_REDIS_URL": server.url}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [["trigger", "shops"], ["init", "shops"]], ids=lambda words: str(words[0]))
def test_a_wave_without_room_is_exit_1_and_a_sentence(redis: Redis, server: RedisServer, words: list[str]) -> None:
    a_state(redis)
    leave(redis, 1_000_000)

    refused = wavedeck(server, *words, "--date", "2013-07-01T15")
    assert Waves(redis).recent() == []
    forced = wavedeck(server, *words, "--date", "2013-07-01T15", "--force")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("wavedeck: Redis has no room for this wave: it needs about 3.")
    assert "no wave of this flow has run: 1,000 bytes a pipe are taken" in refused.stderr
    assert forced.returncode == 0
    assert len(Waves(redis).recent()) == 1


def test_a_wave_that_starts_says_what_it_needs_to_people_and_programs(redis: Redis, server: RedisServer) -> None:
    a_state(redis)
    redis.config_set("maxmemory-policy", "volatile-lru")

    told = wavedeck(server, "trigger", "shops", "--date", "2013-07-01T15")
    data = wavedeck(server, "trigger", "shops", "--date", "2013-07-01T15", "--json")

    assert told.stdout.splitlines()[1].startswith("needs about 3.")
    assert "its maxmemory-policy is volatile-lru" in told.stderr
    assert "its maxmemory-policy is volatile-lru" in data.stderr
    memory = json.loads(data.stdout)["memory"]
    assert memory["need"] == memory["pipes"] + memory["board"] + memory["notes"]
    assert (memory["limit"], memory["policy"]) == (0, "volatile-lru")
    assert memory["used"] > 0


def test_a_re_run_without_room_can_be_forced(redis: Redis, server: RedisServer) -> None:
    stage = Stage(redis, [f"shop-{i}" for i in range(500)])
    Waves(redis).cancel(stage.wave, "", "ana")
    leave(redis, 1_000_000)

    refused = wavedeck(server, "rerun", stage.wave.id)
    forced = wavedeck(server, "rerun", stage.wave.id, "--force")

    assert (refused.returncode, forced.returncode) == (1, 0), forced.stderr
    assert "Redis has no room" in refused.stderr
