"""What the screen of a wave asks Redis beside its feed: once, when somebody wants it, and again while it may have changed."""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console.screens.wave_filter import ASKED
from console.screens.words import clock
from engine.status import Status

if TYPE_CHECKING:
    from console.screens.base import DeckScreen
    from console.sources.wave import WaveNews
    from engine.store.connect import Client
    from engine.store.wave import Wave

AGAIN = 5.0
"""Seconds after which what a living wave changes is asked for again."""
_FAMILY = re.compile(r"(?:^|\s)!?family:(\S+)")


@dataclass(frozen=True)
class Red:
    """The first red of a wave: its task, when it ended (seconds after the wave was created), and that as people read it."""

    task: str
    seconds: float
    clock: str


class Asks:
    """The questions of one screen, each by an errand; their answers come to the screen, which hands them to `heard`."""

    def __init__(self, screen: DeckScreen) -> None:
        self._screen = screen
        self.red: Red | None = None
        self.family_number = 0
        """Grows with every answer about families."""
        self._failed = 0
        self._wave: Wave | None = None
        self._orders: dict[tuple[str, str | None], array[int]] = {}
        self._families: dict[str, Collection[int]] = {}
        self._asked: dict[str, tuple[float, object]] = {}

    def look(self, news: WaveNews) -> None:
        """Looks at news for what they make worth asking. The first red costs a whole board and columns of times: on a slow link it is
        asked for when somebody has wanted all of the wave."""
        self._wave = news.still.wave
        failed = news.row.counts[Status.FAILED]
        if self.red is None and news.whole and failed and failed != self._failed:
            self._failed = failed
            self._ask("red", _red)

    def again(self, sort: str, task: str | None, news: WaveNews) -> None:
        """Asks for the order by `sort`, and for the families in use, if there is none yet or the wave has moved since a while."""
        known = self._orders.get((sort, task))
        if sort in ASKED and self._due(f"order {sort} {task}", news.row.counts, known is not None):
            number = None if task is None else news.still.plan.index[task]

            def question(redis: Client, wave: Wave) -> object:
                from console.sources.wave_more import orders

                return (sort, task), orders(redis, wave, sort, number)

            self._ask(f"order {sort} {task}", question)
        for key in self._families:
            if self._due(f"family {key}", news.row.counts, True):
                self._ask_family(key)

    def order(self, sort: str, task: str | None) -> array[int] | None:
        """The order that was asked for, if it has come."""
        return self._orders.get((sort, task))

    def families(self, text: str) -> Mapping[str, Collection[int]]:
        """The families that a query names; unknown ones are asked for, and have nobody until then."""
        for key in _FAMILY.findall(text):
            if len(key) >= 8 and key not in self._families and self._wave is not None:
                self._families[key] = frozenset()
                self._ask_family(key)
        return self._families

    def reel(self, wave: Wave) -> None:
        """Asks for the wave's film."""
        self._wave = wave

        def question(redis: Client, wave: Wave) -> object:
            from console.sources.wave_more import reel

            return reel(redis, wave.id)

        self._ask("reel", question)

    def heard(self, name: str, value: Any) -> bool:
        """Takes an answer; whether it was one of these."""
        if name == "red":
            self.red = value
        elif name.startswith("order "):
            key, order = value
            self._orders[key] = order
        elif name.startswith("family "):
            self._families[name.partition(" ")[2]] = value
            self.family_number += 1
        else:
            return False
        return True

    def refused(self, name: str) -> None:
        """A question was not answered: it may be asked again."""
        if name == "red":
            self._failed = 0
        if name.startswith("order "):
            self._asked.pop(name, None)
        if name.startswith("family "):
            self.family_number += 1

    def _due(self, name: str, state: object, known: bool) -> bool:
        at, before = self._asked.get(name, (0.0, None))
        if known and (state == before or time.monotonic() - at < AGAIN):
            return False
        if not known and before is not None:
            return False  # the answer is under way
        self._asked[name] = time.monotonic(), state
        return True

    def _ask_family(self, key: str) -> None:
        def question(redis: Client, wave: Wave) -> object:
            from console.reports.failures import members_of

            return members_of(redis, wave, key)

        self._ask(f"family {key}", question)

    def _ask(self, name: str, question: Callable[[Client, Wave], object]) -> None:
        wave = self._wave
        if wave is not None:
            self._screen.deck.errand(self._screen, name, lambda redis: question(redis, wave))


def _red(redis: Client, wave: Wave) -> Red | None:
    from console.reports.failures import first_red

    found = first_red(redis, wave)
    if found is None:
        return None
    return Red(found.task, found.seconds, clock(wave.created / 1000 + found.seconds) if found.at else "")
