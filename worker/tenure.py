"""Whether what was claimed is still held, and whether its wave goes on: known for a moment after Redis said so, then asked again.

The token in every transition fences the board. It cannot fence a pipe, which lives elsewhere, nor keep a function from being called;
so a slot that was stopped, or cut off from Redis, looks at the clock before it starts a cell or writes a value.
"""

import threading
import time
from collections.abc import Sequence

from engine.store.claims import FRESH, Hold, renew
from engine.store.connect import Client
from engine.store.wave import Wave

SURE = 0.8
"""The part of a lease for which it is certain, whatever the clocks and the wire have added."""
AT_ONCE = 3 * FRESH
"""Seconds that an answer may take; one that took longer is asked for again, `TRIES` times at most: we or Redis stood still meanwhile."""
TRIES = 3


class Tenure:
    """Of one claim. `since`: when it was made or last confirmed (monotonic); `lease` in seconds. Used from several threads."""

    def __init__(self, redis: Client, wave: Wave, lease: float, since: float) -> None:
        self._redis, self._wave, self._lease = redis, wave, lease
        self.since = since
        """When it was last certain that the leases run."""
        self._heard = since
        self._lock = threading.Lock()
        self.lost: frozenset[int] = frozenset()
        """Entities that are no longer ours."""
        self.cancelled = ""
        """Why the wave was cancelled, as far as is known here."""
        self.stands_until = 0.0
        """Until when (monotonic) all is as it was: nothing was lost or cancelled, and it is `fresh` and `sure`."""
        self._look()

    @property
    def fresh(self) -> bool:
        """Whether Redis has just said that the claim stands: something may be started."""
        return time.monotonic() - self._heard < FRESH

    @property
    def sure(self) -> bool:
        """Whether the leases cannot have run out: what was computed may be written."""
        return time.monotonic() - self.since < SURE * self._lease

    def heard(self, asked: float) -> None:
        """Redis has taken a start, asked for at that moment (monotonic)."""
        self._heard = max(self._heard, asked)
        self._look()

    def _look(self) -> None:
        until = min(self._heard + FRESH, self.since + SURE * self._lease)
        self.stands_until = 0.0 if self.lost or self.cancelled else until

    def ask(self, holds: Sequence[Hold]) -> None:
        """Asks about these, prolonging what is ours. When it returns it is `sure`.

        Raises:
            redis.exceptions.RedisError: nobody answered.
        """
        with self._lock:
            if self.fresh and self.sure:
                return  # another thread has asked meanwhile
            tries = 0
            while True:
                asked = time.monotonic()
                told = renew(self._redis, self._wave, holds, self._lease)
                self.lost |= told.lost
                self.cancelled = self.cancelled or told.cancelled
                self._heard = self.since = asked
                self._look()
                tries += 1
                if time.monotonic() - asked < AT_ONCE or (tries >= TRIES and self.sure):
                    return
