"""After its deadline nothing of a wave starts, whoever is alive; what runs may end."""

import math
import signal

import pytest
from redis import Redis
from rig import DATE, WAIT_FOR, Rig
from servers import eventually

from engine import Flow
from engine.cancel import cancel
from engine.launch import launch
from engine.store.wave import OVERDUE, Wave
from engine.store.waves import Waves

GATE = (
    WAIT_FOR
    + """
@flow.task
def first(entity):
    say(f"first {entity}")
    Path("begun").touch()
    wait_for("gate")
    return 1

@flow.task
def last(first):
    say("last")
    return 2
"""
)


def pass_deadline(redis: Redis, wave: Wave) -> None:
    redis.hset(wave.key("wave"), "deadline", 1)


def reason(rig: Rig, wave: Wave) -> str:
    return rig.progress(wave).wave.cancelled


@pytest.mark.parametrize(
    ("flow", "given", "seconds"),
    [
        (Flow("shop", every="2h"), None, 7200),
        (Flow("shop", every="2h", deadline="30m"), None, 1800),
        (Flow("shop", every="2h", deadline="30m"), 60.0, 60),
        (Flow("shop", every="2h"), math.inf, None),
    ],
)
def test_a_wave_has_a_deadline(redis: Redis, flow: Flow, given: float | None, seconds: float | None) -> None:
    flow.command("true", ["true"])

    wave = launch(
        redis, flow.plan, version="main", date=DATE, trigger="manual:1", by="tests", entities=["e"], deadline=given
    ).wave

    stored = Waves(redis).progress(wave).wave
    assert stored.deadline == (wave.created + seconds * 1000 if seconds else 0)


def test_what_runs_at_the_deadline_may_end_and_nothing_else_starts(rig: Rig) -> None:
    # Given a batch whose first entity is in its first task
    wave = rig.launch(rig.flow(GATE), *[f"e{i}" for i in range(40)])
    worker = rig.start("--slots", "1", "--until-idle")
    rig.awaits("begun")

    # When
    pass_deadline(rig.redis, wave)
    eventually(lambda: reason(rig, wave) == OVERDUE, 10, what="the worker has noticed while its slot is busy")
    rig.touch("gate")

    # Then
    assert worker.wait(30) == 0, rig.logs()
    assert rig.runs() == ["first e0"]
    rows = rig.rows(wave)
    assert rows.pop("e0") == "FC"
    assert set(rows.values()) == {"CC"}
    assert rig.pipe("first", "e0") == 1
    assert not rig.progress(wave).wave.running


def test_a_wave_that_is_overdue_is_cancelled_all_the_same(rig: Rig) -> None:
    """What of it hangs is ended then."""
    wave = rig.launch(rig.flow(GATE))
    worker = rig.start("--slots", "1", "--until-idle")
    rig.awaits("begun")
    pass_deadline(rig.redis, wave)
    eventually(lambda: reason(rig, wave) == OVERDUE, 10, what="it is overdue")
    assert rig.row(wave) == "RP"

    cancel(rig.redis, wave, by="ana", reason="it hangs")

    assert worker.wait(30) == 0, rig.logs()
    assert rig.row(wave) == "CC"
    assert reason(rig, wave) == "it hangs"


def test_workers_end_a_wave_that_is_not_theirs_to_serve(rig: Rig) -> None:
    """Its own worker is stopped, and whoever is alive has not its flow."""
    # Given
    wave = rig.launch(rig.flow(GATE), *[f"e{i}" for i in range(4)])
    stopped = rig.start("--slots", "1", "--lease", "60")
    rig.awaits("begun")
    stopped.send_signal(signal.SIGSTOP)
    rig.flow("@flow.task\ndef other(entity): return 1")
    other = rig.folder / f"{rig.module}.py"
    other.write_text(other.read_text().replace("Flow('shop'", "Flow('other'"))

    # When
    pass_deadline(rig.redis, wave)
    rig.start("--slots", "1")

    # Then
    eventually(lambda: reason(rig, wave) == OVERDUE, 20, what=f"somebody has ended it; {rig.logs()}")
    stopped.send_signal(signal.SIGKILL)


def test_with_no_worker_alive_the_next_init_ends_what_is_overdue(rig: Rig) -> None:
    """An outage leaves no zombies."""
    flow = rig.flow(GATE)
    waves = [rig.launch(flow, "a", "b", trigger=f"schedule:{i}") for i in range(3)]
    for wave in waves[:2]:
        pass_deadline(rig.redis, wave)

    rig.launch(flow, "a", trigger="schedule:now")

    rows = [rig.rows(wave) for wave in waves]
    assert rows == [{"a": "CC", "b": "CC"}] * 2 + [{"a": "PP", "b": "PP"}]
    assert [reason(rig, wave) for wave in waves] == [OVERDUE, OVERDUE, ""]
    assert not rig.progress(waves[0]).wave.running


def test_a_held_start_is_refused_after_the_deadline_by_the_server(rig: Rig) -> None:
    """A worker that has not heard of it starts nothing either: the server script knows the clock."""
    wave = rig.launch(rig.flow(GATE), "a", "b")
    pass_deadline(rig.redis, wave)

    rig.run()

    assert rig.rows(wave) == {"a": "CC", "b": "CC"}
    assert rig.runs() == []
