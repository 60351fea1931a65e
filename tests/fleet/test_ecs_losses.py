"""Workers that ECS loses in the middle of a wave: the wave completes all the same."""

import pytest
from servers import eventually
from town import PATIENCE, Town, ecs, town

from engine.status import Status

__all__ = ["ecs", "town"]
pytestmark = pytest.mark.one_server


def test_spot_takes_a_worker_in_mid_wave_and_the_wave_completes(town: Town) -> None:
    # Given a wave of which two workers run something that waits
    fleet = town.deploy("main", town.image("one"))
    gate = town.folder / "one" / "gate"
    gate.touch()
    town.init(fleet)
    fleet.scale(2)
    town.await_workers(fleet, 2)
    eventually(lambda: town.running("main") == 2, PATIENCE)

    # When Spot takes one of them, and what runs may end
    [lost, _] = town.workers(fleet)
    town.ecs.interrupt(lost)
    gate.unlink()

    # Then it leaves in order, another takes its place, and the wave completes
    ended = eventually(lambda: town.has_ended("main"), PATIENCE)
    assert ended
    assert ended.total[Status.FINISHED] == 40
    told = eventually(lambda: next((w for w in fleet.workers(stopped=True) if w.state == "stopped"), None), PATIENCE)
    assert told
    assert (told.name, told.exit) == (lost.id, 0)
    assert "Spot took it back" in told.reason
    assert len(town.await_workers(fleet, 2)) == 2


def test_a_host_that_is_gone_costs_a_lease_and_no_cell(town: Town) -> None:
    # Given a worker in the middle of a wave
    fleet = town.deploy("main", town.image("one"))
    gate = town.folder / "one" / "gate"
    gate.touch()
    town.init(fleet)
    fleet.scale(1)
    [lost] = town.await_workers(fleet, 1)
    eventually(lambda: town.running("main") == 1, PATIENCE)

    # When its host is gone without a word
    town.ecs.lose(lost)
    gate.unlink()

    # Then the service starts another, which serves what the lost one held when its lease is over
    ended = eventually(lambda: town.has_ended("main"), PATIENCE)
    assert ended
    assert ended.total[Status.FINISHED] == 40
    [told] = [worker for worker in fleet.workers(stopped=True) if worker.name == lost.id]
    assert (told.exit, told.state) == (137, "stopped")
