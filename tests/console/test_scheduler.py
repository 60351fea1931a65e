"""The scheduler of a machine: each due date once, on a clock that the test turns."""

from pathlib import Path

import pytest
from redis import Redis
from servers import RedisServer

from console.scheduler import LONGEST, Scheduler
from engine.plan import Plan, TaskPlan
from engine.schedule import Schedule
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.connect import connect
from engine.store.schedules import Schedules
from engine.store.states import States
from engine.store.waves import Waves

HOUR = 3600.0


@pytest.fixture(autouse=True)
def _no_flows_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_FLOWS", "no_such_module")
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))


class Clock:
    """Reads ten past this hour at first, by Redis' clock."""

    def __init__(self, redis: "Redis") -> None:
        self.hour = redis.time()[0] // HOUR * HOUR
        self.now = self.hour + 600

    def __call__(self) -> float:
        return self.now


def a_flow(redis: "Redis", *versions: str, **more: object) -> Clock:
    """A flow with a state and a schedule that is older than this hour."""
    clock = Clock(redis)
    plan = Plan("shop", (TaskPlan("a"),), state="shops", active=10 * HOUR)
    States(redis).seen("shops", [("e1", "p")], clock.hour - 4 * HOUR)
    for version in versions or ("main",):
        Catalog(redis).publish(version, [plan])
        Schedules(redis).put(Schedule("shop", version, every=HOUR, since=clock.hour - 60, **more))  # type: ignore[arg-type]
    return clock


def dates(redis: "Redis") -> list[str]:
    return sorted(str(p.wave.date) for p in Waves(redis).recent())


def test_a_due_date_is_fired_once_by_however_many(redis: "Redis") -> None:
    clock = a_flow(redis)
    told: list[str] = []
    first, second = (Scheduler(redis, now=clock, tell=told.append) for _ in range(2))

    for scheduler in (first, second, first, second):
        scheduler.tick()

    [wave] = Waves(redis).recent()
    assert wave.wave.date.start.timestamp() == clock.hour
    assert told == [f"shop@main {wave.wave.date}  started: wave {wave.wave.id}"]


def test_it_sleeps_until_the_next_is_due_and_looks_now_and_then(redis: "Redis") -> None:
    clock = a_flow(redis)
    scheduler = Scheduler(redis, now=clock)

    assert scheduler.tick() == LONGEST
    clock.now = clock.hour + HOUR - 4
    assert scheduler.tick() == 4.0
    clock.now = clock.hour + HOUR
    assert len(dates(redis)) == 1
    scheduler.tick()
    assert len(dates(redis)) == 2


def test_what_it_missed_is_left_out_and_said_and_the_latest_is_started(redis: "Redis") -> None:
    # Given a schedule that fired three hours ago, and nobody since
    clock = a_flow(redis)
    told: list[str] = []
    spec = Schedules(redis).get("main", "shop")
    Schedules(redis).put(Schedule("shop", "main", every=HOUR, since=clock.hour - 4 * HOUR))
    Schedules(redis).note(_fired(spec, clock.hour - 3 * HOUR))

    # When a scheduler comes
    Scheduler(redis, now=clock, tell=told.append).tick()

    # Then two are left out, and the third is started
    assert dates(redis) == [str(spec.date(clock.hour, hourly=True))]
    assert "missed: nobody was there to fire it, nor 1 before it since" in told[0]
    assert "started" in told[1]
    assert [act.verb for act in Acts(redis).recent()] == ["schedule", "skip"]


def _fired(spec: Schedule, due: float) -> object:
    from engine.store.schedules import Fired

    return Fired(spec.flow, spec.version, due, str(spec.date(due, hourly=True)), "started")


def test_one_that_pauses_or_is_fired_elsewhere_is_let_be(redis: "Redis") -> None:
    clock = a_flow(redis, paused=True)
    Schedules(redis).put(Schedule("shop", "other", every=HOUR, house="ecs"))

    assert Scheduler(redis, now=clock).tick() == LONGEST
    assert dates(redis) == []


def test_a_refusal_is_said_once_and_tried_again_when_the_next_is_due(redis: "Redis") -> None:
    clock = a_flow(redis, "main", "fix")
    redis.delete("wd:{fix}:flows")
    told: list[str] = []
    scheduler = Scheduler(redis, now=clock, tell=told.append)

    scheduler.tick()
    scheduler.tick()

    assert [line.split("  ")[1].partition(":")[0] for line in told] == ["refused", "started"]
    last = Schedules(redis).last("fix", "shop")
    assert last is not None and last.outcome == "refused"


@pytest.mark.one_server
def test_a_redis_that_is_away_is_waited_for() -> None:
    with RedisServer(persist=True) as server:
        redis = connect(server.url, timeout=1, retries=0)
        clock = a_flow(redis)
        told: list[str] = []
        scheduler = Scheduler(redis, now=clock, tell=told.append)

        server.kill()
        scheduler.tick()
        scheduler.tick()
        assert len(told) == 1 and told[0].startswith("redis is away: ")
        server.start()
        scheduler.tick()

        assert told[-1] == "redis is back"
        assert len(dates(redis)) == 1
        redis.close()


def test_it_ends_when_it_is_told_to(redis: "Redis") -> None:
    clock, waits = a_flow(redis), list[float]()

    def until(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 3

    Scheduler(redis, now=clock).serve(until)

    assert waits == [LONGEST] * 3
