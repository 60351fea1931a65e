"""`wavedeck trigger --workers`: a wave with as many workers as it needs, and what became of what was foreseen."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from console.house import house
from console.views import foreseen
from console.widgets.text import clean
from engine.fleet.scaling import Staffing, let_go
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.fleet.house import House
    from engine.plan import Plan
    from engine.store.connect import Client
    from engine.store.wave import Wave

LOOK = 0.2
"""Seconds between two looks at a wave that this command waits for."""


class Staffed:
    """Who sees to a wave's workers, and to its end where they are this command's own."""

    def __init__(self, redis: Client, at: House, version: str, workers: str) -> None:
        self._redis, self._house, self._version, self._workers = redis, at, version, workers

    def staff(self, plan: Plan) -> Staffing:
        """What `launch` takes."""
        fleet = self._house.fleet(self._version)
        return Staffing(self._redis, fleet, plan, workers=self._workers, tell=_say)

    def see_out(self, wave: Wave) -> None:
        """Waits for the wave's end where the workers end with this command, says how it went, and lets them go. Elsewhere it returns at
        once: the last worker that finds nothing to do lets the others go."""
        if not self._house.keeps(self._version):
            return
        while (now := Waves(self._redis).find(wave.id, wave.version)) is not None and now.running:
            time.sleep(LOOK)
        if now is not None and (told := foreseen(now)) is not None:
            _say(told.words)
        let_go(self._redis, self._house.fleet(self._version))


@contextlib.contextmanager
def staffed(redis: Client, url: str, version: str, workers: str) -> Iterator[Staffed | None]:
    """None when nobody asked for workers."""
    if not workers:
        yield None
        return
    at = house(url, keep=True)
    try:
        yield Staffed(redis, at, version, workers)
    finally:
        at.close()


def _say(text: str) -> None:
    click.echo(clean(text), err=True)
