"""Why something is pending: the pure core for every reason there is, and what is read for it from a real Redis."""

import time
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis
from stage import Stage, a_bad_wave, a_plan

from console.reports.why import Facts, Kind, Reason, facts, reasons, span_words, why
from engine import Flow
from engine.cancel import cancel
from engine.status import Cell
from engine.store.claims import claim_command, holds_of, read_claim, release, trip
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers
from worker.slot import Settings
from worker.watcher import Watcher

PLAN = a_plan()
AT = 1_000_000.0
PENDING = b"PPPP"


def a_worker(name: str = "w-07", **more: Any) -> Worker:
    return Worker(name, more.pop("version", "main"), "box", 1, time.time() - 60, more.pop("beat", time.time()), **more)


def known(cells: bytes = PENDING, **more: Any) -> Facts:
    """An entity that waits in the queue while a worker is alive, but for `more`."""
    starts = more.pop("starts", (0.0, 0.0, 0.0, 0.0))
    more.setdefault("workers", (a_worker(flows=["shops"]),))
    return Facts(AT, "shops", "main", cells, starts, **more)


def held(cells: bytes, **more: Any) -> Facts:
    """An entity that a worker holds of which was heard a second ago, but for `more`."""
    more.setdefault("holder_heard", AT - 1)
    return known(cells, holder="w-07", lease=AT + 9.5, **more)


@pytest.mark.parametrize(
    ("before", "waves", "text"),
    [
        (1204, (2, 3400), "queued: 1,204 entities before it in this wave, 2 waves of main before this one (3,400 to claim)"),
        (1, (1, 7), "queued: 1 entity before it in this wave, 1 wave of main before this one (7 to claim)"),
        (0, (0, 0), "queued: it is next in this wave"),
    ],
)
def test_queued_says_how_many_are_before_it(before: int, waves: tuple[int, int], text: str) -> None:
    found = reasons(PLAN, known(before=before, waves=waves))
    assert found.entity == Reason("queued", text)
    assert set(found.tasks) == set(PLAN.names) and set(found.tasks.values()) == {found.entity}


def test_a_task_says_what_it_waits_for_since_when_and_when_its_patience_ends() -> None:
    # sales finished after 1 s; weather has run for 3 s; the first task began 48 s ago, and features waits for 60 s
    found = reasons(PLAN, held(b"FRPP", starts=(AT - 48, AT - 3.2, 0.0, 0.0)))
    assert found.tasks["features"].text == "waits for weather, runs 3 s already; its patience ends in 12 s"
    assert found.tasks["features"].left == pytest.approx(12) and found.tasks["features"].on == ("weather",)
    assert found.tasks["score"].text == "waits for features, which waits for weather; its patience ends in 12 s"
    assert found.entity.text == "weather runs 3 s already on w-07"


def test_several_inputs_are_told_each_and_patience_that_has_ended_is_said() -> None:
    found = reasons(PLAN, held(b"RPPP", starts=(AT - 61, 0.0, 0.0, 0.0))).tasks["features"]
    assert found.text == (
        "waits for sales (runs 1 min already), weather (which has not begun); its patience has ended, it runs next with what there is"
    )
    assert found.left == 0


def test_patience_begins_with_the_first_task() -> None:
    text = reasons(PLAN, held(PENDING)).tasks["features"].text
    assert text.endswith("its patience (1 min) begins with the first task")


def test_of_an_entity_that_was_taken_up_again_only_what_runs_now_has_begun() -> None:
    cells, starts = b"FRPP", (AT - 55, AT - 10, 0.0, 0.0)
    assert reasons(PLAN, held(cells, starts=starts)).tasks["features"].left == pytest.approx(5)
    assert reasons(PLAN, held(cells, starts=starts, resumed=True)).tasks["features"].left == pytest.approx(50)


def test_a_worker_that_falls_silent_is_named_with_its_lease() -> None:
    found = reasons(PLAN, held(PENDING, holder_heard=AT - 20))
    assert found.entity.text == "held by worker w-07, whose lease ends in 9 s; w-07 was heard 20 s ago"
    assert found.entity.left == pytest.approx(9.5)
    assert found.tasks["sales"] == found.entity
    assert reasons(PLAN, held(PENDING)).tasks["sales"].text == "held by worker w-07, which runs others of its batch first"


@pytest.mark.parametrize(
    ("more", "kind", "text"),
    [
        ({"workers": (), "heard": AT - 180}, "no worker", "no worker of main is alive (last heard 3 min ago)"),
        ({"workers": ()}, "no worker", "no worker of main is alive (none was heard for a day)"),
        (
            {"workers": (a_worker(flows=["other"]), a_worker("w-08", flows=["more"]))},
            "no flow",
            "workers of main are alive but do not have this flow (shops)",
        ),
        ({"workers": (a_worker(draining=True),)}, "stopping", "all workers of main that are alive are stopping"),
        ({"cancelled": "ana@desk"}, "cancelled", "the wave is cancelled (ana@desk)"),
        ({"deadline": AT - 70}, "overdue", "the wave's deadline passed 1 min ago: nothing of it starts any more"),
        (
            {"holder": "w-07", "lease": AT - 3},
            "lost",
            "w-07 fell silent, its lease ended 3 s ago: the next worker that is free takes it up",
        ),
        ({}, "queued", "it changes hands: nobody holds it at this moment"),
    ],
)
def test_what_keeps_a_whole_entity(more: dict[str, Any], kind: Kind, text: str) -> None:
    found = reasons(PLAN, known(**more)).entity
    assert (found.kind, found.text) == (kind, text)


def test_workers_that_do_not_say_what_they_have_may_have_the_flow() -> None:
    silent = known(before=3, workers=(a_worker(), a_worker("w-08", flows=["other"])))
    assert reasons(PLAN, silent).entity.kind == "queued"
    assert reasons(PLAN, replace(silent, workers=(a_worker("w-08", flows=["other"]),))).entity.kind == "no flow"


def test_a_cancelled_wave_that_is_still_held_says_by_whom() -> None:
    text = reasons(PLAN, held(b"FRPP", cancelled="enough", starts=(1.0, AT - 2, 0.0, 0.0))).entity.text
    assert text == "the wave is cancelled (enough); w-07 still holds it, its lease ends in 9 s"


def test_what_has_ended_has_no_reason() -> None:
    assert reasons(PLAN, known(b"FXBB")).entity == Reason() and not reasons(PLAN, known(b"FXBB")).tasks


def test_times_are_said_without_parts_of_seconds() -> None:
    assert [span_words(s) for s in (-2, 0.9, 59.9, 60, 3599, 7200, 200_000)] == [
        "0 s", "0 s", "59 s", "1 min", "59 min", "2 h", "2 days",
    ]  # fmt: skip


# what is read


def claim(redis: Redis, wave: Wave, want: int, worker: str = "w-07") -> Any:
    return read_claim(wave, trip(redis, [claim_command(wave, want, worker, lease=600)])[0])


def test_the_place_in_the_queue_follows_the_order_of_claims(redis: Redis) -> None:
    # Given two waves, of the first of which two entities are claimed, and one of these is given back
    names = [f"shop-{n}" for n in range(10)]
    first, second = Stage(redis, names, date="2013-07-01T13").wave, Stage(redis, names).wave
    Workers(redis).beat(a_worker(slots=[SlotState(1)]))
    claimed = claim(redis, first, 2)
    release(redis, first, holds_of([1], [claimed.records[1]]))

    # Then who was given back goes before who was never claimed
    assert facts(redis, first, 1).before == 0
    assert facts(redis, first, 2).before == 1
    assert facts(redis, first, 9).before == 8
    assert why(redis, first, 9).text == "queued: 8 entities before it in this wave"
    held_one = facts(redis, first, 0)
    assert held_one.before is None and held_one.holder == "w-07" and held_one.lease is not None
    assert held_one.lease - held_one.at == pytest.approx(600, abs=5)

    # And the second wave comes after what is left of the first
    assert facts(redis, second, 0).waves == (1, 9)
    assert why(redis, second, 0).text == ("queued: it is next in this wave, 1 wave of main before this one (9 to claim)")


def test_a_wave_before_with_nothing_to_claim_does_not_stand_in_the_way(redis: Redis) -> None:
    Workers(redis).beat(a_worker())
    first, second = Stage(redis, date="2013-07-01T13"), Stage(redis)
    first.claim()
    assert facts(redis, second.wave, 0).waves == (0, 0)


def test_who_holds_it_and_when_it_was_heard_are_read(redis: Redis) -> None:
    stage = a_bad_wave(redis)
    assert why(redis, stage.wave, 2).text.startswith("held by worker w-07, whose lease ends in 9 min; w-07 was not heard")
    Workers(redis).beat(a_worker(beat=time.time() - 20))
    told = facts(redis, stage.wave, 2)
    assert told.holder_heard is not None and told.at - told.holder_heard == pytest.approx(20, abs=5)
    Workers(redis).beat(a_worker())
    found = why(redis, stage.wave, 2)
    assert found.kind == "runs" and found.text.startswith("score runs ") and found.text.endswith(" on w-07")
    assert [t.kind for t in found.tasks] == ["", "", "", "runs"]


def test_nobody_alive_and_a_flow_that_nobody_has_are_read(redis: Redis) -> None:
    wave = Stage(redis).wave
    assert why(redis, wave, 0).text == "no worker of main is alive (none was heard for a day)"
    Workers(redis).beat(a_worker(flows=["other"]))
    assert why(redis, wave, 0).text == "workers of main are alive but do not have this flow (shops)"
    Workers(redis).beat(a_worker("w-08", flows=["shops", "other"]))
    assert why(redis, wave, 0).kind == "queued"
    redis.delete("wd:{main}:worker:w-07", "wd:{main}:worker:w-08")
    assert why(redis, wave, 0).text.startswith("no worker of main is alive (last heard ")


def test_a_worker_says_which_flows_it_has(redis_url: str) -> None:
    watcher = Watcher(Settings(redis_url, "main", "w-07", 1, 15.0), {"shops": Flow("shops"), "more": Flow("more")})
    assert watcher._worker().flows == ["more", "shops"]


def test_a_cancelled_wave_says_so_of_what_is_still_held(redis: Redis) -> None:
    stage = Stage(redis).claim()
    stage.step("sales", Cell.PENDING, Cell.RUNNING, at=0.1)
    cancel(redis, stage.wave, reason="enough", by="ana")
    assert why(redis, Waves(redis).get(stage.wave.id), 0).text.startswith("the wave is cancelled (enough); w-07 still holds it")


def test_patience_by_the_times_on_the_board(redis: Redis) -> None:
    stage = Stage(redis).claim()
    Workers(redis).beat(a_worker())
    since = facts(redis, stage.wave, 0).at - stage.wave.created / 1000
    stage.step("sales", Cell.PENDING, Cell.RUNNING, at=max(since, 0.001))
    found = why(redis, stage.wave, 0).tasks[2]
    assert found.on == ("sales", "weather") and found.left == pytest.approx(60, abs=5)
