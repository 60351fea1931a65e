"""The clock of the console: what is drawn asks here, so that it can be stopped."""

import time
from collections.abc import Callable

clock: Callable[[], float] = time.time
"""Where the time comes from."""


def now() -> float:
    """Unix time, seconds."""
    return clock()
