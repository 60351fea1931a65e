"""A Redis that is full in mid-wave: what it refuses fails with the reason, nobody takes up more, and the rest goes on when there is room."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError
from rig import WAIT_FOR, Rig, rigs
from servers import RedisServer, eventually

from engine.cancel import cancel
from engine.errors import Refused
from engine.rerun import rerun
from engine.store.waves import Waves
from engine.store.workers import Workers

ENTITIES = [f"e{i:03}" for i in range(200)]
FLOW = (
    WAIT_FOR
    + """
@flow.task
def a(entity):
    say("a " + entity)
    print("a has something to say about", entity)
    if entity == "e050":
        Path("full").touch()
        wait_for("gate")
    return entity * 100

@flow.task
def b(a):
    say("b " + a)
    return len(a)

@flow.task
def c():
    return 1
"""
)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A server of its own that a test may fill."""
    with RedisServer() as server, server.client() as redis:
        yield from rigs(redis, lambda _: server.url, tmp_path)


def fill(rig: Rig) -> None:
    """From now on nothing that needs room is written."""
    rig.redis.config_set("maxmemory", "1")


def make_room(rig: Rig) -> None:
    rig.redis.config_set("maxmemory", "0")


def test_what_is_under_way_fails_with_the_reason_and_the_rest_waits_for_room(rig: Rig) -> None:
    # Given a wave in the middle of which Redis is full
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    worker = rig.start("--slots", "1", "--lease", "2", "--until-idle")
    rig.awaits("full")
    fill(rig)
    rig.touch("gate")

    # When the worker meets that
    eventually(lambda: "redis is full" in rig.logs(), 30, what=f"it says so; {rig.logs()}")

    # Then what could not be kept has failed, nothing runs, and nothing more is taken up, though nobody died
    eventually(lambda: rig.rows(wave)["e050"] == "XBX", what="it has failed, and what needs it is blocked")
    eventually(lambda: "R" not in "".join(rig.rows(wave).values()), what="nothing runs")
    rows = rig.rows(wave)
    assert rig.error(wave, "a", "e050").startswith("RedisFull: its value of 402 bytes could not be written")
    assert rig.error(wave, "b", "e050").startswith("Blocked: no a at ")
    assert rig.log(wave, "a", "e050") == ""
    assert rows["e199"] == "PPP"
    assert rig.raw("a", "e050") is None
    assert rig.progress(wave).wave.running
    assert worker.poll() is None
    assert "by it" not in rig.logs()  # no slot has died
    assert [w.flows for w in Workers(rig.redis).alive("main")] == [["shop"]]

    # When there is room again
    make_room(rig)

    # Then the rest is served, and what failed can run again
    assert worker.wait(60) == 0, rig.logs()
    rows = rig.rows(wave)
    assert set(rows.values()) <= {"FFF", "XBX", "FFX", "FXX", "XBF"}
    assert rows["e199"] == "FFF"
    again = rerun(rig.redis, wave, by="tests").wave
    rig.run()
    assert set("".join(rig.rows(again).values())) <= set("FU")
    assert all(rig.pipe("b", entity) == 400 for entity in ENTITIES)


def test_leases_are_kept_while_redis_is_full(rig: Rig) -> None:
    """A task that takes longer than a lease is not served twice for that."""
    wave = rig.launch(rig.flow(FLOW), "e050", "e051")
    worker = rig.start("--slots", "1", "--lease", "1", "--until-idle")
    rig.awaits("full")
    fill(rig)
    key = wave.key("leases")
    [(_, first)] = rig.redis.zrange(key, 0, 0, withscores=True)

    eventually(lambda: rig.redis.zrange(key, 0, 0, withscores=True)[0][1] > first + 1000, 20, what="the lease is prolonged")

    make_room(rig)
    rig.touch("gate")
    assert worker.wait(60) == 0, rig.logs()
    assert rig.runs().count("a e050") == 1


def test_a_wave_is_cancelled_all_the_same_and_the_act_is_in_the_log(rig: Rig) -> None:
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    fill(rig)

    done = cancel(rig.redis, wave, by="tests")

    assert done.cells == 600
    assert not rig.progress(wave).wave.running
    assert rig.redis.xrevrange("wd:acts", count=1)[0][1][b"verb"] == b"cancel"


def test_a_worker_that_starts_when_redis_is_full_waits_and_publishes_its_flows_later(rig: Rig) -> None:
    wave = rig.launch(rig.flow(FLOW), "e1")
    rig.redis.delete("wd:{main}:flows")
    fill(rig)
    worker = rig.start("--slots", "1", "--until-idle")
    eventually(lambda: "redis is full" in rig.logs(), 30, what=f"it says so; {rig.logs()}")
    assert rig.row(wave, "e1") == "PPP"

    make_room(rig)

    assert worker.wait(60) == 0, rig.logs()
    assert rig.row(wave, "e1") == "FFF"


def test_a_new_wave_is_refused_with_a_sentence(rig: Rig) -> None:
    flow = rig.flow(FLOW)
    fill(rig)

    with pytest.raises(Refused, match=r"Redis has no room .* and 0 bytes of 1 bytes \(maxmemory\) are free"):
        rig.launch(flow, "e1")
    with pytest.raises(Refused, match=r"Redis is full: .* of 1 bytes \(maxmemory\) are used"):
        rig.launch(flow, "e1", force=True)

    assert Waves(rig.redis).recent() == []
    with pytest.raises(OutOfMemoryError):
        rig.redis.set("a", "b")


def test_a_script_on_a_laptop_fails_its_task_with_the_reason(rig: Rig) -> None:
    wave = rig.launch(rig.flow(FLOW), "e1")
    told = subprocess.run(
        ["wavedeck", "script", wave.id, "e1", "--json"],
        env=rig.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    fill(rig)

    ran = subprocess.run(
        ["bash", "-c", json.loads(told.stdout)["script"]], cwd=rig.folder, env=rig.environment(),
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.returncode == 1
    assert "Refused: its value of 202 bytes could not be written: Redis uses all of its maxmemory" in ran.stderr
    assert rig.raw("a", "e1") is None


def test_a_worker_warns_of_a_redis_that_deletes(rig: Rig) -> None:
    rig.flow(FLOW)
    rig.run()
    assert "maxmemory-policy" not in rig.logs()
    rig.redis.config_set("maxmemory-policy", "allkeys-lru")

    rig.run()

    [line] = [line for line in rig.logs().splitlines() if "maxmemory-policy" in line]
    assert (
        "WARNING Redis deletes pipes and boards of waves as soon as a maxmemory is set: its maxmemory-policy is allkeys-lru"
        in line
    )
