"""A wave has its workers before it is queued, and they go when nothing is left to do; whoever comes at the same time."""

import threading
from typing import Any

import pytest
from boards import DATE, F, P, R, claim, complete, end, plan, step
from fleets import NotedFleet
from redis import Redis
from servers import eventually

from engine.capacity import AT_ONCE
from engine.errors import Refused
from engine.fleet.scaling import Staffing, let_go
from engine.keys import version_key
from engine.launch import Launched, launch
from engine.store.wanted import staffing, wanted
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers

PLAN = plan("a", "b")


def go(redis: "Redis", fleet: NotedFleet, n: int = 8, *, trigger: str = "manual:1", **more: Any) -> tuple[Launched, Staffing]:
    options = {name: more.pop(name) for name in ("workers", "slots") if name in more}
    staff = Staffing(redis, fleet, PLAN, launches=AT_ONCE, **options)
    launched = launch(
        redis, PLAN, version="main", date=DATE, trigger=trigger, by="tests", entities=[f"e{i}" for i in range(n)], staff=staff, **more
    )  # fmt: skip
    return launched, staff


def finish(redis: "Redis", wave: Wave) -> None:
    complete(redis, wave, claim(redis, wave, wave.n))
    Waves(redis).dequeue(wave.version, wave.id)


def a_past(redis: "Redis", n: int = 8) -> None:
    """A wave in which each cell took 0.25 s."""
    launched = launch(
        redis, PLAN, version="main", date=DATE.shift(-1), trigger="manual:0", by="tests", entities=[f"e{i}" for i in range(n)]
    )
    finish(redis, launched.wave)


def test_workers_are_asked_for_before_the_wave_is_queued(redis: "Redis") -> None:
    # Given a fleet of none, and a flow whose cells took 0.25 s
    a_past(redis)
    queued: list[int] = []
    fleet = NotedFleet(meanwhile=lambda _: queued.append(redis.zcard(version_key("main", "queue"))))

    # When a wave of 1,000 entities has a minute: 500 s of work, and a quarter more, on workers of two slots
    launched, staff = go(redis, fleet, 1000, deadline=60.0)

    # Then the workers were asked for while nothing was queued, and the record says what is foreseen
    assert queued == [0]
    assert fleet.count == launched.wave.workers == 6
    assert staff.result is not None and (staff.result.before, staff.result.asked) == (0, 6)
    assert 500 / 12 * 1000 <= launched.wave.soonest <= launched.wave.latest <= 60_000
    assert "run times of the wave of" in staff.result.words


def test_a_first_wave_says_what_it_assumes(redis: "Redis") -> None:
    _, staff = go(redis, NotedFleet())

    assert staff.result is not None
    assert "no run times are known, 0.1 s a task are assumed" in staff.result.words


def test_a_fleet_is_never_lowered_for_a_wave(redis: "Redis") -> None:
    fleet = NotedFleet(count=20)

    launched, staff = go(redis, fleet)

    assert fleet.asked == []
    assert launched.wave.workers == 20
    assert staff.result is not None and staff.result.asked == 20


def test_the_same_firing_again_asks_for_nothing(redis: "Redis") -> None:
    fleet = NotedFleet()
    go(redis, fleet)
    fleet.asked.clear()

    again, staff = go(redis, fleet)

    assert not again.created
    assert (fleet.asked, staff.result) == ([], None)


def test_what_a_house_refuses_is_said_and_the_wave_is_queued(redis: "Redis") -> None:
    fleet = NotedFleet(refuses="no capacity in eu-west-1a")

    launched, staff = go(redis, fleet)

    assert launched.created
    assert redis.zrange(version_key("main", "queue"), 0, -1) == [launched.wave.id.encode()]
    assert staff.result is not None and staff.result.problem == "the house refused: no capacity in eu-west-1a"


def test_a_version_without_a_fleet_is_said(redis: "Redis") -> None:
    launched, staff = go(redis, NotedFleet(absent=True))

    assert launched.created and launched.wave.workers == 0
    assert staff.result is not None and "nothing is deployed for version 'main'" in staff.result.words


def test_bounds_that_make_no_sense_are_refused_before_anything_is_written(redis: "Redis") -> None:
    with pytest.raises(Refused, match="must be auto"):
        go(redis, NotedFleet(), workers="lots")

    assert Waves(redis).recent() == []


def test_workers_that_are_alive_say_how_many_slots_there_are(redis: "Redis") -> None:
    Workers(redis).beat(Worker("w-1", "main", "h", 1, 0.0, 0.0, slots=[SlotState(n) for n in range(8)]))

    _, staff = go(redis, NotedFleet(count=1), 100)

    assert staff.result is not None and "1 worker × 8 slots" in staff.result.words


def test_the_last_finisher_lowers_the_fleet(redis: "Redis") -> None:
    # Given two waves of a version
    fleet = NotedFleet()
    first, _ = go(redis, fleet, 400, deadline=30.0)
    second, _ = go(redis, fleet, 4, trigger="manual:2")
    asked = fleet.count
    assert asked > 1

    # When the first ends, nothing is lowered; when the second ends too, all go
    finish(redis, first.wave)
    assert let_go(redis, fleet) is None
    assert fleet.count == asked
    finish(redis, second.wave)
    assert let_go(redis, fleet) == 0

    # Then nobody asks again
    fleet.asked.clear()
    assert let_go(redis, fleet) is None
    assert fleet.asked == []


def test_a_floor_stays(redis: "Redis") -> None:
    fleet = NotedFleet()
    launched, _ = go(redis, fleet, 1000, deadline=30.0, workers="2..50")
    finish(redis, launched.wave)

    assert let_go(redis, fleet) == 2
    assert fleet.count == 2


def test_a_fleet_that_nobody_asked_for_is_left_alone(redis: "Redis") -> None:
    fleet = NotedFleet(count=7)

    assert let_go(redis, fleet) is None
    assert fleet.count == 7


def test_a_wave_that_still_runs_or_is_claimed_keeps_its_workers(redis: "Redis") -> None:
    fleet = NotedFleet()
    launched, _ = go(redis, fleet, 2)
    claimed = claim(redis, launched.wave, 2)
    for task in range(2):
        step(redis, launched.wave, claimed, task, P, R, F)

    assert let_go(redis, fleet) is None
    end(redis, launched.wave, claimed)
    assert let_go(redis, fleet) == 0


def test_an_init_that_has_asked_and_not_queued_yet_keeps_its_workers(redis: "Redis") -> None:
    # Given an init between its workers and its queue
    fleet, told = NotedFleet(), []

    def staff(draft: Wave) -> Wave:
        draft = Staffing(redis, fleet, PLAN)(draft)
        told.append(let_go(redis, fleet))
        return draft

    launch(redis, PLAN, version="main", date=DATE, trigger="manual:1", by="tests", entities=["e"], staff=staff)

    # Then the last finisher of the wave before lets them be
    assert told == [None]
    assert fleet.count == 1


def test_an_init_that_died_before_it_queued_keeps_workers_for_two_minutes_only(redis: "Redis") -> None:
    fleet = NotedFleet()
    Staffing(redis, fleet, PLAN)(go(redis, NotedFleet(version="other"), trigger="manual:x")[0].wave)
    finish(redis, Waves(redis).recent()[0].wave)
    redis.hset(version_key("main", "wanted"), mapping={"wave": "w000000000000"})
    assert let_go(redis, fleet) is None

    # When its time is over
    redis.hset(version_key("main", "wanted"), mapping={"until": 1})

    assert let_go(redis, fleet) == 0


def test_an_init_that_comes_while_the_fleet_is_lowered_wins(redis: "Redis", redis_url: str) -> None:
    # Given a fleet whose last wave has ended
    fleet = NotedFleet()
    launched, _ = go(redis, fleet, 400, deadline=30.0)
    finish(redis, launched.wave)
    results: list[Launched] = []
    waits = threading.Event()

    def init() -> None:
        results.append(go(redis, fleet, 400, trigger="manual:2", deadline=30.0)[0])

    racer = threading.Thread(target=init)

    def meanwhile(count: int) -> None:
        if count == 0:  # the lowering is on its way, and an init asks for workers
            racer.start()
            waits.wait(0.5)

    fleet.meanwhile = meanwhile

    # When it is lowered
    assert let_go(redis, fleet) == 0
    racer.join(20)

    # Then the init's wish came after it, and stands
    assert fleet.asked[-2:] == [0, results[0].wave.workers]
    assert fleet.count == results[0].wave.workers > 1
    told = wanted(redis, "main")
    assert told is not None and (told.workers, told.wave) == (fleet.count, results[0].wave.id)


def test_a_finisher_that_was_paused_over_its_lock_gives_back_what_it_took(redis: "Redis") -> None:
    # Given a finisher whose call took so long that its lock ran out, and an init that came meanwhile
    fleet = NotedFleet()
    launched, _ = go(redis, fleet, 400, deadline=30.0)
    finish(redis, launched.wave)
    moments = iter([0.0, 100.0])

    def meanwhile(count: int) -> None:
        if count == 0:
            fleet.meanwhile = lambda _: None
            redis.delete(version_key("main", "staffing"))
            go(redis, fleet, 400, trigger="manual:2", deadline=30.0)

    fleet.meanwhile = meanwhile

    # When it is lowered all the same
    assert let_go(redis, fleet, lambda: next(moments)) is None

    # Then the init's workers are asked for again
    told = wanted(redis, "main")
    assert told is not None and fleet.count == told.workers > 1


def test_only_one_at_a_time_asks(redis: "Redis") -> None:
    with staffing(redis, "main") as first, staffing(redis, "main") as second, staffing(redis, "other") as third:
        assert (first, second, third) == (True, False, True)
    with staffing(redis, "main") as again:
        assert again
        assert 0 < redis.pttl(version_key("main", "staffing")) <= 90_000
    eventually(lambda: not redis.exists(version_key("main", "staffing")))


def test_a_lock_that_is_somebody_else_s_by_now_is_not_given_up(redis: "Redis") -> None:
    key = version_key("main", "staffing")
    with staffing(redis, "main"):
        redis.set(key, "another")

    assert redis.get(key) == b"another"
