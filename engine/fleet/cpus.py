"""How many CPUs there are for us."""

import os
import sys


def cpus() -> int:
    """How many CPUs this process may use; 1 at least."""
    if sys.platform == "linux":
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
