"""Each invariant of the chaos can fail: histories that break one are told, and a fence that does not hold is found."""

from dataclasses import replace
from random import Random

import pytest
from boards import P, R, claim, draft, lapse, make, plan, step
from chaos.invariants import Cancel, Invariants, Snapshot, executions
from chaos.subject import Line
from chaos.witness import Witness
from redis import Redis

from engine.store import claims
from engine.store.scripts import Script
from engine.store.wave import Wave

DATE = "2013-07-01T14"
VALUE = b'{"nonce":"1-a"}'


def a_wave(**more: int) -> Wave:
    return replace(draft(plan("a", "b"), 2), **{"id": "w1", **more})  # type: ignore[arg-type]


def seen(board: str, at: float = 0.0, *, wrote: dict[tuple[int, int], bytes] | None = None, **more: object) -> Snapshot:
    """A snapshot of two entities and two tasks, with right counters and a pipe for each cell that has written."""
    n = 2
    rows = [board[task * n : task * n + n] for task in range(2)]
    pipes = {(t, e): VALUE for t, row in enumerate(rows) for e, cell in enumerate(row) if cell in "FUO"}
    fields = {
        "wave": a_wave(left=0, ended=1) if not set(board) & set("PR") else a_wave(),
        "asked": at,
        "at": at,
        "board": board.encode(),
        "counts": tuple({ord(c): row.count(c) for c in set(row)} for row in rows),
        "claims": bytes(16),
        "leases": {},
        "returned": 0,
        "pipes": pipes if wrote is None else wrote,
    }
    return Snapshot(**(fields | more))  # type: ignore[arg-type]


def start(task: str, entity: str, at: float, what: str = "start") -> Line:
    return Line(what, DATE, task, entity, 1, "1-a", at)


def told(*snapshots: Snapshot, journal: tuple[Line, ...] = (), cancelled: float | None = None) -> list[str]:
    history = Invariants()
    if cancelled is not None:
        history.cancels["w1"] = Cancel("w1", cancelled)
    for snapshot in snapshots:
        history.see(snapshot)
    history.settle(journal)
    return history.wrong


def test_a_right_history_is_right() -> None:
    journal = (start("a", "e0", 0.5), start("a", "e1", 0.5), start("b", "e0", 1.5), start("b", "e1", 1.5))

    assert told(seen("PPPP", 0), seen("RRPP", 1), seen("FOPP", 1.2), seen("FORX", 2), seen("FOFX", 3), journal=journal) == []


@pytest.mark.parametrize(
    ("invariant", "history"),
    [
        ("I1: wave w1: the counters are", lambda: told(seen("FFFF", counts=({ord("F"): 2}, {ord("F"): 1})))),
        ("I1: wave w1, task 0: counted", lambda: told(seen("FXFF", counts=({ord("F"): 2}, {ord("F"): 2})))),
        ("I2: .* is b'2'", lambda: told(seen("FFFF"), seen("FFFF", wrote=dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], b"2")))),
        ("I2: .* b e1: its pipe was .* and is gone", lambda: told(seen("FFFF"), seen("FFFX", wrote={(0, 0): VALUE, (0, 1): VALUE, (1, 0): VALUE}))),
        ("I2: .* a e0: it is Finished and has no pipe", lambda: told(seen("FXXX", wrote={}))),
        ("I3: wave w1: 1 cells are open", lambda: told(seen("FFFP"))),
        ("I3: wave w1: 0 cells are open, left 1", lambda: told(seen("FFFF", wave=a_wave(left=1)))),
        ("I3: .* 1 leases", lambda: told(seen("FFFF", leases={0: 1.0}))),
        ("I5: .* Running after the wave was cancelled", lambda: told(seen("PPPP", 2), seen("RPPP", 3), seen("CCCC", 4), cancelled=1)),
        ("I5: .* started 500.0 ms after `cancel`", lambda: told(seen("CCCC", 4), journal=(start("b", "e1", 1.5),), cancelled=1)),
        ("I6: .* started again 1000.0 ms after its pipe", lambda: told(seen("FFFF", 4), journal=(start("b", "e1", 5),))),
        ("I6: .* started again 1000.0 ms after it was seen", lambda: told(seen("FFFX", 4), journal=(start("b", "e1", 5),))),
        ("I6: .* its pipe is there and it is X", lambda: told(seen("FFFX", 4, wrote=dict.fromkeys([(0, 0), (0, 1), (1, 0), (1, 1)], VALUE)))),
        ("I6: .* it was X and is F", lambda: told(seen("FFFX", 4), seen("FFFF", 5))),
        ("I6: .* it was F and is R", lambda: told(seen("FFFF", 4), seen("FFFR", 5))),
    ],
)  # fmt: skip
def test_a_history_that_breaks_an_invariant_is_told(invariant: str, history: "object") -> None:
    wrong = history()  # type: ignore[operator]

    assert len(wrong) >= 1
    with pytest.raises(AssertionError, match=invariant):
        raise AssertionError("\n".join(wrong))


def test_complete_executions_are_counted_by_cell() -> None:
    lines = [start("a", "e0", 1), start("a", "e0", 2, "finish"), start("a", "e0", 3, "finish"), start("a", "e1", 4, "finish")]

    assert executions(lines) == {(DATE, "a", "e0"): 2, (DATE, "a", "e1"): 1}


# the probe of stale tokens


def probed(redis: "Redis") -> Invariants:
    """A wave whose first holder was taken for dead, and a witness that tries what the first one had."""
    wave = make(redis, n=3)
    witness = Witness(redis, Random(1), waves=[wave])
    stale = claim(redis, wave, 1)
    step(redis, wave, stale, 0, P, R)
    witness.look()
    lapse(redis, wave, 0)
    heir = claim(redis, wave, 1)
    step(redis, wave, heir, 0, P, R)
    witness.look()
    for _ in range(20):
        witness._probe()
    assert witness.probes >= 18  # the first may only give the server its scripts
    return witness.history


def test_stale_tokens_change_nothing(redis: "Redis") -> None:
    assert probed(redis).wrong == []


@pytest.mark.parametrize(
    ("script", "check", "without"),
    [
        ("MOVE", "== recs then", "~= '?' then"),
        ("RENEW", "~= string.sub(recs, i * 8 + 1, i * 8 + 8)", "== '?'"),
        ("RELEASE", "== rec and", "~= '?' and"),
    ],
)
def test_a_script_that_does_not_look_at_the_token_is_found(
    redis: "Redis", monkeypatch: pytest.MonkeyPatch, script: str, check: str, without: str
) -> None:
    # Given a script without its fence
    whole: Script = getattr(claims, script)
    assert check in whole.text
    broken = whole.text.replace(check, without)
    sha = redis.script_load(broken)
    for module in ("engine.store.claims", "chaos.witness"):
        monkeypatch.setattr(f"{module}.{script}", Script(whole.name, broken, sha))

    # When, Then
    assert any(wrong.startswith("I4") for wrong in probed(redis).wrong)
