"""Real workers as tasks of FakeEcs: what the tests of waves on ECS share."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ecs_rig import ACCOUNT, a_folder, a_house, ecs
from fake_ecs.server import FakeEcs
from fake_ecs.task import Task
from redis import Redis
from servers import eventually

from engine.fleet.ecs.house import EcsFleet
from engine.fleet.house import Spec
from engine.keys import Date, PipeKey
from engine.payload import decode_json
from engine.status import Status
from engine.store.wave import Progress
from engine.store.waves import Waves
from engine.store.workers import Workers

DATE = Date("2026-01-02T03")
ROLE = "arn:aws:iam::123456789012:role/scheduler"
PATIENCE = 60.0
"""Seconds for what takes five on a quiet machine: several Pythons start."""


@dataclass
class Town:
    """FakeEcs with a Redis, a house, and folders that images are made of."""

    ecs: FakeEcs
    redis: Redis
    url: str
    folder: Path

    def __post_init__(self) -> None:
        self.house = a_house(replace(ACCOUNT, redis_url=self.url, scheduler_role=ROLE))

    def image(self, name: str, **options: object) -> str:
        return self.ecs.push(f"registry/{name}", a_folder(self.folder / name, **options))  # type: ignore[arg-type]

    def deploy(self, version: str, image: str) -> EcsFleet:
        fleet = self.house.fleet(version)
        fleet.deploy(Spec(image, base=0, on_demand=0, slots=1, flows="shop", most=5))
        return fleet

    def init(self, fleet: EcsFleet) -> None:
        """Runs init as a task, as a schedule does, and waits for its end."""
        words = ["shop", "--version", fleet.version, "--date", DATE]
        arn = fleet.run_init(words, token=f"{fleet.version}-{DATE}", started_by="tests")
        task = self.ecs.plane.tasks[arn.rpartition("/")[2]]
        eventually(lambda: task.stopped, PATIENCE, what="init has ended")
        assert task.exit_code == 0, task.log.read_text()

    def progress(self, version: str) -> Progress:
        [one] = Waves(self.redis).recent(1, version=version)
        return one

    def has_ended(self, version: str) -> Progress | None:
        found = Waves(self.redis).recent(1, version=version)
        return found[0] if found and found[0].wave.ended else None

    def running(self, version: str) -> int:
        return self.progress(version).total[Status.RUNNING]

    def await_workers(self, fleet: EcsFleet, count: int) -> list[Task]:
        """Waits until so many run and say so by their heartbeats."""
        eventually(
            lambda: len(Workers(self.redis).alive(fleet.version)) >= count and fleet.desired().running == count,
            PATIENCE,
            what=f"{count} workers of {fleet.version}",
        )
        return self.workers(fleet)

    def workers(self, fleet: EcsFleet, *, ended: bool = False) -> list[Task]:
        return [task for task in self.ecs.tasks(fleet.names.cluster, ended=ended) if task.service]


@pytest.fixture
def town(ecs: FakeEcs, redis: Redis, redis_url: str, tmp_path: Path) -> Iterator[Town]:
    yield Town(ecs, redis, redis_url, tmp_path)
    for gate in tmp_path.rglob("gate"):
        gate.unlink()


def pipe(redis: Redis, version: str, entity: str = "s0") -> object:
    found = redis.get(str(PipeKey(version, "sales", entity, DATE)))
    assert isinstance(found, bytes)
    return decode_json(found)


__all__ = ["DATE", "PATIENCE", "Town", "ecs", "pipe", "town"]
