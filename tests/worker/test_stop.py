"""The ways a worker, or a wave, is stopped: nothing starts afterwards, nothing is lost, and the board says what happened."""

import os
import signal
import subprocess

import pytest
from rig import DATE, WAIT_FOR, Rig
from servers import eventually, is_running

from engine.cancel import cancel
from engine.errors import Refused
from engine.store.workers import Workers

GATE = (
    WAIT_FOR
    + """
@flow.task
def first(entity):
    say("first " + entity)
    return entity

@flow.task
def gated(first):
    say("gated " + first)
    Path("begun-" + first).touch()
    if Path("gate").exists():
        while Path("gate").exists():
            time.sleep(0.005)
    return first

@flow.task
def last(gated):
    say("last " + gated)
    return gated
"""
)


def leases(rig: Rig, wave: object) -> int:
    return int(rig.redis.zcard(wave.key("leases")))  # type: ignore[attr-defined]


def test_cancelling_in_mid_wave_kills_what_runs_and_starts_nothing_more(rig: Rig) -> None:
    # Given two slots in the middle of their first entities
    flow = rig.flow(GATE)
    rig.touch("gate")
    wave = rig.launch(flow, *[f"e{i:02}" for i in range(40)])
    worker = rig.start("--until-idle", "--slots", "2")
    eventually(lambda: sum("gated" in line for line in rig.runs()) >= 2, 30, what="both slots are in a task")
    slots = rig.slots_of(worker)

    # When
    done = cancel(rig.redis, wave, by="ada")
    ran = rig.runs()

    # Then
    assert done.cells > 0
    rig.ended(wave)
    assert worker.wait(30) == 0
    assert rig.runs() == ran
    assert not any(map(is_running, slots))
    rows = set(rig.rows(wave).values())
    assert rows <= {"CCC", "FCC"}
    assert "FCC" in rows
    with pytest.raises(Refused):
        cancel(rig.redis, wave, by="ada")


def test_cancelling_leaves_other_waves_alone(rig: Rig) -> None:
    flow = rig.flow(GATE)
    other = rig.launch(flow, "other", date=DATE.shift(1))
    rig.touch("gate")
    wave = rig.launch(flow, "mine", trigger="manual:2")
    worker = rig.start("--until-idle", "--slots", "2")
    rig.awaits("begun-mine")
    rig.awaits("begun-other")

    cancel(rig.redis, wave, by="ada")
    rig.ended(wave)
    (rig.folder / "gate").unlink()

    assert worker.wait(30) == 0
    assert rig.rows(wave) == {"mine": "FCC"}
    assert rig.rows(other) == {"other": "FFF"}


def test_a_wave_past_its_deadline_is_cancelled_by_who_would_serve_it(rig: Rig) -> None:
    flow = rig.flow(GATE)
    wave = rig.launch(flow, "a", "b", deadline=1e-9)

    rig.run()

    assert rig.rows(wave) == {"a": "CCC", "b": "CCC"}
    assert rig.runs() == []
    assert rig.progress(wave).wave.cancelled == "overdue"


def test_sigterm_lets_the_running_task_finish_and_gives_back_the_rest(rig: Rig) -> None:
    # Given
    flow = rig.flow(GATE)
    rig.touch("gate")
    entities = [f"e{i:02}" for i in range(30)]
    wave = rig.launch(flow, *entities)
    worker = rig.start("--slots", "2")
    eventually(lambda: sum("gated" in line for line in rig.runs()) >= 2, 30, what="both slots are in a task")

    # When
    worker.send_signal(signal.SIGTERM)
    eventually(lambda: all(w.draining for w in Workers(rig.redis).alive("main")), 10, what="it says that it drains")
    (rig.folder / "gate").unlink()

    # Then it leaves nothing behind
    assert worker.wait(30) == 0
    assert leases(rig, wave) == 0
    assert Workers(rig.redis).alive("main") == []
    assert sum("gated" in line for line in rig.runs()) == 2
    assert sum(row[1] == "F" for row in rig.rows(wave).values()) == 2
    assert not any("R" in row for row in rig.rows(wave).values())

    # And the next worker serves the rest, once
    rig.run(slots=2)
    assert set(rig.rows(wave).values()) == {"FFF"}
    assert sorted(rig.runs()) == sorted(f"{t} {e}" for t in ("first", "gated", "last") for e in entities)


def test_sigterm_again_and_again_loses_nothing(rig: Rig) -> None:
    """Workers that are stopped at any moment: no lease is left to run out, so the next needs no patience."""
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def a(entity):
    time.sleep(0.001)
    say(entity)
    return entity

@flow.task
def b(a):
    time.sleep(0.001)
    return a
"""
    )
    entities = [f"e{i:03}" for i in range(600)]
    wave = rig.launch(flow, *entities)
    done = 0

    for _ in range(2):
        worker = rig.start("--slots", "2")
        at = done
        eventually(lambda at=at: len(rig.runs()) >= min(at + 40, 600), 30, what="it works")  # type: ignore[misc]
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
        assert leases(rig, wave) == 0
        done = len(rig.runs())
    rig.run(slots=2)

    assert set(rig.rows(wave).values()) == {"FF"}
    assert sorted(rig.runs()) == entities


def test_sigterm_before_the_slots_have_settled_ends_them_as_well(rig: Rig) -> None:
    rig.flow("""
        import signal

        @flow.warm
        def warm():
            os.kill(os.getpid(), signal.SIGTERM)

        @flow.task
        def only(entity):
            return entity
    """)

    worker = rig.start("--slots", "2")

    try:
        assert worker.wait(10) == 0
    except subprocess.TimeoutExpired:
        pytest.fail("its slots never heard that they are to stop")


def test_a_task_that_outlasts_the_stop_timeout_is_stopped_and_says_so(rig: Rig) -> None:
    flow = rig.flow(GATE)
    rig.touch("gate")
    wave = rig.launch(flow, "e", "f")
    worker = rig.start("--slots", "1", "--stop-timeout", "0.2")
    rig.awaits("begun-e")

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(30) == 0
    assert leases(rig, wave) == 0
    assert rig.row(wave, "e") == "FXP"
    assert rig.error(wave, "gated").startswith("WorkerStopped: ")


def test_a_second_sigterm_ends_what_runs_at_once(rig: Rig) -> None:
    # Given a worker that has been told to stop and has minutes for it
    flow = rig.flow(GATE)
    rig.touch("gate")
    wave = rig.launch(flow, "e", "f")
    worker = rig.start("--slots", "1", "--stop-timeout", "600")
    rig.awaits("begun-e")
    worker.send_signal(signal.SIGTERM)
    eventually(lambda: "drains" in rig.logs(), 30, what="it has heard that")

    # When
    worker.send_signal(signal.SIGTERM)

    # Then
    assert worker.wait(30) == 0
    assert leases(rig, wave) == 0
    assert rig.row(wave, "e") == "FXP"
    assert rig.error(wave, "gated").startswith("WorkerStopped: ")


def test_a_slot_that_is_killed_when_idle_is_replaced(rig: Rig) -> None:
    flow = rig.flow(GATE)
    worker = rig.start("--slots", "1")
    eventually(lambda: Workers(rig.redis).alive("main"), 30, what="it is there")
    [slot] = eventually(lambda: rig.slots_of(worker), 30, what="its slot is there")

    os.kill(slot, signal.SIGKILL)
    eventually(lambda: rig.slots_of(worker) not in ([], [slot]), 30, what="another slot is there")
    wave = rig.launch(flow, "e")

    rig.ended(wave)
    assert rig.row(wave) == "FFF"


def test_slots_end_with_their_worker(rig: Rig) -> None:
    rig.flow(GATE)
    worker = rig.start("--slots", "2")
    slots = eventually(lambda: [s for s in [rig.slots_of(worker)] if len(s) == 2], 30, what="its slots are there")[0]

    worker.kill()
    worker.wait(20)

    eventually(lambda: not any(map(is_running, slots)), 10, what="no slot is left")


def test_a_slot_that_dies_over_a_wave_that_has_expired_does_not_hold_its_worker(rig: Rig) -> None:
    # Given a slot in the middle of a task, of which its watcher knows
    flow = rig.flow(GATE)
    rig.touch("gate")
    wave = rig.launch(flow, "e")
    worker = rig.start("--slots", "1", "--until-idle")
    rig.awaits("begun-e")
    eventually(lambda: [w for w in Workers(rig.redis).alive("main") if w.slots[0].task == "gated"], 30, what="it says so")
    [slot] = rig.slots_of(worker)

    # When
    rig.redis.delete(*rig.redis.scan_iter(f"*{wave.id}*"))
    os.kill(slot, signal.SIGKILL)

    # Then
    try:
        assert worker.wait(10) == 0
    except subprocess.TimeoutExpired:
        pytest.fail("it tries to bury what is gone, for ever")
