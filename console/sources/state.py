"""What the screen of states reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.reports.state import Past, Roll, StateRow, WaveOver, roll, states, users
from engine.store.states import States

if TYPE_CHECKING:
    from engine.store.connect import Client

LIVE, IDLE = 1.0, 3.0
USERS_EVERY = 15.0
ROLL_AT_LEAST = 60.0
"""Seconds after which members are read even if nothing seems to have changed: what was seen out of order does not show."""
SHARE = 20
"""What reading may cost: one part in so many of the time."""


@dataclass(frozen=True, eq=False)
class StatesNews:
    """All states."""

    rows: tuple[StateRow, ...]


@dataclass(frozen=True, eq=False)
class RollNews:
    """One state. `alone`: there is no other; `waves`: the last ones, oldest first; `how`: entity → a byte each of them, for the
    entities that were asked about; `trouble`: who went how badly, None when it was not asked; `learning`: not all of it is known yet."""

    roll: Roll
    alone: bool
    waves: tuple[WaveOver, ...]
    how: Mapping[str, bytes]
    trouble: Mapping[str, int] | None
    learning: bool


class StateSource:
    """States. What may be set from any thread, as a whole: `name`: which one, "" for the list of all, or for the only one if there is
    but one; `wanted`: the entities, as users write them, of which the screen shows how they went; `deep`: whether it wants that of all."""

    def __init__(self, name: str) -> None:
        self.name, self.wanted, self.deep = name, frozenset[str](), False
        self._rows: tuple[StateRow, ...] = ()
        self._users: Mapping[str, list[str]] = {}
        self._users_at = self._roll_at = self._roll_next = float("-inf")
        self._roll: Roll | None = None
        self._stamp: tuple[object, ...] = ()
        self._past = Past("")
        self._told: tuple[object, ...] = ()

    def read(self, redis: Client) -> tuple[StatesNews | RollNews | None, float]:
        """What is different, and at once again while there is more of the past to read."""
        began = time.monotonic()
        self._read_list(redis)
        name = self.name or (self._rows[0].state if len(self._rows) == 1 else "")
        if not name:
            self._roll = None
            return self._news(("", self._rows), StatesNews(self._rows)), IDLE
        if self._roll is None or self._roll.state != name:
            self._stamp, self._past = (), Past(name)
        self._read_roll(redis, name)
        assert self._roll is not None  # noqa: S101
        self._past.look(redis)
        first = len(self._told) < 3 or self._told[1] is not self._roll
        ready = self._past.learn(redis) if not first else False  # who is there is shown before what became of them
        how = self._past.how(redis, self.wanted)
        trouble = self._past.trouble(redis) if self.deep and ready else None
        alone = len(self._rows) <= 1
        news = RollNews(self._roll, alone, self._past.waves, how, trouble, not ready)
        told = (self.name, self._roll, alone, self._past.waves, how, trouble, ready)
        pause = max(LIVE if self._past.live else IDLE, SHARE * (time.monotonic() - began))
        return self._news(told, news), pause if ready else 0.0

    def _news(self, told: tuple[object, ...], news: StatesNews | RollNews) -> StatesNews | RollNews | None:
        same, self._told = told == self._told, told
        return None if same else news

    def _read_list(self, redis: Client) -> None:
        if time.monotonic() - self._users_at > USERS_EVERY:
            self._users, self._users_at = users(redis), time.monotonic()
        self._rows = states(redis, self._users)

    def _read_roll(self, redis: Client, name: str) -> None:
        """Reads the members when they have changed, and it is not too soon: while a wave runs they change all the time."""
        began = time.monotonic()
        if self._roll is not None and self._roll.state == name and began < self._roll_next:
            return
        stamp = States(redis).stamp(name)
        if stamp == self._stamp and began - self._roll_at < ROLL_AT_LEAST:
            return
        found = roll(redis, name)
        self._roll = self._roll if self._roll is not None and found.same(self._roll) else found
        self._stamp, self._roll_at = stamp, began
        self._roll_next = began + SHARE * (time.monotonic() - began)
