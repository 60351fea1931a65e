"""The house of local processes: one command keeps a version's workers, any other scales them and reads their logs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import eventually, is_running

from engine.errors import NotFound, Refused
from engine.fleet.house import About, Spec
from engine.fleet.local import LocalFleet
from engine.fleet.local_house import LocalHouse

OBEDIENT = ("bash", "-c", 'trap "echo leaving; exit 0" TERM; echo ready; while :; do sleep 0.05; done', "worker")
VERSION = "feature/x"


@pytest.fixture
def house(home: Path) -> Iterator[LocalHouse]:
    """One that keeps what it scales."""
    made = LocalHouse("redis://nowhere", keep=True, home=home, command=OBEDIENT)
    yield made
    made.close()


def test_the_keeper_has_the_workers_and_another_house_scales_them(house: LocalHouse, home: Path) -> None:
    # Given two workers of a version, kept by this house
    ours = house.fleet(VERSION)
    assert ours.desired().state == "absent"
    assert ours.scale(2) == 2
    assert house.keeps(VERSION)
    eventually(lambda: ours.desired().state == "steady" and ours.desired().running == 2)

    eventually(lambda: [line.text for line in ours.logs()] == ["ready"] * 2, 20)

    # When another house, which keeps nothing, looks and asks for one
    other = LocalHouse("redis://nowhere", home=home)
    theirs = other.fleet(VERSION)
    assert [service.version for service in other.services()] == [VERSION]
    assert [worker.state for worker in theirs.workers()] == ["running", "running"]
    theirs.scale(1)

    # Then the youngest leaves in order
    eventually(lambda: [worker.name for worker in theirs.workers()] == ["1"])
    [_, left] = theirs.workers(stopped=True)
    assert (left.state, left.exit, left.kind) == ("stopped", 0, "local")
    assert theirs.desired().desired == 1
    assert not other.keeps(VERSION)


def test_a_stopped_worker_leaves_and_another_takes_its_place(house: LocalHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.fleet.keeper.CALM", 0.2)
    fleet = house.fleet(VERSION)
    fleet.scale(1)
    eventually(lambda: any(line.text == "ready" for line in fleet.logs()))

    fleet.stop("1", "it was odd")

    eventually(lambda: [worker.name for worker in fleet.workers()] == ["2"])
    assert [(w.name, w.reason) for w in fleet.workers(stopped=True)] == [("1", "it was odd"), ("2", "")]
    with pytest.raises(NotFound, match="no local worker 1; there are: 2"):
        fleet.stop("1", "again")


def test_a_fleet_that_nobody_keeps_is_not_scaled_into_the_void(home: Path) -> None:
    house = LocalHouse("redis://nowhere", home=home)

    with pytest.raises(NotFound, match="wavedeck fleet scale N --version feature/x"):
        house.fleet(VERSION).scale(3)

    assert house.services() == []
    assert house.fleet(VERSION).workers() == []


def test_a_keeper_that_cannot_start_a_worker_now_tries_again(house: LocalHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a machine on which no process can be made
    monkeypatch.setattr("engine.fleet.keeper.CALM", 0.1)
    real, refused = LocalFleet.scale, list[int]()

    def scale(fleet: LocalFleet, count: int) -> None:
        if len(refused) < 2:
            refused.append(count)
            raise BlockingIOError("Resource temporarily unavailable")
        real(fleet, count)

    monkeypatch.setattr(LocalFleet, "scale", scale)

    house.fleet(VERSION).scale(1)

    eventually(lambda: house.fleet(VERSION).desired().running == 1, 20)
    assert refused == [1, 1]


def test_only_one_keeps_a_fleet(house: LocalHouse, home: Path) -> None:
    house.fleet(VERSION).scale(1)
    second = LocalHouse("redis://nowhere", keep=True, home=home, command=OBEDIENT)

    second.fleet(VERSION).scale(0)
    second.close()

    assert not second.keeps(VERSION)
    eventually(lambda: house.fleet(VERSION).workers() == [])


def test_logs_are_filtered_by_what_their_lines_are_about(home: Path) -> None:
    say = """
echo 'the first line says no time'
echo '{"time": 1000.5, "level": "INFO", "message": "starts", "wave": "w1", "entity": "shop-1", "task": "sales"}'
echo '{"time": "1970-01-01T00:16:41Z", "message": "another", "wave": "w1", "entity": "shop-2"}'
echo 'not JSON'
exec sleep 60
"""
    began = time.time()
    house = LocalHouse("redis://nowhere", keep=True, home=home, command=("bash", "-c", say, "worker"))
    try:
        fleet = house.fleet(VERSION)
        fleet.scale(1)
        lines = eventually(lambda: len(found := list(fleet.logs())) == 4 and found, 20)

        *said, unsaid = lines or ()
        assert unsaid.text == "the first line says no time"
        assert unsaid.at >= began - 1  # so it is that of the worker's start
        assert [(line.at, line.text, line.entity) for line in said] == [
            (1000.5, "starts", "shop-1"),
            (1001.0, "another", "shop-2"),
            (1001.0, "not JSON", ""),
        ]
        assert [line.text for line in fleet.logs(About(entity="shop-1"))] == ["starts"]
        assert [line.text for line in fleet.logs(About(wave="w1"), since=1000.9)] == ["another"]
        assert list(fleet.logs(About(worker="2"))) == []
        following = fleet.logs(About(task="sales"), follow=True)
        assert next(following).worker == "1"
    finally:
        house.close()


def test_local_workers_are_not_deployed(house: LocalHouse) -> None:
    with pytest.raises(Refused, match="--house ecs"):
        house.fleet(VERSION).deploy(Spec("x@sha256:1"))
    with pytest.raises(Refused, match="fleet scale 0"):
        house.fleet(VERSION).undeploy()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent death signal")
def test_a_killed_keeper_takes_its_workers_along_and_the_next_starts_afresh(house: LocalHouse, home: Path) -> None:
    # Given a command that keeps two workers
    body = f"""
import sys, time
from pathlib import Path
from engine.fleet.local_house import LocalHouse
house = LocalHouse("redis://nowhere", keep=True, home=Path(sys.argv[1]), command={OBEDIENT!r})
house.fleet({VERSION!r}).scale(2)
print("kept", flush=True)
time.sleep(60)
"""
    command = subprocess.Popen([sys.executable, "-c", body, str(home)], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    assert command.stdout.readline() == "kept\n"
    fleet = house.fleet(VERSION)
    workers = eventually(lambda: len(seen := fleet.workers()) == 2 and seen, 10)
    pids = [worker.pid for worker in workers or ()]

    # When it is killed
    command.kill()
    command.communicate()

    # Then its workers are gone, nobody is said to keep them, and this house can
    eventually(lambda: not any(is_running(pid) for pid in pids))
    assert fleet.desired().state == "absent"
    assert fleet.workers(stopped=True) == []
    fleet.scale(1)
    eventually(lambda: fleet.desired().running == 1)
    assert fleet.desired().detail == f"kept by process {os.getpid()}"
