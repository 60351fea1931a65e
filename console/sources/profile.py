"""What the screen of a wave's times reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.reports.gantt import Gantt, gantt
from console.reports.profile import Profile, profile_of, read
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY, SHARE = 2.0, 20
"""Seconds between two looks at whether it has moved, and what reading it may cost: one part in so many of the time."""
TIMES = (2.0, 4.0)
"""How many times the workers are simulated."""


@dataclass(frozen=True)
class ProfileNews:
    """Where the time went, and when who was busy."""

    profile: Profile
    drawing: Gantt


class ProfileSource:
    """A wave's times; read again when it has moved."""

    def __init__(self, wave: str) -> None:
        self._name = wave
        self._seen: object = None
        self._due = 0.0

    def read(self, redis: Client) -> tuple[ProfileNews | None, float]:
        """The profile when there is news of it.

        Raises:
            NotFound: no such wave, or it has expired.
        """
        began, store = time.monotonic(), Waves(redis)
        progress = store.progress(store.get(self._name))
        state = progress.counts, progress.wave.ended
        if state == self._seen or (began < self._due and progress.wave.running):
            return None, EVERY
        reading = read(redis, progress.wave.id)
        news = ProfileNews(profile_of(reading, TIMES), gantt(reading.timing, reading.names, reading.crew, reading.known))
        self._seen = state
        self._due = began + SHARE * (time.monotonic() - began)
        return news, EVERY
