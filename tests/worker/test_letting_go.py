"""The last finisher lets the fleet go; others, and one that has work, do not."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from rig import DATE, Rig
from servers import eventually

from engine.fleet.keeper import Keeper
from engine.fleet.local_house import LocalHouse
from engine.fleet.scaling import Staffing
from engine.keys import version_key
from engine.launch import launch
from engine.store.wanted import want, wanted
from engine.store.waves import Waves
from worker.letting_go import EVERY, IDLE, LettingGo


class Started:
    """Notes the processes that are started; they run until `ended`."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.ended = False

    def __call__(self, command: Sequence[str]) -> Any:
        self.commands.append(list(command))
        return self

    def poll(self) -> int | None:
        return 0 if self.ended else None


def letting_go(redis: "Redis", started: Started, **environment: str) -> tuple[LettingGo, float]:
    made = LettingGo(redis, "main", {"WAVEDECK_FLEET": "ecs", **environment}, start=started)
    return made, made._busy_at + EVERY + IDLE


def test_a_worker_without_a_house_looks_at_nothing(redis: "Redis") -> None:
    want(redis, "main", "w1", 5, 0)
    started = Started()
    made, now = letting_go(redis, started, WAVEDECK_FLEET="")

    made.tend(False, now)

    assert started.commands == []


def test_an_idle_one_has_the_house_asked_once(redis: "Redis") -> None:
    # Given more workers than the floor, and two that are idle
    want(redis, "main", "w1", 5, 0)
    started = Started()
    first, now = letting_go(redis, started)
    second, _ = letting_go(redis, started)

    # When both look
    for tick in range(10):
        first.tend(False, now + tick)
        second.tend(False, now + tick)

    # Then one process asks
    assert started.commands == [[sys.executable, "-P", "-m", "worker.letting_go", "main"]]


@pytest.mark.parametrize("why", ["busy", "just idle", "queued", "at the floor", "nobody asked"])
def test_nothing_is_asked_while_there_is_a_reason_not_to(redis: "Redis", why: str) -> None:
    started = Started()
    made, now = letting_go(redis, started)
    if why != "nobody asked":
        want(redis, "main", "w1", 2, 2 if why == "at the floor" else 0)
    if why == "queued":
        redis.zadd(version_key("main", "queue"), {"w2": 1})
    if why == "just idle":
        made.tend(True, now - 1)

    made.tend(why == "busy", now)

    assert started.commands == []


def test_a_local_fleet_scales_up_for_a_wave_and_to_nothing_after_it(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a fleet of none that this process keeps
    flow = rig.flow("@flow.task\ndef a(entity):\n    return 1\n")
    url, home = rig.url_for("main"), tmp_path / "home"
    for name, value in {
        "WAVEDECK_FLEET": "local", "WAVEDECK_HOME": str(home), "WAVEDECK_REDIS_URL": url, "WAVEDECK_FLOWS": rig.module,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(rig.folder), os.environ.get("PYTHONPATH", "")])),
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    with Keeper(url, "main", home=home, slots=1, flows=rig.module):
        fleet = LocalHouse(url, home=home).fleet("main")
        assert fleet.desired().running == 0

        # When a wave is started with as many workers as it needs
        wave = launch(
            rig.redis, flow.plan, version="main", date=DATE, trigger="manual:1", by="tests", entities=["e1", "e2"],
            staff=Staffing(rig.redis, fleet, flow.plan, slots=1),
        ).wave  # fmt: skip

        # Then it runs to its end, and the worker that finds nothing left lets the fleet go, itself among it
        eventually(lambda: not Waves(rig.redis).progress(wave).wave.running, 60, what="the wave ends")
        eventually(lambda: fleet.desired().desired == 0, 60, what="the fleet is let go")
        eventually(lambda: [w.exit for w in fleet.workers(stopped=True)] == [0], 60, what="the worker has left, in order")
        told = wanted(rig.redis, "main")
        assert told is not None and (told.workers, told.floor) == (0, 0)
