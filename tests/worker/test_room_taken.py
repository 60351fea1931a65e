"""What init says that a wave will need in Redis, against what real waves took."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from rig import DATE, Rig, rigs
from servers import RedisServer, eventually

from engine.keys import Date
from engine.launch import Launched, launch
from engine.plan import Plan

FACTOR = 1.2
"""How far the estimate may be off, either way."""
ENTITIES = [f"campaign {i:05}" for i in range(3000)]
FLOW = """
@flow.task
def small(entity):
    return len(entity)

@flow.task
def forecast(small, entity):
    return {"hours": [float(i) / 7 for i in range(int(entity[-2:]))], "of": entity}

@flow.task
def large(forecast, entity):
    if entity.endswith("7"):
        print("nothing to be had for", entity)
        raise ValueError("no data for " + entity)
    return "x" * 2500

flow.command("raw", ["head", "-c", "5000", "/dev/zero"], codec="bytes")
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A server of its own: its memory is measured."""
    with RedisServer() as server, server.client() as redis:
        yield from rigs(redis, lambda _: server.url, tmp_path)


def go(rig: Rig, plan: Plan, date: Date, many: int) -> Launched:
    return launch(
        rig.redis, plan, version="main", date=date, trigger="manual:1", by="tests", entities=ENTITIES[:many]
    )  # fmt: skip


def used(redis: "Redis") -> int:
    """Bytes in use once nobody else is connected: what connections need is none of a wave's. This client has two: one that launches keep."""
    eventually(lambda: len(redis.client_list()) <= 2, 10, what="the worker's connections are closed")
    return int(redis.info("memory")["used_memory"])


def test_the_second_wave_takes_what_the_first_lets_expect(rig: Rig) -> None:
    # Given a wave that has run
    plan = rig.flow(FLOW).plan
    first = go(rig, plan, DATE, 300)
    assert "no wave of this flow has run" in first.fit.need.basis
    rig.run(slots=2)
    before = used(rig.redis)

    # When a larger one runs
    second = go(rig, plan, DATE.shift(1), len(ENTITIES))
    rig.run(slots=2, timeout=100)

    # Then it has taken what was said, as a whole and the part that is no pipe
    taken, told = used(rig.redis) - before, second.fit.need
    assert "as in the wave of 2013-07-01T14" in told.basis
    assert told.cells == len(ENTITIES) * 4
    assert told.total / FACTOR < taken < told.total * FACTOR, (told, taken)


def test_before_anything_runs_a_wave_takes_what_is_said_of_its_board(rig: Rig) -> None:
    plan = rig.flow(FLOW).plan
    go(rig, plan, DATE, 1)  # what all waves share is there
    before = used(rig.redis)

    told = go(rig, plan, DATE.shift(1), len(ENTITIES)).fit.need

    taken = used(rig.redis) - before
    assert told.board / FACTOR < taken + 120 * 1000 < told.board * FACTOR, (told, taken)  # its leases come when it runs
