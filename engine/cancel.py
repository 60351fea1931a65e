"""Cancelling a wave."""

from dataclasses import dataclass

from engine.errors import Refused
from engine.store.connect import Client
from engine.store.wave import Wave
from engine.store.waves import Waves


@dataclass(frozen=True)
class Cancelled:
    """Cells that were cancelled at once, and entities that workers still hold and will cancel."""

    cells: int
    held: int


def cancel(redis: Client, wave: Wave, *, by: str, reason: str = "cancelled") -> Cancelled:
    """Ends a wave: when this returns, nothing of it starts any more. Takes the same time whatever the wave's size.

    Raises:
        Refused: it has ended, or was cancelled before.
    """
    done = Waves(redis).cancel(wave, reason, by)
    if done is None:
        raise Refused(f"wave {wave.id} ({wave.locator}) has ended already")
    return Cancelled(*done)
