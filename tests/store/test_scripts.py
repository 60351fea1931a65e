"""The claim and transition scripts: who gets what, what a holder may change, and that nobody else changes anything."""

import time

import pytest
from boards import (
    B,
    F,
    O,
    P,
    R,
    U,
    X,
    check_counts,
    claim,
    columns,
    complete,
    end,
    holds,
    lapse,
    make,
    send,
    step,
    try_claim,
)  # fmt: skip
from redis import Redis
from redis.exceptions import ResponseError

from engine.cancel import cancel
from engine.status import LEGAL, Cell
from engine.store.claims import Closed, Move, Moves, Renewed, release, renew
from engine.store.wave import Wave, span
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house


def record(redis: "Redis", wave: Wave) -> Wave:
    found = Waves(redis).find(wave.id)
    assert found is not None
    return found


def left(redis: "Redis", wave: Wave) -> int:
    return record(redis, wave).left


# claim


def test_claims_go_through_the_entities_in_order_and_each_is_held_once(redis: "Redis") -> None:
    wave = make(redis, n=5)

    one, two, three = claim(redis, wave, 2, "w1"), claim(redis, wave, 2, "w2"), claim(redis, wave, 9, "w1")

    assert [c.ids for c in (one, two, three)] == [[0, 1], [2, 3], [4]]
    assert one.entities == ["e0", "e1"]
    assert one.partitions == ["p", "p"]
    assert one.cells == [None, None]
    assert [c.queued for c in (one, two, three)] == [3, 1, 0]
    assert claim(redis, wave, 9).ids == []
    assert record(redis, wave).started > 0


def test_expired_leases_go_first_then_what_was_given_back_then_the_fresh(redis: "Redis") -> None:
    # Given
    wave = make(redis, n=6)
    dead, giver = claim(redis, wave, 2, "dead"), claim(redis, wave, 2, "giver")
    step(redis, wave, giver, 0, P, R, F, entities=[3])
    release(redis, wave, holds(giver))
    lapse(redis, wave, *dead.ids)

    # When
    claims = [claim(redis, wave, 5, "heir") for _ in range(3)]

    # Then those of the dead come one by one
    assert [c.ids for c in claims] == [[0], [1], [2, 3, 4, 5]]
    assert claims[2].entities == ["e2", "e3", "e4", "e5"]
    assert [c.cells for c in claims] == [[b"PP"], [b"PP"], [b"PP", b"FP", None, None]]


def test_a_second_death_is_blamed_on_the_cell_that_ran(redis: "Redis") -> None:
    wave = make(redis, n=3)
    step(redis, wave, claim(redis, wave, 3, "dead1"), 0, P, R)
    lapse(redis, wave, 0, 1, 2)
    again = claim(redis, wave, 3, "dead2")
    step(redis, wave, again, 0, P, R)
    lapse(redis, wave, *again.ids)

    for _ in range(3):
        heir = claim(redis, wave, 3, "heir")
        if heir.cells[0] == b"RP":
            step(redis, wave, heir, 0, R, X)
        for task in (0, 1):
            step(redis, wave, heir, task, P, R, F)

    assert columns(redis, wave)[0].count("X") == 1


def test_a_claim_may_begin_tasks_of_those_that_nobody_had_before(redis: "Redis") -> None:
    wave = make(redis, n=4, created=int(time.time() * 1000) - 5_000)
    first = claim(redis, wave, 2)
    release(redis, wave, holds(first, 1))

    claimed = claim(redis, wave, 3, begin=[0])

    assert (claimed.ids, claimed.cells) == ([1, 2, 3], [bytes([P, P]), None, None])
    assert columns(redis, wave) == ["PPRR", "PPPP"]
    times = redis.get(wave.key("times"))
    assert [round(span(times, at)[0]) for at in range(4)] == [0, 0, 5, 5]
    check_counts(redis, wave)
    assert step(redis, wave, claimed, 0, R, F, entities=[2, 3]).refused == []
    release(redis, wave, holds(claimed))
    assert columns(redis, wave) == ["PPFF", "PPPP"]
    check_counts(redis, wave)


def test_an_expired_entity_waits_for_nobody_but_its_lease(redis: "Redis") -> None:
    wave = make(redis, n=1)
    claim(redis, wave, 1, "dead")

    assert claim(redis, wave, 1, "heir").ids == []
    lapse(redis, wave, 0)
    assert claim(redis, wave, 1, "heir").ids == [0]


def test_every_claim_has_a_token_of_its_own(redis: "Redis") -> None:
    wave = make(redis, n=1)
    records = []
    for worker in ("w1", "w2", "w1", "w1"):
        claimed = claim(redis, wave, 1, worker)
        records += claimed.records
        lapse(redis, wave, 0)

    assert len(set(records)) == 4
    assert [int.from_bytes(r[:4], "little") for r in records] == [1, 2, 3, 4]
    assert [r[6] for r in records] == [1, 2, 3, 4]  # attempts
    assert Waves(redis).crew(wave) == {1: "w1", 2: "w2"}


def test_a_cell_that_ran_when_two_workers_died_is_left_running_for_who_takes_it_up(redis: "Redis") -> None:
    # Given
    wave = make(redis, n=1, tasks=("a", "b", "c"))
    for worker in ("dead1", "dead2"):
        claimed = claim(redis, wave, 1, worker)
        assert claimed.cells[0] in (None, b"PPP")
        step(redis, wave, claimed, 0, P, R)
        lapse(redis, wave, 0)

    # When
    claimed = claim(redis, wave, 1, "heir")

    # Then
    assert claimed.cells == [b"RPP"]
    check_counts(redis, wave)
    step(redis, wave, claimed, 0, R, X)
    step(redis, wave, claimed, 1, P, B)
    step(redis, wave, claimed, 2, P, B)
    assert end(redis, wave, claimed).left == 0


def test_giving_back_is_no_attempt(redis: "Redis") -> None:
    wave = make(redis, n=1)
    for _ in range(5):
        claimed = claim(redis, wave, 1)
        step(redis, wave, claimed, 0, P, R)
        assert release(redis, wave, holds(claimed)) == 1
        assert columns(redis, wave) == ["P", "P"]

    assert claim(redis, wave, 1).records[0][6] == 1
    check_counts(redis, wave)


def test_a_wave_past_its_deadline_starts_nothing(redis: "Redis") -> None:
    wave = make(redis, n=3, deadline=1)

    closed = try_claim(redis, wave, 1)

    assert closed == Closed("overdue", 3)
    assert columns(redis, wave) == ["PPP", "PPP"]


def test_a_wave_that_is_gone_or_ended_or_cancelled_gives_nothing(redis: "Redis") -> None:
    gone, ended, cancelled = make(redis, trigger="1"), make(redis, trigger="2"), make(redis, trigger="3")
    redis.delete(gone.key("wave"))
    complete(redis, ended, claim(redis, ended, 4))
    held = claim(redis, cancelled, 1)
    cancel(redis, cancelled, by="ada")

    assert try_claim(redis, gone, 1) == Closed("gone", 0)
    assert try_claim(redis, ended, 1) == Closed("ended", 0)
    assert try_claim(redis, cancelled, 1) == Closed("cancelled", len(held.ids))


# move


@pytest.mark.parametrize("before", Cell)
@pytest.mark.parametrize("after", Cell)
def test_only_legal_steps_are_made(redis: "Redis", before: Cell, after: Cell) -> None:
    wave = make(redis, n=1)
    claimed = claim(redis, wave, 1)

    if (before, after) in LEGAL:
        step(redis, wave, claimed, 0, before, after)
    else:
        with pytest.raises(ResponseError, match="ILLEGAL"):
            step(redis, wave, claimed, 0, before, after)
        assert columns(redis, wave) == ["P", "P"]
    check_counts(redis, wave)


def test_a_step_from_what_the_cell_is_not_is_refused_cell_by_cell(redis: "Redis") -> None:
    # Given a run of which the half is right
    wave = make(redis, n=4)
    claimed = claim(redis, wave, 4)
    step(redis, wave, claimed, 0, P, R, entities=[1, 2])
    step(redis, wave, claimed, 0, P, U, entities=[3])

    # When
    moved = send(redis, wave, Moves(holds(claimed), [Move(0, P, R, 0, 4)]))

    # Then what was pending runs, what ran already is no error, what had ended is refused
    assert moved.refused == [(0, 3)]
    assert columns(redis, wave)[0] == "RRRU"
    check_counts(redis, wave)


def test_a_stale_holder_changes_nothing(redis: "Redis") -> None:
    # Given
    wave = make(redis, n=2)
    stale = claim(redis, wave, 2, "stale")
    step(redis, wave, stale, 0, P, R)
    lapse(redis, wave, 0, 1)
    heir = claim(redis, wave, 1, "heir")
    assert heir.ids == [0]
    step(redis, wave, heir, 0, P, R)
    before = Waves(redis).board(wave), Waves(redis).times(wave), Waves(redis).progress(wave)

    # When it wakes, and has finished everything
    moves = Moves(holds(stale, 0), [Move(0, R, F, 0, 1, b"x" * 8)], [(0, 0, b'{"x":1}')], [(0, 0, b"log")], [(0, 1)])
    moved = send(redis, wave, moves)

    # Then
    assert moved.refused == [(0, 0)]
    assert (Waves(redis).board(wave), Waves(redis).times(wave), Waves(redis).progress(wave)) == before
    assert Waves(redis).note(wave, 0, 0) is None
    assert Waves(redis).log(wave, 0, 0) == ""
    assert release(redis, wave, holds(stale, 0)) == 0
    assert renew(redis, wave, holds(stale, 0)) == Renewed("", 0, frozenset({0}))

    # And what nobody took meanwhile is still its own
    assert send(redis, wave, Moves(holds(stale), [Move(0, R, F, 1, 1)])).refused == []
    assert columns(redis, wave)[0] == "RF"


def test_nobody_moves_what_nobody_claimed(redis: "Redis") -> None:
    wave = make(redis, n=2)
    claim(redis, wave, 1)

    for guessed in ([], [(1, 1, bytes([1, 0, 0, 0, 1, 0, 1, 0]))]):
        moved = send(redis, wave, Moves(guessed, [Move(0, P, R, 1, 1)], ends=[(1, 1)]))
        assert moved.refused == [(0, 1)]
    assert columns(redis, wave) == ["PP", "PP"]
    assert left(redis, wave) == 2


def test_the_same_call_twice_changes_nothing(redis: "Redis") -> None:
    wave = make(redis, n=3)
    claimed = claim(redis, wave, 3)
    step(redis, wave, claimed, 0, P, R)
    step(redis, wave, claimed, 1, P, B)
    moves = Moves(holds(claimed), [Move(0, R, F, 0, 3, b"12345678" * 3)], [(0, 1, b'{"x":1}')], [(0, 2, b"log")], [(0, 3)])

    first = send(redis, wave, moves)
    after = Waves(redis).board(wave), Waves(redis).times(wave), Waves(redis).progress(wave)
    second = send(redis, wave, moves)

    assert (first.refused, second.refused, first.left, second.left) == ([], [], 0, 0)
    assert (Waves(redis).board(wave), Waves(redis).times(wave), Waves(redis).progress(wave)) == after
    check_counts(redis, wave)


def test_an_entity_ends_when_all_its_cells_have_and_the_wave_with_its_last(redis: "Redis") -> None:
    # Given
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)
    step(redis, wave, claimed, 0, P, R, F)
    step(redis, wave, claimed, 1, P, R, F, entities=[0])

    # When the worker says that both are done
    moved = end(redis, wave, claimed)

    # Then one is
    assert moved.left == 1
    assert not record(redis, wave).ended
    step(redis, wave, claimed, 1, P, R)
    assert end(redis, wave, claimed).left == 1
    step(redis, wave, claimed, 1, R, X, entities=[1])
    assert end(redis, wave, claimed).left == 0
    assert record(redis, wave).ended > 0
    assert redis.zcard(wave.key("leases")) == 0


def test_a_value_that_is_refused_afterwards_fails_its_cell_even_in_a_wave_that_has_ended(redis: "Redis") -> None:
    wave = make(redis, n=2, tasks=("a",))
    claimed = claim(redis, wave, 2)
    step(redis, wave, claimed, 0, P, R, F, entities=[0])
    step(redis, wave, claimed, 0, P, R, O, entities=[1])
    end(redis, wave, claimed)

    step(redis, wave, claimed, 0, F, X, entities=[0])
    step(redis, wave, claimed, 0, O, X, entities=[1])

    assert columns(redis, wave) == ["XX"]
    assert left(redis, wave) == 0
    check_counts(redis, wave)


# the server forgets


def test_scripts_that_the_server_forgot_are_given_to_it_again(redis: "Redis") -> None:
    wave = make(redis, n=3)
    claimed = claim(redis, wave, 3)

    for act in (
        lambda: claim(redis, wave, 1),
        lambda: step(redis, wave, claimed, 0, P, R, F),
        lambda: renew(redis, wave, holds(claimed)),
        lambda: release(redis, wave, holds(claimed, 1)),
        lambda: cancel(redis, wave, by="ada"),
    ):
        redis.script_flush()
        act()

    assert columns(redis, wave) == ["FFF", "PCP"]
    check_counts(redis, wave)
