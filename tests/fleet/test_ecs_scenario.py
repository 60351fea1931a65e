"""Two versions on one Redis and one ECS: waves from zero and back, scale-in, a new image in mid-wave."""

import json
import urllib.request

import pytest
from fake_ecs.task import Task
from servers import eventually
from town import PATIENCE, Town, ecs, pipe, town

from engine.fleet.house import About
from engine.status import Status

__all__ = ["ecs", "town"]
pytestmark = pytest.mark.one_server


def test_two_versions_side_by_side_from_zero_and_back(town: Town) -> None:
    # Given two versions, each with its image, no worker, and a wave that init has queued
    fleets = [town.deploy("main", town.image("one", value="1")), town.deploy("feature/x", town.image("two", value="2"))]
    for fleet in fleets:
        town.init(fleet)
        assert fleet.desired().running == 0

    # When each is scaled from zero
    for fleet in fleets:
        fleet.scale(2)

    # Then both waves end, each with its own code's values
    for fleet in fleets:
        ended = eventually(lambda version=fleet.version: town.has_ended(version), PATIENCE)  # type: ignore[misc]
        assert ended
        assert ended.total[Status.FINISHED] == 40
    assert [pipe(town.redis, fleet.version) for fleet in fleets] == [1, 2]

    # And the house tells of them: what runs, on which image, of what kind
    for fleet in fleets:
        town.await_workers(fleet, 2)
        [first, second] = fleet.workers()
        assert first.kind == second.kind == "spot"
        assert {first.image, second.image} == {fleet.desired().image.partition("@")[2]}
        assert [line.text for line in fleet.logs(About(worker=first.name))]
    assert [(s.version, s.desired, s.running) for s in town.house.services()] == [("feature/x", 2, 2), ("main", 2, 2)]

    # And back to zero they leave in order
    for fleet in fleets:
        fleet.scale(0)
    for fleet in fleets:
        eventually(lambda fleet=fleet: not fleet.workers(), PATIENCE)  # type: ignore[misc]
        assert [worker.exit for worker in fleet.workers(stopped=True)] == [0, 0]
        assert fleet.desired().state == "steady"


def test_a_new_image_in_mid_wave_takes_over_and_loses_nothing(town: Town) -> None:
    # Given a wave in the middle, of which a worker runs a cell that takes long
    fleet = town.deploy("main", town.image("one", value="1"))
    gate = town.folder / "one" / "gate"
    gate.touch()
    town.init(fleet)
    fleet.scale(1)
    [old] = town.await_workers(fleet, 1)
    eventually(lambda: town.running("main") == 1 and old.is_protected, PATIENCE)

    # When another image is deployed
    other = town.image("two", value="2")
    town.deploy("main", other)

    # Then its worker serves what the old one has not begun, and that one is spared while it is busy
    assert fleet.desired().state in ("rolling", "scaling")
    eventually(lambda: town.progress("main").total[Status.FINISHED] == 38, PATIENCE)
    assert not old.is_leaving
    gate.unlink()

    # And it leaves in order when it is done; nothing has failed
    ended = eventually(lambda: town.has_ended("main"), PATIENCE)
    assert ended
    assert ended.total[Status.FINISHED] == 40
    eventually(lambda: old.stopped is not None, PATIENCE, what="the old worker has left")
    assert old.exit_code == 0
    service = eventually(lambda: (s := fleet.desired()).state == "steady" and s, PATIENCE)
    assert service
    assert service.image == other
    assert [worker.image for worker in fleet.workers()] == [other.partition("@")[2]]
    values = [pipe(town.redis, "main", f"s{number}") for number in range(20)]
    assert (values.count(1), values.count(2)) == (1, 19)


def ask(task: Task, town: Town, **state: object) -> int:
    """A task's call to its agent; the answer's status."""
    url = f"{town.ecs.url}/agent/{task.id}/task-protection/v1/state"
    request = urllib.request.Request(url, json.dumps(state).encode(), method="PUT")  # noqa: S310
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return int(answer.status)


def test_scale_in_spares_the_protected(town: Town) -> None:
    # Given three workers, of which the youngest says that it is busy
    fleet = town.deploy("main", town.image("one"))
    fleet.scale(3)
    tasks = sorted(town.await_workers(fleet, 3), key=lambda task: task.created)
    assert ask(tasks[-1], town, ProtectionEnabled=True, ExpiresInMinutes=60) == 200

    # When one is enough
    fleet.scale(1)

    # Then the others leave
    eventually(lambda: [w.name for w in fleet.workers()] == [tasks[-1].id], PATIENCE)
    assert [worker.protected for worker in fleet.workers()] == [True]

    # And with none it stays until it is idle
    fleet.scale(0)
    for _ in range(3):
        town.ecs.plane.tick()
    assert not tasks[-1].is_leaving
    assert fleet.desired().state == "scaling"
    ask(tasks[-1], town, ProtectionEnabled=False)
    eventually(lambda: not fleet.workers(), PATIENCE)
