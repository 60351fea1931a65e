"""A program in a terminal of its own: what it has drawn, when it drew it, and what it costs. Linux only."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.cells import cell_len

_TOKEN = re.compile(
    r"\x1b\[(?P<parameters>[\x30-\x3f]*)[\x20-\x2f]*(?P<final>[\x40-\x7e])"  # cursor, colours, modes
    r"|\x1b[\]PX^_](?:(?!\x07|\x1b\\).)*(?:\x07|\x1b\\)"  # titles and the like
    r"|\x1b[\x20-\x2f]*[\x30-\x5a\x5c\x60-\x7e]"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f])"
    r"|(?P<text>[^\x00-\x1f]+)",
    re.DOTALL,
)


_SIZES = ("COLUMNS", "LINES")
"""What says to a program how large another terminal is."""


class Grid:
    """The cells of a terminal, as far as programs that place the cursor themselves need one. `cells[y][x]` is "" beside a wide one."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.cells = [[" "] * width for _ in range(height)]
        self.drawn: set[tuple[int, str]] = set()
        """(row, text) of each piece of text written since somebody cleared this."""
        self._x = self._y = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> None:
        """Draws what a program has written; half a sequence waits for its other half."""
        text, at = self._rest + self._decoder.decode(data), 0
        while at < len(text) and (token := _TOKEN.match(text, at)):
            at = token.end()
            if words := token["text"]:
                self._write(words)
            elif control := token["control"]:
                self._control(control)
            elif token["final"]:
                self._sequence(token["parameters"], token["final"])
        self._rest = text[at:]

    def line(self, y: int) -> str:
        """A row as text."""
        return "".join(self.cells[y])

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(map(self.line, range(self.height)))

    def _write(self, words: str) -> None:
        self.drawn.add((self._y, words))
        for char in words:
            wide = 1 if char.isascii() else cell_len(char)
            if not 0 <= self._y < self.height or self._x + wide > self.width:
                continue
            row = self.cells[self._y]
            if wide == 0:
                if self._x:
                    row[self._x - 1] += char
                continue
            row[self._x] = char
            for beside in range(1, wide):
                row[self._x + beside] = ""
            self._x += wide

    def _control(self, control: str) -> None:
        if control == "\n":
            self._x, self._y = 0, self._y + 1
        elif control == "\r":
            self._x = 0

    def _sequence(self, parameters: str, final: str) -> None:
        if final == "H":
            y, _, x = parameters.partition(";")
            self._y, self._x = int(y or 1) - 1, int(x or 1) - 1
        elif final == "J" and parameters == "2":
            self.cells = [[" "] * self.width for _ in range(self.height)]


class Terminal:
    """Runs `command` in a terminal. Close it, or use it in a `with` block; `began` is when it was executed (monotonic seconds)."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        width: int = 160,
        height: int = 45,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.grid = Grid(width, height)
        self.bytes = 0
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST  # as a program that draws sets it: a newline is one
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        more = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        self.began = time.monotonic()
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**{k: v for k, v in os.environ.items() if k not in _SIZES}, **more, **(env or {})},
            start_new_session=True,
            preexec_fn=_take_terminal,  # noqa: PLW1509 - nothing else runs threads here when programs start
        )
        os.close(slave)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def press(self, keys: bytes) -> float:
        """Types; when that was."""
        at = time.monotonic()
        os.write(self._master, keys)
        return at

    def read(self, timeout: float) -> float | None:
        """Draws what comes within `timeout` seconds, once; when it came, None for nothing."""
        if not select.select([self._master], [], [], max(timeout, 0))[0]:
            return None
        at = time.monotonic()
        try:
            data = os.read(self._master, 1 << 20)
        except OSError:  # its end
            data = b""
        if not data:
            raise EOFError(f"the program has ended:\n{self.grid.text}")
        self.bytes += len(data)
        self.grid.feed(data)
        return at

    def until(self, true: Callable[[Grid], object], timeout: float = 30.0, what: str = "") -> float:
        """Reads until `true` of the grid; when that was drawn.

        Raises:
            TimeoutError: it was not within `timeout` seconds.
        """
        end = time.monotonic() + timeout
        at: float | None = time.monotonic()
        while True:
            if at is not None and true(self.grid):
                return at
            if time.monotonic() > end:
                raise TimeoutError(f"not within {timeout:g} s: {what}\n{self.grid.text}")
            at = self.read(min(0.5, end - time.monotonic()))

    def watch(self, seconds: float) -> None:
        """Reads for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def close(self) -> None:
        """Ends the program and all that it started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        end = time.monotonic() + 5
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(EOFError):
                self.read(0.05)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(5)
        with contextlib.suppress(OSError):
            os.close(self._master)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used, all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cpu_exact(pid: int) -> float:
    """As `cpu_of`, to the nanosecond, from the scheduler's own account of each thread that still lives."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_of(pid: int) -> float:
    """Resident memory of a process in MB (10**6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
