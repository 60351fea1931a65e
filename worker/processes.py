"""What a worker does with processes of the system: they die with it, are ended by group, and weigh something."""

import contextlib
import ctypes
import os
import resource
import signal
import sys

PDEATHSIG = 1
CHILD_SUBREAPER = 36


def die_with(parent: int) -> None:
    """On Linux, this process ends when its parent does, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


def adopt() -> None:
    """On Linux, what this process's children leave behind becomes its own child, as it does where this is process 1 of a container."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(CHILD_SUBREAPER, 1)


def kill_group(group: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Signals a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, how)


def resident(pid: int) -> int:
    """Resident bytes of a process; 0 where that cannot be read."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:  # noqa: PTH123 read twice a second
            return int(f.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0
