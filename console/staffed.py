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
from engine.capacity import Bounds
from engine.errors import WavedeckError
from engine.fleet.house import FleetError
from engine.fleet.scaling import Staffing, let_go
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.fleet.house import House
    from engine.store.connect import Client
    from engine.store.wave import Wave

LOOK = 0.2
"""Seconds between two looks at a wave that this command waits for."""


class Staffed:
    """Who sees to a wave's workers, and to its end where they are this command's own. `staff`: what `launch` takes; None for nobody."""

    def __init__(self, redis: Client, at: House | None, version: str, workers: str) -> None:
        self._redis, self._house, self._version = redis, at, version
        self.staff = Staffing(redis, at.fleet(version), workers=workers, tell=_say) if at is not None else None

    def see_out(self, wave: Wave) -> None:
        """Waits for the wave's end where the workers end with this command, says how it went, and lets them go. Elsewhere it returns at
        once: the last worker that finds nothing to do lets the others go."""
        if self._house is None or not self._house.keeps(self._version):
            return
        fleet, warned = self._house.fleet(self._version), False
        while (now := Waves(self._redis).find(wave.id, wave.version)) is not None and now.running:
            if not warned and (broken := [w for w in fleet.workers(stopped=True) if w.exit]):
                _say(f"a worker ended by itself ({broken[0].reason}); ctrl-c gives up")
                warned = True
            time.sleep(LOOK)
        if now is not None and (told := foreseen(now)) is not None:
            _say(told.words)
        let_go(self._redis, fleet)


@contextlib.contextmanager
def staffed(redis: Client, url: str, version: str, workers: str) -> Iterator[Staffed]:
    """Who sees to the workers of the version's next wave. `workers`: as `capacity.Bounds.parse` reads it, `none`, or ""
    for `auto` where the version has a fleet on ECS and `none` elsewhere.

    Raises:
        Refused: `workers` is nothing of that.
    """
    if workers not in ("", "none"):
        Bounds.parse(workers, 1)
    at = _house(url, workers) if workers != "none" else None
    if at is not None and not workers and not _said_if_not(at, version):
        at = None
    try:
        yield Staffed(redis, at, version, workers or "auto")
    finally:
        if at is not None:
            at.close()


def by_default(redis: Client, version: str) -> Staffing | None:
    """Who sees to the workers of a wave that the console starts: of a version that is deployed to ECS as many as it needs; else nobody."""
    try:
        at = _house("", "")
        return Staffing(redis, at.fleet(version)) if at is not None and _deployed(at, version) else None
    except WavedeckError:  # settings that are wrong keep no wave from being started
        return None


def _house(url: str, workers: str) -> House | None:
    """The house to ask; by default only one that has to be deployed to."""
    at = house(url, keep=True)
    return at if workers or at.name == "ecs" else None


def _said_if_not(at: House, version: str) -> bool:
    """Whether it is deployed. A wave that nobody asked workers for is started all the same when nobody can be asked."""
    try:
        return _deployed(at, version)
    except FleetError as e:
        _say(f"no workers could be asked for: {e}")
        return False


def _deployed(at: House, version: str) -> bool:
    return at.fleet(version).desired().state != "absent"


def _say(text: str) -> None:
    click.echo(clean(text), err=True)
