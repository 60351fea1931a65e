"""Waves for tests of the store, and the few verbs that those tests say often."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from redis import Redis

from engine.keys import Date
from engine.plan import Input, Plan, TaskPlan
from engine.status import Cell
from engine.store import making
from engine.store.claims import (
    Claimed,
    Closed,
    Hold,
    Move,
    Moved,
    Moves,
    claim_command,
    holds_of,
    move_command,
    pack_time,
    read_claim,
    read_move,
    spans,
    trip,
)
from engine.store.pipes import expiry
from engine.store.wave import Wave, new_wave
from engine.store.waves import Waves

DATE = Date("2013-07-01T14")
P, R, F, U, O, X, B, C = (  # noqa: E741 the board's own letters
    Cell.PENDING, Cell.RUNNING, Cell.FINISHED, Cell.REUSED, Cell.FALLBACK, Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED,
)  # fmt: skip


def plan(*tasks: str, flow: str = "shop") -> Plan:
    """A chain of tasks."""
    return Plan(
        flow, tuple(TaskPlan(name, tuple(Input(n) for n in tasks[i - 1 : i])) for i, name in enumerate(tasks)), state="shops"
    )


def draft(chain: Plan, n: int, *, trigger: str = "manual:1", version: str = "main", date: Date = DATE, **more: Any) -> Wave:
    """The record of a wave that is not written yet."""
    expire = more.pop("expire", expiry(date, chain.keep))
    changes = {key: more.pop(key) for key in ("created",) if key in more}
    wave = new_wave(chain, version=version, date=date, trigger=trigger, by="tests", n=n, expire=expire, **more)
    return replace(wave, **changes)


def make(redis: "Redis", n: int = 4, tasks: Sequence[str] = ("a", "b"), **more: Any) -> Wave:
    """A wave of `n` entities `e0` … and a chain of tasks, queued."""
    chain = plan(*tasks, flow=more.pop("flow", "shop"))
    wave = draft(chain, n, **more)
    made = making.make(redis, wave, chain, [(f"e{i}", "p") for i in range(n)])
    assert made.created
    return made.wave


def try_claim(redis: "Redis", wave: Wave, want: int, worker: str = "w1", begin: Sequence[int] = ()) -> Claimed | Closed:
    """A claim, whatever it gives. Its lease is an hour."""
    [reply] = trip(redis, [claim_command(wave, want, worker, 3600.0, begin)])
    if isinstance(reply, Exception):
        raise reply
    return read_claim(wave, reply)


def claim(redis: "Redis", wave: Wave, want: int, worker: str = "w1", begin: Sequence[int] = ()) -> Claimed:
    """A claim that gives entities."""
    claimed = try_claim(redis, wave, want, worker, begin)
    assert isinstance(claimed, Claimed)
    return claimed


def holds(claimed: Claimed, *entities: int) -> list[Hold]:
    """The claim's holds, of these entities or all."""
    kept = [i for i, e in enumerate(claimed.ids) if not entities or e in entities]
    return holds_of([claimed.ids[i] for i in kept], [claimed.records[i] for i in kept])


def send(redis: "Redis", wave: Wave, moves: Moves) -> Moved:
    """Calls the transition script."""
    [reply] = trip(redis, [move_command(wave, moves)])
    if isinstance(reply, Exception):
        raise reply
    return read_move(reply)


def step(redis: "Redis", wave: Wave, claimed: Claimed, task: int, *cells: Cell, entities: Iterable[int] | None = None) -> Moved:
    """Takes a task of the claim's entities from the first of `cells` to the last, a call a step."""
    moved = Moved("", -1, [])
    ids = claimed.ids if entities is None else list(entities)
    for before, after in pairwise(cells):
        steps = [Move(task, before, after, first, many, pack_time(1.5, 0.25) * many) for first, many, _ in spans(ids)]
        moved = send(redis, wave, Moves(holds(claimed), steps))
    return moved


def end(redis: "Redis", wave: Wave, claimed: Claimed, *entities: int) -> Moved:
    """Says that entities are done."""
    return send(
        redis, wave, Moves(holds(claimed), ends=[(first, many) for first, many, _ in spans(list(entities) or claimed.ids)])
    )


def complete(redis: "Redis", wave: Wave, claimed: Claimed) -> Moved:
    """Finishes everything of a claim."""
    for task in range(len(wave.tasks)):
        step(redis, wave, claimed, task, P, R, F)
    return end(redis, wave, claimed)


def lapse(redis: "Redis", wave: Wave, *entities: int) -> None:
    """Lets the leases of entities run out, as if time had passed."""
    redis.zadd(wave.key("leases"), dict.fromkeys(map(str, entities), 1), xx=True)
    assert redis.zmscore(wave.key("leases"), [str(e) for e in entities]) == [1.0] * len(entities)


def columns(redis: "Redis", wave: Wave) -> list[str]:
    """The board in letters, a word a task."""
    board = Waves(redis).board(wave).decode()
    return [board[t * wave.n : (t + 1) * wave.n] for t in range(len(wave.tasks))]


def check_counts(redis: "Redis", wave: Wave) -> None:
    """The counters are what a recount of the board gives, and all cells are in them."""
    counted = [{ord(letter): many for letter, many in Counter(column).items()} for column in columns(redis, wave)]
    progress = Waves(redis).progress(wave)
    assert list(progress.counts) == counted
    assert sum(sum(c.values()) for c in progress.counts) == wave.cells
