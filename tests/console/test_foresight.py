"""What dialogs foresee of acts: cells, pipes, workers, time; exactly, and changing nothing."""

from pathlib import Path

import pytest
from redis import Redis
from stage import Stage, a_bad_wave, a_plan

from console.dialogs.consequences import Order, foresee, foresee_cancel, foresee_rerun
from console.dialogs.expectation import expect
from engine.errors import Refused
from engine.keys import Date
from engine.rerun import rerun
from engine.status import Cell, Status
from engine.store.catalog import Catalog
from engine.store.states import States
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers


@pytest.fixture(autouse=True)
def _at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAVEDECK_FLOWS", "no_such_module")
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))


def a_state(redis: Redis, n: int = 8) -> None:
    at = Date("2013-07-01T15").start.timestamp()
    States(redis).seen("shops", [(f"shop-{i}", "BER" if i % 2 else "ROM") for i in range(n)], at)
    Catalog(redis).publish("main", [a_plan()])


def a_worker(redis: Redis, *slots: SlotState) -> None:
    Workers(redis).beat(Worker("w-1", "main", "host", 1, 0.0, 0.0, slots=list(slots) or [SlotState(1), SlotState(2)]))


def a_good_wave(redis: Redis, date: str, took: float, n: int = 4, version: str = "main") -> Stage:
    stage = Stage(redis, [f"e{i}" for i in range(n)], date=date, version=version).claim()
    for task in stage.plan.names:
        stage.run(task, at=0.5, took=took)
    stage.end()
    return stage


def test_a_re_run_is_foreseen_to_the_cell(redis: Redis) -> None:
    stage = a_bad_wave(redis)
    a_worker(redis)

    failed = foresee_rerun(redis, stage.wave.id, None)
    everyone = foresee_rerun(redis, stage.wave.id, [0, 1, 2])

    assert failed.bad == {Status.FAILED: 1}
    assert failed.run == {"sales": 0, "weather": 1, "features": 1, "score": 1}
    assert failed.reused == {"sales": 1, "weather": 0, "features": 0, "score": 0}
    assert (failed.entities, failed.open, failed.workers, failed.slots) == (1, 0, 1, 2)
    assert everyone.bad == {Status.FAILED: 1, Status.RUNNING: 1, Status.FINISHED: 1}
    assert everyone.run == {"sales": 0, "weather": 1, "features": 1, "score": 2}
    assert everyone.open == 1


def test_what_another_wave_has_mended_since_is_reused(redis: Redis) -> None:
    """The wave's own board does not know; the pipes do."""
    stage = a_bad_wave(redis)
    mended = Stage(redis, ["south"], trigger="manual:2").claim()
    for task in ("sales", "weather"):
        mended.run(task, at=0.5, took=0.1)

    again = foresee_rerun(redis, stage.wave.id, None)

    assert again.reused == {"sales": 1, "weather": 1, "features": 0, "score": 0}
    assert again.run == {"sales": 0, "weather": 0, "features": 1, "score": 1}


def test_a_pipe_written_by_hand_is_reused(redis: Redis) -> None:
    from engine.keys import PipeKey
    from engine.store.pipes import Pipes

    stage = a_bad_wave(redis)
    Pipes(redis).put(PipeKey("main", "weather", "south", stage.wave.date), b"1", stage.wave.expire, "ada on a laptop")

    assert foresee_rerun(redis, stage.wave.id, None).reused["weather"] == 1


def test_what_a_re_run_does_is_what_was_foreseen(redis: Redis) -> None:
    stage = a_bad_wave(redis)
    again = foresee_rerun(redis, stage.wave.id, None)

    new = rerun(redis, stage.wave, by="ada").wave

    assert (new.n, new.n * len(new.tasks)) == (again.entities, sum(again.run.values()) + sum(again.reused.values()))


def test_when_nothing_failed_there_is_nothing_to_foresee(redis: Redis) -> None:
    stage = a_good_wave(redis, "2013-07-01T14", 0.1)
    with pytest.raises(Refused, match="nothing of"):
        foresee_rerun(redis, stage.wave.id, None)


def test_a_cancel_says_which_pipes_will_not_appear_and_which_slots_it_frees(redis: Redis) -> None:
    stage = a_bad_wave(redis)
    a_worker(redis, SlotState(1, wave=stage.wave.id), SlotState(2), SlotState(3, wave="w-other"))

    ending = foresee_cancel(redis, stage.wave.id)

    assert {task: n for task, n in ending.lost.items() if n} == {"score": 1}
    assert ending.slots == 1


def test_the_time_is_estimated_from_the_last_waves_and_says_from_which(redis: Redis) -> None:
    plan, cells = a_plan(), {"sales": 10, "score": 10}
    assert expect(redis, "main", plan, cells, 2) == "time unknown: first wave of this flow"
    assert expect(redis, "main", plan, {"sales": 0}, 2) == "no time: nothing has to run"

    a_good_wave(redis, "2013-07-01T10", 4.0)
    assert expect(redis, "main", plan, cells, 2) == "about 40.0 s on 2 slots (run times of the wave of 2013-07-01T10)"
    a_good_wave(redis, "2013-07-01T11", 2.0)
    assert expect(redis, "main", plan, cells, 2) == "about 30.0 s on 2 slots (run times of the last 2 waves)"
    assert expect(redis, "main", plan, cells, 0) == "1:00 of one slot's time, once there is one (run times of the last 2 waves)"
    assert expect(redis, "main", plan, cells, 1000).startswith("about 6.0 s on 1,000 slots"), "no faster than one entity's path"
    assert expect(redis, "fix", plan, cells, 2).endswith("(run times of the last 2 waves of main)")


def test_only_waves_that_ran_to_their_end_are_a_measure(redis: Redis) -> None:
    Waves(redis).cancel(Stage(redis).wave, "x", "ada")
    a_bad_wave(redis, trigger="manual:2")
    assert expect(redis, "main", a_plan(), {"sales": 1}, 2) == "time unknown: no wave of this flow has run to its end"


def test_a_trigger_is_foreseen_with_its_time(redis: Redis) -> None:
    a_state(redis)
    a_worker(redis)
    a_good_wave(redis, "2013-07-01T14", 1.0)

    outcome = foresee(redis, Order("shops", "main", "2013-07-01T15"))

    assert outcome.expected == "about 16.0 s on 2 slots (run times of the wave of 2013-07-01T14)"


def test_foreseeing_changes_nothing(redis: Redis, redis_url: str) -> None:
    from engine.store.connect import connect

    stage = a_bad_wave(redis)
    a_state(redis)
    client = connect(redis_url, read_only=True)

    foresee_rerun(client, stage.wave.id, None)
    foresee_cancel(client, stage.wave.id)
    foresee(client, Order("shops", "main", "2013-07-01T15"))


def test_a_cell_that_ran_is_what_counts(redis: Redis) -> None:
    """Reused cells took no time, and say nothing of it."""
    stage = Stage(redis, ["a", "b"], date="2013-07-01T10").claim()
    stage.run("sales", at=0.5, took=3.0, entities=[0])
    stage.step("sales", Cell.PENDING, Cell.REUSED, [1])
    for task in ("weather", "features", "score"):
        stage.run(task, at=4.0, took=0.1)
    stage.end()
    assert expect(redis, "main", a_plan(), {"sales": 2}, 1).startswith("about 6.0 s on 1 slot (")
