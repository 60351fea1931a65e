"""What tasks print. Everything a slot's processes write to stdout or stderr, C code and crash reports included, goes to one
file of the slot; a cell's log is the part that was written while it ran. Threads other than the main one keep their own."""

import contextlib
import fcntl
import io
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

KEPT = 64 * 1024
"""Bytes of a cell's log that are kept: the last ones."""
BRIEF = 20e-6
"""Seconds within which a cell hardly prints past Python's streams: a system call alone takes a tenth of it."""
_TRUNCATE_AT = 8 << 20
MOST = 64 << 20
"""Bytes above which the file is emptied while a cell is still printing."""


class Output:
    """The output file of a slot."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 lives as long as the slot
        self.fd = self._file.fileno()
        self.end = 0
        self._moving = threading.Lock()
        self._counted = _Counted()
        self._looked = 0

    def capture(self) -> io.TextIOWrapper:
        """From now on this process's stdout and stderr are the file. Called once in a slot. Returns what stderr was."""
        stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
        fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_APPEND)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        self.mend()
        return stderr

    def mend(self) -> None:
        """Puts stdout and stderr right again, for the next task, when one has closed or replaced them."""
        for number in (1, 2):
            os.dup2(self.fd, number)
        sys.stdout = _text_stream(1, self.fd, self._counted)
        sys.stderr = _text_stream(2, self.fd, self._counted)

    def cut(self, *, brief: bool = False) -> bytes:
        """What was written since the last call, its last `KEPT` bytes. For the main thread.

        Parameters:
            brief: the cell was so short that only what went through Python's streams is asked for, and the file only when there is some.
        """
        if brief and self._counted.bytes == self._looked:
            return b""
        self._looked = self._counted.bytes
        with self._moving:
            start, self.end = self.end, os.lseek(self.fd, 0, os.SEEK_END)
            return b"" if start == self.end else self.read(start)

    def read(self, start: int) -> bytes:
        """What was written since `start`, its last `KEPT` bytes."""
        end = os.fstat(self.fd).st_size
        start = max(start if start <= end else 0, end - KEPT)  # beyond the end: it was emptied meanwhile
        return os.pread(self.fd, end - start, start) if end > start else b""

    def trim(self) -> None:
        """Empties the file when it has grown large. Only between batches."""
        if self.end > _TRUNCATE_AT:
            os.ftruncate(self.fd, 0)
            self.end = 0

    def bound(self) -> None:
        """Empties the file when a cell prints without end, but for its last `KEPT` bytes: the disk is not the log's. From any thread."""
        if os.fstat(self.fd).st_size > MOST:
            with self._moving:
                last = self.read(0)
                os.ftruncate(self.fd, 0)
                os.write(self.fd, last)
                self.end = 0

    def tail(self) -> bytes:
        """The last that was written, whoever wrote it."""
        return self.read(0)


class _Counted:
    """How many bytes the main thread has written through Python's streams."""

    bytes = 0


def _text_stream(number: int, fd: int, counted: _Counted) -> io.TextIOWrapper:
    """Unbuffered: what was printed before a kill is in the file. What it writes goes to `fd`, whatever becomes of descriptor `number`."""
    raw: Any = _ByThread(number, fd, counted)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


class _ByThread(io.RawIOBase):
    """The main thread's bytes go to the descriptor at once, so that they outlive a kill; another thread's to its own buffer while one
    is set."""

    def __init__(self, number: int, fd: int, counted: _Counted) -> None:
        self._number, self._fd, self._counted = number, fd, counted
        self._main = threading.get_ident()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        buffer: bytearray | None = getattr(_local, "buffer", None)
        view = memoryview(data).cast("B")
        size = len(view)
        if threading.get_ident() == self._main or buffer is None:
            self._counted.bytes += size
            while view:
                view = view[os.write(self._fd, view) :]
        else:
            buffer += view
            if len(buffer) > 4 * KEPT:
                del buffer[:-KEPT]
        return size


_local = threading.local()


@contextlib.contextmanager
def thread_log() -> Iterator[bytearray]:
    """What this thread prints meanwhile is in the buffer."""
    _local.buffer = bytearray()
    try:
        yield _local.buffer
    finally:
        _local.buffer = None
