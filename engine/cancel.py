"""Cancelling a wave."""

import time
from dataclasses import dataclass

from redis.exceptions import ResponseError

from engine.errors import Refused
from engine.keys import check_text
from engine.store.acts import Act, Acts
from engine.store.claims import FRESH
from engine.store.connect import Client, must_write
from engine.store.wave import Wave
from engine.store.waves import Waves

SETTLE = 4 * FRESH
"""Seconds after which no cell is started on an answer from before the cancellation; more than one `FRESH`, since a busy machine is late."""


@dataclass(frozen=True)
class Cancelled:
    """Cells that were cancelled at once, and entities that workers still hold and will cancel."""

    cells: int
    held: int


def cancel(redis: Client, wave: Wave, *, by: str, reason: str = "cancelled", origin: str = "engine") -> Cancelled:
    """Ends a wave: when this returns, nothing of it starts any more. Takes the same time whatever the wave's size.

    The act is in the log before it is done, so that none is done that is not there.

    Parameters:
        origin: from where it is cancelled, for the log of acts: console, command ….

    Raises:
        Refused: it has ended, was cancelled before, or this user may not write.
        BadKey: `reason` or `by` is no text that can be kept; nothing has been done.
    """
    must_write(redis)
    check_text(reason, "reason")
    check_text(by, "by")
    acts = Acts(redis)
    told = acts.announce(
        Act(0, "cancel", by, origin, wave.version, wave.flow, wave.id, str(wave.date), wave.n, reason),
    )
    try:
        done = Waves(redis).cancel(wave, reason, by)
    except ResponseError:
        acts.withdraw(told)
        raise
    if done is None:
        acts.withdraw(told)
        raise Refused(f"wave {wave.id} ({wave.locator}) has ended already")
    if done[1]:
        time.sleep(SETTLE)
    return Cancelled(*done)
