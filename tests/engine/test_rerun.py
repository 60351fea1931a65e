"""Running a part of a wave again: who is in it, what it keeps of the wave, what is reused."""

from typing import Any

import pytest
from redis import Redis

from engine.errors import BadKey, NotFound, Refused
from engine.keys import Date
from engine.launch import launch
from engine.plan import Input, Plan, TaskPlan
from engine.rerun import rerun, unfinished
from engine.status import Cell
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.claims import Claimed, Move, Moves, claim_command, holds_of, move_command, read_claim, read_move, trip
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house

PLAN = Plan(
    "shop",
    (TaskPlan("a", config={"k": 1, "deep": {"x": 1}}), TaskPlan("b", (Input("a"),), config={"k": 1})),
    state="shops",
    active=3600.0,
)
DATE = Date("2013-07-01T14")
SHOPS = [("e 0", "north"), ("e1", "north"), ("e2", "south"), ("e3", "the west")]


def a_wave(redis: "Redis", **more: Any) -> Wave:
    """Four entities: done, failed and so blocked, pending, done."""
    States(redis).seen("shops", SHOPS, DATE.start.timestamp())
    words = {"version": "main", "date": DATE, "trigger": "schedule:2013-07-01T14", "by": "schedule"}
    wave = launch(redis, PLAN, **{**words, **more}).wave
    claimed = read_claim(wave, trip(redis, [claim_command(wave, 4, "w1", 3600.0)])[0])
    assert isinstance(claimed, Claimed)

    def step(task: int, before: Cell, after: Cell, *entities: int) -> None:
        holds = holds_of(list(entities), [claimed.records[e] for e in entities])
        moved = read_move(
            trip(redis, [move_command(wave, Moves(holds, [Move(task, before, after, e, 1) for e in entities]))])[0]
        )
        assert not moved.refused

    for task, after in ((0, Cell.FINISHED), (1, Cell.FINISHED)):
        step(task, Cell.PENDING, Cell.RUNNING, 0, 3)
        step(task, Cell.RUNNING, after, 0, 3)
    step(0, Cell.PENDING, Cell.RUNNING, 1)
    step(0, Cell.RUNNING, Cell.FAILED, 1)
    step(1, Cell.PENDING, Cell.BLOCKED, 1)
    return wave


def members(redis: "Redis", wave: Wave) -> list[tuple[str, str]]:
    return Waves(redis).members(wave)


def queue(redis: "Redis") -> list[str]:
    return [w.decode() for w in redis.zrange("wd:{main}:queue", 0, -1)]


def test_what_did_not_finish_runs_again_as_a_new_wave_that_knows_its_origin(redis: "Redis") -> None:
    wave = a_wave(redis, base="stable", config={"a.k": 5})

    again = rerun(redis, wave, by="ada@desk", origin="command")

    new = again.wave
    assert again.created and new.id != wave.id
    assert members(redis, new) == [("e1", "north")]
    assert (new.flow, new.version, new.date, new.base, new.state) == ("shop", "main", DATE, "stable", "shops")
    assert new.config == wave.config == {"a": {"k": 5, "deep": {"x": 1}}, "b": {"k": 1}}
    assert (new.of, new.by) == (wave.id, "ada@desk")
    assert Waves(redis).get(new.id).of == wave.id, "the record keeps it"
    [act, *_] = Acts(redis).recent()
    assert (act.verb, act.wave, act.origin, act.entities) == ("rerun", new.id, "command", 1)
    assert wave.id in act.detail


def test_it_goes_before_the_schedule(redis: "Redis") -> None:
    wave = a_wave(redis)

    new = rerun(redis, wave, by="ada").wave

    assert queue(redis) == [new.id, wave.id]


def test_the_partitions_are_the_wave_s_even_of_those_that_are_not_active_any_more(redis: "Redis") -> None:
    wave = a_wave(redis)
    redis.delete(*redis.scan_iter("wd:state:*"))
    States(redis).seen("shops", [("e3", "elsewhere")], DATE.start.timestamp())

    new = rerun(redis, wave, by="ada", entities=[3, 0, 2, 3]).wave

    assert members(redis, new) == [("e%200", "north"), ("e2", "south"), ("e3", "the%20west")]
    assert States(redis).members("shops")[0].partition == "elsewhere", "the state is not touched"


def test_finished_pipes_are_looked_for_before_anything_runs(redis: "Redis") -> None:
    wave = a_wave(redis)

    assert wave.checks == ()
    assert rerun(redis, wave, by="ada").wave.checks == ("a", "b")


def test_twice_is_two_waves_and_a_re_run_can_be_run_again(redis: "Redis") -> None:
    wave = a_wave(redis)

    first, second = rerun(redis, wave, by="ada").wave, rerun(redis, wave, by="ada").wave
    third = rerun(redis, second, by="ada", entities=[0]).wave

    assert len({wave.id, first.id, second.id, third.id}) == 4
    assert (first.of, second.of, third.of) == (wave.id, wave.id, second.id)


def test_another_version_reads_what_it_has_not_from_the_wave_s_and_keeps_its_own_defaults(redis: "Redis") -> None:
    wave = a_wave(redis, config={"b.k": 7})
    better = Plan("shop", (TaskPlan("a", config={"k": 2, "new": 3}), *PLAN.tasks[1:]), state="shops", active=3600.0)
    Catalog(redis).publish("fix", [better])

    new = rerun(redis, wave, by="ada", version="fix").wave

    assert (new.version, new.base, new.of) == ("fix", "main", wave.id)
    assert new.config == {"a": {"k": 2, "new": 3}, "b": {"k": 7}}


def test_a_version_that_has_no_such_flow_is_refused(redis: "Redis") -> None:
    wave = a_wave(redis)
    with pytest.raises(NotFound, match="version 'mian' has published no flow 'shop'"):
        rerun(redis, wave, by="ada", version="mian")
    with pytest.raises(BadKey, match="version"):
        rerun(redis, wave, by="ada", version="my version")
    assert len(Waves(redis).recent()) == 1
    assert rerun(redis, wave, by="ada", version="mian", plan=PLAN).created, "whoever has the code may"


def test_config_that_the_flow_has_dropped_since_is_dropped_and_what_was_overridden_is_not_silently(redis: "Redis") -> None:
    wave = a_wave(redis)
    overridden = a_wave(redis, trigger="manual:2", config={"a.deep": {"x": 2}})
    Catalog(redis).publish("main", [Plan("shop", (TaskPlan("a", config={"k": 9}), *PLAN.tasks[1:]), state="shops")])

    assert rerun(redis, wave, by="ada").wave.config == {"a": {"k": 1}, "b": {"k": 1}}
    with pytest.raises(BadKey, match=r"config 'a\.deep'"):
        rerun(redis, overridden, by="ada", entities=[0])


def test_the_plan_of_a_version_that_publishes_nothing_any_more_is_the_wave_s(redis: "Redis") -> None:
    wave = a_wave(redis)
    redis.delete("wd:{main}:flows")

    new = rerun(redis, wave, by="ada").wave

    assert Waves(redis).plan(new) == PLAN


def test_when_nothing_is_left_it_is_refused(redis: "Redis") -> None:
    wave = a_wave(redis)
    again = rerun(redis, wave, by="ada").wave
    with pytest.raises(Refused, match=f"nothing of wave {again.id} .* failed, was blocked or was cancelled"):
        rerun(redis, again, by="ada")
    with pytest.raises(Refused, match="no entity that was chosen"):
        rerun(redis, wave, by="ada", entities=[])
    with pytest.raises(NotFound, match="entities 0 to 3"):
        rerun(redis, wave, by="ada", entities=[1, 4])
    with pytest.raises(NotFound, match="entities 0 to 3"):
        rerun(redis, wave, by="ada", entities=[-1])


def test_a_cancelled_wave_s_rest_runs_again(redis: "Redis") -> None:
    States(redis).seen("shops", SHOPS, DATE.start.timestamp())
    wave = launch(redis, PLAN, version="main", date=DATE, trigger="manual:1", by="ada").wave
    Waves(redis).cancel(wave, "wrong", "ada")

    assert len(members(redis, rerun(redis, wave, by="ada").wave)) == 4


def test_unfinished_is_by_task_when_tasks_are_named() -> None:
    board = b"FXPF" + b"FBPC"

    assert unfinished(board, 4) == [1, 3]
    assert unfinished(board, 4, [0]) == [1]
    assert unfinished(board, 4, [1]) == [1, 3]
    assert unfinished(b"", 0) == []


def test_fifty_thousand_are_chosen_from_the_board_in_one_pass(redis: "Redis") -> None:
    entities = [f"e{i}" for i in range(50_000)]
    wave = launch(redis, PLAN, version="main", date=DATE, trigger="manual:1", by="ada", entities=entities).wave
    redis.setrange(wave.key("board"), wave.n, bytes([Cell.FAILED]) * 25_000)
    told: list[int] = []

    new = rerun(redis, wave, by="ada", on_progress=told.append).wave

    assert (new.n, told[-1]) == (25_000, 25_000)
    assert Waves(redis).members(new, 24_999) == [("e24999", "-")]
