"""A slot in this process: moments that no signal hits on purpose."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rig import Rig

from engine.flow import Flow
from engine.store import claims
from engine.store.wave import Wave
from engine.store.waves import Waves
from worker.holding import GIVEN_BACK
from worker.output import Output
from worker.pipeline import Pipeline
from worker.shared import Board
from worker.slot import Settings, Slot

TWO = """
@flow.task
def a(entity):
    return entity

@flow.task
def b(a):
    return a
"""


@pytest.fixture
def flow(rig: Rig) -> Flow:
    return rig.flow(TWO)


@pytest.fixture
def slot(rig: Rig, flow: Flow) -> Iterator[Slot]:
    slot = Slot(
        Settings(rig.url_for("main"), "main", "in-process", 1, 60.0, until_idle=True), {flow.name: flow}, Board(), Output()
    )
    yield slot
    slot.shell.close()
    slot.redis.close()


def leases(rig: Rig, wave: Wave) -> int:
    return int(rig.redis.zcard(wave.key("leases")))


def test_it_serves_a_wave_to_its_end_and_takes_it_off_the_queue(rig: Rig, flow: Flow, slot: Slot) -> None:
    wave = rig.launch(flow, *[f"e{i}" for i in range(50)])

    assert slot._round()
    assert not slot._round()

    assert set(rig.rows(wave).values()) == {"FF"}
    assert slot._idle()
    assert slot.board.held() == []
    assert slot.board.served == 50


def test_what_it_claims_in_the_moment_it_is_told_to_stop_is_given_back(
    rig: Rig, flow: Flow, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim of the next batch travels with the end of the last one."""
    wave = rig.launch(flow, *[f"e{i}" for i in range(10)])
    take_in = Pipeline._take_in
    claims: list[Any] = []

    def taken_in(pipeline: Pipeline, reply: Any) -> None:
        claims.append(reply)
        take_in(pipeline, reply)
        slot.draining = len(claims) >= 2

    monkeypatch.setattr(Pipeline, "_take_in", taken_in)
    slot._round()

    assert len(claims) >= 2
    assert leases(rig, wave) == 0
    assert rig.rows(wave)["e0"] == "FF"


def test_a_wave_whose_end_was_not_taken_off_the_queue_is_by_whoever_comes_next(
    rig: Rig, flow: Flow, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies between the last transition and the queue; until then no worker that waits for idleness could leave."""
    wave = rig.launch(flow, "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(Waves, "dequeue", lambda *_: None)
        slot._round()
    assert not rig.progress(wave).wave.running

    slot._round()

    assert slot._idle()


def test_a_wave_that_is_gone_is_taken_off_the_queue(rig: Rig, flow: Flow, slot: Slot) -> None:
    wave = rig.launch(flow, "a", "b")
    rig.redis.delete(*rig.redis.scan_iter(f"*{wave.id}*"))

    assert not slot._round()
    assert slot._idle()


def test_urgent_waves_go_before_the_rest_of_one_that_is_under_way(
    rig: Rig, flow: Flow, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    regular = rig.launch(flow, *[f"e{i}" for i in range(200)], trigger="schedule:1")
    order: list[str] = []
    serve = Pipeline._serve

    def served(pipeline: Pipeline, taken: Any) -> Any:
        order.append(taken.claimed.wave.id)
        if len(order) == 2:
            rig.launch(flow, *[f"e{i}" for i in range(5)], date=regular.date.shift(1))
        return serve(pipeline, taken)

    monkeypatch.setattr(Pipeline, "_serve", served)
    while slot._round():
        pass

    first_urgent = next(i for i, wave in enumerate(order) if wave != regular.id)
    assert first_urgent <= 4
    assert order[-1] == regular.id
    assert {w.wave.running for w in Waves(rig.redis).recent()} == {False}


def test_a_flow_that_this_code_does_not_have_is_left_to_others(rig: Rig, flow: Flow, slot: Slot) -> None:
    slot.flows = {}
    wave = rig.launch(flow)

    assert not slot._round()

    assert rig.row(wave) == "PP"
    assert leases(rig, wave) == 0
    assert slot._idle()


def test_a_task_that_this_code_does_not_have_fails_its_cells_and_says_so(rig: Rig, flow: Flow, slot: Slot) -> None:
    older = Flow(flow.name)
    older.task(flow.functions["b"])
    slot.flows = {flow.name: older}
    wave = rig.launch(flow)

    slot._round()

    assert rig.row(wave) == "XB"
    assert "has no task 'a'" in rig.error(wave, "a")


def test_what_it_runs_is_told_to_the_watcher_though_others_hold_it(
    rig: Rig, flow: Flow, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watcher ends a cell that others hold by now. It asks about what it is told of."""
    rig.launch(flow, "e")
    enter, told = slot.board.enter, []

    def entered(*args: Any) -> None:
        assert slot._batch is not None
        slot._batch.place[0] = GIVEN_BACK  # as when the slot has heard of it first
        slot.publish_holds()
        told.append([(first, many) for held in slot.board.held() for first, many, _ in held.holds])
        enter(*args)

    monkeypatch.setattr(slot.board, "enter", entered)
    slot._round()

    assert told == [[(0, 1)]]
    assert slot.board.held() == []


def test_a_shell_that_died_is_replaced(rig: Rig, flow: Flow, slot: Slot) -> None:
    slot.shell._process.kill()
    wave = rig.launch(flow)

    slot._round()

    assert rig.row(wave) == "FF"


def test_another_writer_s_value_is_what_dependants_are_given(rig: Rig, flow: Flow, slot: Slot) -> None:
    wave = rig.launch(flow, "e", "f")
    rig.redis.set("main/a e 2013-07-01T14", '"other"')

    slot._round()

    assert rig.rows(wave) == {"e": "XF", "f": "FF"}
    assert (rig.pipe("b", "e"), rig.pipe("b", "f")) == ("other", "f")


def test_a_value_that_the_server_has_no_room_for_fails_its_cell_and_blocks_its_dependants(
    rig: Rig, flow: Flow, slot: Slot, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redis.exceptions import OutOfMemoryError

    send = claims.begin_trip

    def begin_trip(redis: Any, commands: Any, then: Any = ()) -> Callable[[], list[Any]]:
        full = [i for i, c in enumerate(commands) if c[0] == "SET" and c[1] == "main/a e 2013-07-01T14"]
        replies = send(redis, [c if i not in full else ("PING",) for i, c in enumerate(commands)], then)
        return lambda: [OutOfMemoryError("no room") if i in full else r for i, r in enumerate(replies())]

    monkeypatch.setattr("worker.outbox.begin_trip", begin_trip)
    wave = rig.launch(flow, "e", "f")

    slot._round()

    assert rig.error(wave, "a").startswith("RedisFull: its value of 3 bytes could not be written")
    assert rig.rows(wave) == {"e": "XB", "f": "FF"}, rig.error(wave, "b")
    assert rig.error(wave, "b").startswith("Blocked: ")
