"""The clock of the console: what is drawn asks here, so that a test can stop it."""

import time


def now() -> float:
    """Unix time, seconds."""
    return time.time()
