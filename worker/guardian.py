"""Ends the commands of a worker that was killed.

A slot that dies leaves its commands to the watcher, and the slots of a watcher that dies go with it (its death signal reaches
them), but nobody would be left for the commands they had started: they are in process groups of their own. So the watcher forks
one process before all others that waits, without work, for its end: the reading end of a pipe whose writing end the watcher alone holds.
"""

import contextlib
import os
import signal
from collections.abc import Sequence

from worker.processes import kill_group
from worker.shared import Board


class Guardian:
    """The process that waits. To be forked before there are slots, which must `leave` it."""

    def __init__(self, boards: Sequence[Board]) -> None:
        read, self._held = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                os.close(self._held)
                _wait(read)
                end_groups(boards)
            os._exit(0)
        os.close(read)

    def leave(self) -> None:
        """In a slot, right after its fork: only the watcher's end is to be waited for."""
        os.close(self._held)

    def close(self) -> None:
        """The watcher ends in order and has ended all commands itself."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        os.close(self._held)


def end_groups(boards: Sequence[Board]) -> None:
    """SIGKILL to every command that a slot runs."""
    for board in boards:
        for group in board.groups():
            kill_group(group)


def _wait(read: int) -> None:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(read, 1):
        pass
