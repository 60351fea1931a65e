"""A wave that EventBridge starts, on workers that init asks for and the last of them lets go."""

import time
from datetime import UTC, datetime

import pytest
from servers import eventually
from town import PATIENCE, Town, ecs, town

from engine.fleet.ecs.eventbridge import EventBridge
from engine.keys import Date
from engine.schedule import Schedule
from engine.status import Status
from engine.store.schedules import Schedules

__all__ = ["ecs", "town"]
pytestmark = pytest.mark.one_server


def test_a_schedule_starts_the_wave_its_workers_and_their_end(town: Town) -> None:
    # Given a schedule that asks for up to three workers, with EventBridge, and no worker
    fleet = town.deploy("main", town.image("one"))
    due = time.time() // 3600 * 3600
    schedule = Schedule("shop", "main", every=3600.0, deadline=7200.0, workers="3", since=due, house="ecs")
    Schedules(town.redis).put(schedule)
    EventBridge(town.house).put(schedule)
    planned = datetime.fromtimestamp(due, UTC).isoformat().replace("+00:00", "Z")

    # When it is due, and EventBridge fires a second time
    for attempt in (1, 2):
        town.ecs.scheduler.fire(fleet.names.cluster, "shop", planned, attempt=attempt)

    # Then one wave about that hour ends on workers that init had asked for, and the last of them lets them go
    ended = eventually(lambda: town.has_ended("main"), PATIENCE)
    assert ended
    assert ended.total[Status.FINISHED] == 40
    assert ended.wave.date == Date.of(datetime.fromtimestamp(due, UTC))
    eventually(lambda: fleet.desired().desired == 0 and not fleet.workers(), PATIENCE, what="the workers have left")
    assert [request["desiredCount"] for request in town.ecs.requests("UpdateService")] == [
        1,
        0,
    ]  # for so little work one is enough
    tasks = town.ecs.tasks(ended=True)
    eventually(lambda: all(task.stopped for task in tasks), PATIENCE)
    assert [(task.exit_code, bool(task.service)) for task in tasks] == [(0, False), (0, False), (0, True)]
