"""A date is fired once; an earlier wave holds it back, is waited for, or gives way; what comes too late is left out for good."""

import time
from typing import Any

import pytest
from redis import Redis

from engine.errors import Refused
from engine.firing import Firing, fire, note_missed, trigger_of
from engine.plan import Input, Plan, TaskPlan
from engine.schedule import Overlap, Schedule
from engine.store.acts import Acts
from engine.store.schedules import Fired, Schedules
from engine.store.wave import Wave
from engine.store.waves import Waves

HOUR = 3600.0
PLAN = Plan("shop", (TaskPlan("a"), TaskPlan("b", (Input("a"),))), state="shops", active=HOUR)
SPEC = Schedule("shop", "main", every=HOUR)


def this_hour() -> float:
    return time.time() // HOUR * HOUR


def go(redis: "Redis", due: float, overlap: Overlap = "queue", **more: Any) -> Firing:
    spec = Schedule("shop", "main", every=HOUR, overlap=overlap, **{n: more.pop(n) for n in ("paused", "state") if n in more})
    Schedules(redis).put(spec)
    return fire(redis, spec, PLAN, due, source=lambda date: [("e1", "p"), ("e2", "p")], **more)


def open_waves(redis: "Redis") -> list[Wave]:
    return [p.wave for p in Waves(redis).recent() if p.wave.running and not p.wave.cancelled]


def acts(redis: "Redis") -> list[tuple[str, str, str]]:
    return [(a.verb, a.date, a.detail) for a in Acts(redis).recent()]


pytestmark = pytest.mark.every_house


def test_a_due_date_is_one_wave_however_often_it_is_fired(redis: "Redis") -> None:
    due = this_hour()

    first, second = go(redis, due), go(redis, due)

    assert (first.fired.outcome, second.fired.outcome) == ("started", "there")
    assert first.fired.wave == second.fired.wave
    [wave] = open_waves(redis)
    assert (wave.trigger, wave.by) == (trigger_of(wave.date), "schedule")
    assert wave.date.start.timestamp() == due
    last = Schedules(redis).last("main", "shop")
    assert last is not None and (last.outcome, last.due) == ("started", due)


def test_the_deadline_counts_from_when_it_was_due(redis: "Redis") -> None:
    due = this_hour()

    wave = go(redis, due).launched

    assert wave is not None
    assert abs(wave.wave.deadline / 1000 - (due + HOUR)) < 2


def test_queue_lets_both_run(redis: "Redis") -> None:
    go(redis, this_hour() - HOUR, by_hand=True)

    assert go(redis, this_hour(), "queue").fired.outcome == "started"
    assert len(open_waves(redis)) == 2


def test_skip_leaves_the_later_one_out_for_good_and_says_so(redis: "Redis") -> None:
    # Given a wave that has not ended
    before = go(redis, this_hour() - HOUR, by_hand=True).launched
    assert before is not None

    # When the next is due
    told = go(redis, this_hour(), "skip").fired

    # Then it is left out, and that is in the log of acts
    date = SPEC.date(this_hour(), hourly=True)
    assert (told.outcome, told.wave) == ("skipped", before.wave.id)
    assert told.detail == f"the wave before, {before.wave.locator}, has not ended"
    assert acts(redis)[0] == ("skip", str(date), told.detail)
    assert [w.id for w in open_waves(redis)] == [before.wave.id]

    # And it stays so when the firing is repeated after that wave has ended
    Waves(redis).cancel(before.wave, "x", "y")
    again = go(redis, this_hour(), "skip").fired
    assert again.outcome == "skipped"
    assert [verb for verb, _, _ in acts(redis)].count("skip") == 1
    assert open_waves(redis) == []


def test_replace_ends_the_earlier_one_when_the_new_one_is_queued(redis: "Redis") -> None:
    before = go(redis, this_hour() - HOUR, by_hand=True).launched

    new = go(redis, this_hour(), "replace").launched

    assert before is not None and new is not None
    old = Waves(redis).find(before.wave.id)
    assert old is not None and (old.cancelled, old.cancelled_by) == (f"replaced by the wave of {new.wave.date}", "schedule")
    assert [w.id for w in open_waves(redis)] == [new.wave.id]
    assert [verb for verb, _, _ in acts(redis)] == ["cancel", "schedule", "schedule"]


def test_a_replacement_that_init_refuses_ends_nothing(redis: "Redis") -> None:
    go(redis, this_hour() - HOUR, by_hand=True)
    redis.delete("wd:state:{shops}:partitions", "wd:state:{shops}:in:p")
    spec = Schedule("shop", "main", every=HOUR, overlap="replace")

    with pytest.raises(Refused, match="has no entity active"):
        fire(redis, spec, PLAN, this_hour(), source=lambda date: [])

    assert len(open_waves(redis)) == 1
    last = Schedules(redis).last("main", "shop")
    assert last is not None and last.outcome == "refused" and "has no entity active" in last.detail


@pytest.mark.parametrize("overlap", ["skip", "replace"])
def test_a_late_firing_gives_way_to_a_later_wave(redis: "Redis", overlap: Overlap) -> None:
    later = go(redis, this_hour() + HOUR, by_hand=True).launched

    told = go(redis, this_hour(), overlap).fired

    assert later is not None
    assert (told.outcome, told.wave) == ("skipped", later.wave.id)
    assert told.detail.startswith("a later wave, ")
    assert len(open_waves(redis)) == 1


def test_waves_that_people_started_hold_nothing_back(redis: "Redis") -> None:
    from engine.launch import launch

    launch(
        redis,
        PLAN,
        version="main",
        date=SPEC.date(this_hour() - HOUR, hourly=True),
        trigger="manual:1",
        by="ada",
        entities=["e"],
    )

    assert go(redis, this_hour(), "skip").fired.outcome == "started"


def test_one_that_comes_when_the_next_is_due_is_left_out(redis: "Redis") -> None:
    due = this_hour() - HOUR

    told = go(redis, due).fired

    assert told.outcome == "missed"
    assert told.detail.endswith("min late, when the next was due already")
    assert open_waves(redis) == []
    assert go(redis, due).fired == told  # EventBridge tries again
    assert [verb for verb, _, _ in acts(redis)] == ["skip"]


def test_a_schedule_that_pauses_fires_nothing_but_by_hand(redis: "Redis") -> None:
    due = this_hour()

    assert go(redis, due, paused=True).fired.outcome == "paused"
    assert go(redis, due, paused=True, by_hand=True).fired.outcome == "started"


def test_what_was_missed_is_said_once(redis: "Redis") -> None:
    dues = [this_hour() - n * HOUR for n in (3, 2, 1)]

    first, second = note_missed(redis, SPEC, dues, hourly=True), note_missed(redis, SPEC, dues, hourly=True)

    dates = [str(SPEC.date(due, hourly=True)) for due in dues]
    assert ([fired.date for fired in first], second) == (dates, [])
    assert acts(redis) == [("skip", dates[-1], f"nobody was there to fire it, nor 2 before it since {dates[0]}")]


def test_an_older_firing_is_not_kept_as_the_last(redis: "Redis") -> None:
    go(redis, this_hour())

    Schedules(redis).note(Fired("shop", "main", this_hour() - HOUR, "x", "missed"))

    last = Schedules(redis).last("main", "shop")
    assert last is not None and last.outcome == "started"


def test_another_state_is_another_schedule_s(redis: "Redis") -> None:
    go(redis, this_hour() - HOUR, by_hand=True)
    told = go(redis, this_hour(), "skip", state="airports").fired

    assert told.outcome == "started"
