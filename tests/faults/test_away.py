"""A Redis that is away for a while: workers wait, keep what they computed, and write it when it is back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rig import DATE, WAIT_FOR, Rig, rigs
from servers import RedisServer, eventually, is_running

from engine.store.catalog import Catalog
from engine.store.claims import LEASE
from engine.store.workers import Workers

ENTITIES = [f"e{i:02}" for i in range(40)]
FLOW = (
    WAIT_FOR
    + """
@flow.task
def slow(entity):
    say(f"slow {entity}")
    if entity == "e00":
        Path("begun").touch()
        wait_for("gate")
    say(f"end {entity}")
    return [entity, os.getpid()]

@flow.task
def last(slow):
    say(f"last {slow[0]}")
    return slow[0]
"""
)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer("--appendfsync", "always", persist=True) as server:
        yield server


@pytest.fixture
def rig(server: RedisServer, tmp_path: Path) -> Iterator[Rig]:
    with server.client() as redis:
        yield from rigs(redis, lambda _: server.url, tmp_path)


def away(server: RedisServer, seconds: float, *, hangs: bool, meanwhile: Path) -> None:
    """Redis is gone, or hangs, for so long; half-way through, the task that was under way ends."""
    server.pause() if hangs else server.kill()
    time.sleep(seconds / 2)
    meanwhile.touch()
    time.sleep(seconds / 2)
    server.resume() if hangs else server.start()


@pytest.mark.parametrize(("seconds", "hangs"), [(1, False), (10, False), (60, False), (25, True)])
def test_workers_wait_and_go_on(server: RedisServer, rig: Rig, seconds: float, hangs: bool) -> None:
    """A minute is four leases: nobody else was there to take over, so what was computed still counts."""
    # Given two workers, one of them in a task
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    workers = [rig.start("--slots", "1", "--name", name) for name in ("one", "two")]
    rig.awaits("begun")
    eventually(lambda: all(map(rig.slots_of, workers)), 20, what="both have a slot")
    processes = {worker.pid: rig.slots_of(worker) for worker in workers}

    # When
    away(server, seconds, hangs=hangs, meanwhile=rig.folder / "gate")

    # Then the wave ends, by the same processes, and the value that was computed meanwhile is the one that is there
    rig.ended(wave, timeout=2 * LEASE + 30)
    assert set("".join(rig.rows(wave).values())) <= set("FU"), rig.logs()
    assert {worker.pid: rig.slots_of(worker) for worker in workers} == processes
    assert [rig.runs().count(f"slow {entity}") for entity in ENTITIES] == [1] * len(ENTITIES), rig.logs()
    assert rig.pipe("slow", "e00")[1] in {pid for slots in processes.values() for pid in slots}
    eventually(
        lambda: {w.name for w in Workers(rig.redis).alive("main")} == {"one", "two"},
        10,
        what=f"they are heard again; {rig.logs()}",
    )


def test_a_redis_that_comes_back_empty_leaves_no_worker_behind(tmp_path: Path) -> None:
    """All is lost with it, and the workers serve what comes next."""
    with RedisServer() as server, server.client() as redis:
        for rig in rigs(redis, lambda _: server.url, tmp_path):
            flow = rig.flow(FLOW)
            gone = rig.launch(flow, *ENTITIES)
            worker = rig.start("--slots", "1")
            rig.awaits("begun")

            server.restart()
            rig.touch("gate")
            wave = rig.launch(flow, "e00", "new", date=DATE.shift(1))

            rig.ended(wave, timeout=60)
            assert rig.rows(wave) == {"e00": "FF", "new": "FF"}, rig.logs()
            eventually(lambda: "shop" in Catalog(redis).flows("main"), 10, what="the worker's flows are known again")
            assert "Traceback" not in rig.logs()
            assert not redis.exists(gone.key("wave"))
            assert is_running(worker.pid)


def test_a_worker_that_starts_while_redis_is_away_says_so(tmp_path: Path, redis: Redis) -> None:
    for rig in rigs(redis, lambda _: "redis://127.0.0.1:1/0", tmp_path):
        rig.flow(FLOW)

        worker = rig.start("--slots", "1")

        assert worker.wait(60) != 0
        assert "no answer from Redis at redis://127.0.0.1:1/0" in rig.logs()
        assert "Traceback" not in rig.logs()
