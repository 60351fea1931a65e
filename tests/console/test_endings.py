"""Why workers that are gone ended, on the worker and beside what it ran; and a wave's workers as they were foreseen."""

import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from stage import Stage

from console.reports.crew import Crew
from console.reports.endings import AGAIN, Endings
from console.views import Foreseen, foreseen
from console.views import wave as view
from engine.fleet.house import FleetError, FleetWorker
from engine.store.workers import SlotState, Worker, Workers

ARN = "arn:aws:ecs:eu-west-1:1:task/wavedeck-main/"


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))


class Told:
    """A house and its fleet at once: answers from a list, and counts how often it is asked."""

    def __init__(self, *workers: FleetWorker, error: Exception | None = None) -> None:
        self.known, self.error, self.asked = list(workers), error, list[tuple[str, str]]()
        self.name = ""

    def open(self, name: str) -> Any:
        self.name = name
        return self

    def fleet(self, version: str) -> Any:
        self.asked.append((self.name, version))
        return self

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        assert stopped
        if self.error:
            raise self.error
        return self.known


def gone(name: str = "w-1", **more: Any) -> Worker:
    return Worker(name, "main", "h", 7, time.time() - 60, time.time() - 20, **more)


def spot(name: str, reason: str = "Spot took it back") -> FleetWorker:
    return FleetWorker(name, "main", "spot", "stopped", reason=reason)


def test_a_house_is_asked_once_about_those_of_which_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    house = Told(spot("aa"), spot("bb", "it ran out of memory (OutOfMemoryError)"))
    endings = Endings(house.open)
    some = [gone("w-1", task=f"{ARN}aa"), gone("w-2", task=f"{ARN}bb"), gone("w-3", task=f"{ARN}cc")]

    told = endings.of(some, wait=True)

    assert told == {("main", "w-1"): "Spot took it back", ("main", "w-2"): "it ran out of memory (OutOfMemoryError)"}
    for _ in range(5):
        endings.of(some, wait=True)
    assert house.asked == [("ecs", "main")]

    # And again after a while only for the sake of the third
    later = time.monotonic() + AGAIN + 1
    monkeypatch.setattr("console.reports.endings.time.monotonic", lambda: later)
    house.known.append(spot("cc"))
    assert endings.of(some, wait=True)["main", "w-3"] == "Spot took it back"
    assert len(house.asked) == 2


def test_nobody_is_asked_about_what_no_house_remembers_or_ever_had() -> None:
    house = Told()
    endings = Endings(house.open)

    endings.of([replace(gone(task=f"{ARN}aa"), beat=time.time() - 4000), gone("w-2")], wait=True)

    assert house.asked == []


def test_a_house_that_may_not_be_asked_is_no_failure() -> None:
    house = Told(error=FleetError("there are no AWS credentials"))

    assert Endings(house.open).of([gone(task=f"{ARN}aa")], wait=True) == {}


def test_a_local_one_is_known_by_its_process() -> None:
    house = Told(FleetWorker("1", "main", "local", "stopped", started=time.time() - 60, pid=7, reason="killed by signal 9"))

    told = Endings(house.open).of([replace(gone(), host=socket.gethostname())], wait=True)

    assert told == {("main", "w-1"): "killed by signal 9"}
    assert house.asked == [("local", "main")]


def test_the_worker_s_row_says_it_beside_what_it_ran(redis: "Redis") -> None:
    # Given a worker on ECS that fell silent over a task
    stage = Stage(redis, ["e 1"]).claim()
    worker = replace(
        gone(task=f"{ARN}aa", digest="sha256:11"), slots=[SlotState(8, stage.wave.id, "e%201", "sales", time.time())], limit=512 << 20
    )  # fmt: skip
    Workers(redis).beat(worker)
    redis.delete("wd:{main}:worker:w-1")
    crew = Crew("main")
    crew._endings = Endings(Told(spot("aa")).open)

    # When somebody looks
    [row] = crew.rows(redis, wait=True)

    # Then it is said why, and what it ran
    assert (row.state, row.reason, row.task, row.digest, row.limit) == (
        "dead", "Spot took it back", f"{ARN}aa", "sha256:11", 512 << 20,
    )  # fmt: skip
    assert [(slot.entity, slot.task, slot.name) for slot in row.ran] == [("e 1", "sales", stage.wave.locator)]
    assert row.slots == []


words: Callable[..., str] = lambda *numbers: Foreseen(*numbers).words  # noqa: E731


def test_what_was_foreseen_is_held_against_what_was() -> None:
    assert words(12, 40.0, 44.0, None) == "40.0 s to 44.0 s foreseen on 12 workers"
    assert words(1, 40.0, 44.0, 42.0).endswith(", as foreseen (40.0 s to 44.0 s foreseen on 1 worker)")
    assert ", 25% longer (" in words(12, 36.0, 40.0, 50.0)
    assert ", 50% less (" in words(12, 40.0, 44.0, 20.0)


def test_a_wave_without_foresight_says_nothing_of_it(redis: "Redis") -> None:
    stage = Stage(redis, ["e1"])

    assert view(redis, stage.wave.id).foreseen is None
    told = foreseen(replace(stage.wave, workers=3, soonest=2000, latest=4000, ended=stage.wave.created + 3000))
    assert told == Foreseen(3, 2.0, 4.0, 3.0)
