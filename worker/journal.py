"""What a worker says: lines for a person, or JSON that a log service filters on (`WAVEDECK_LOG_FORMAT=json`).

A JSON line has `time` (ISO 8601, UTC), `level`, `worker`, `version`, `wave`, `entity` (in key form, as pipes name it), `task` and `message`, all of them
always; what a line is not about is empty. What tasks print goes out as such lines too when a cell has ended, with the level INFO,
and a failed cell says why with the level ERROR.

No line is longer than `MOST` bytes: so much a pipe takes in one piece, and the lines of a worker's processes do not mix.
"""

import io
import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec

from engine.errors import Refused
from engine.plain import plain, quoted

MOST = 4096
"""Bytes of a line, its end included."""
LONGEST = 500
"""Characters of an entity that a line tells."""
FORMATS = ("text", "json")


class Journal:
    """Writes JSON lines to a descriptor. A write that fails is lost: no work fails for a log."""

    def __init__(self, worker: str, version: str, fd: int = 2) -> None:
        self.worker, self.version, self.fd = plain(worker), plain(version)[:LONGEST], fd

    def line(
        self, level: str, message: str, *, at: float | None = None, wave: str = "", entity: str = "", task: str = ""
    ) -> bytes:
        """One line with its end. `at`: Unix seconds, now when None. What is too long loses its middle."""
        moment = datetime.fromtimestamp(time.time() if at is None else at, UTC).isoformat(timespec="milliseconds")
        fields = {
            "time": moment.removesuffix("+00:00") + "Z",
            "level": level,
            "worker": self.worker,
            "version": self.version,
            "wave": plain(wave),
            "entity": plain(entity)[:LONGEST],
            "task": plain(task),
        }
        message = plain(message)
        data, kept = _encoded(fields, message), len(message)
        while len(data) >= MOST and kept:
            kept = min(kept - 1, kept * MOST // (len(data) + 1))
            data = _encoded(fields, _cut(message, kept))
        return data + b"\n"

    def say(self, level: str, message: str) -> None:
        """A line about no cell."""
        self._write(self.line(level, message))

    def cell(self, wave: str, task: str, entity: str, log: bytes, error: Mapping[str, str] | None = None) -> None:
        """What a cell printed, line by line, and why it failed. Empty lines are left out."""
        now = time.time()
        told = [("INFO", one) for text in log.decode("utf-8", "backslashreplace").split("\n") if (one := text.rstrip())]
        if error is not None:
            where = f" ({error['where']})" if error.get("where") else ""
            told.append(("ERROR", f"{error['type']}: {error['message']}{where}"))
        out = b""
        for level, message in told:
            line = self.line(level, message, at=now, wave=wave, entity=entity, task=task)
            if len(out) + len(line) > MOST:
                self._write(out)
                out = b""
            out += line
        self._write(out)

    def _write(self, data: bytes) -> None:
        with suppress(OSError):
            if data:
                os.write(self.fd, data)


def set_up(level: str, form: str, worker: str, version: str) -> Journal | None:
    """The worker's own words go to its stderr; what tasks and their libraries log goes where they print, to the cell's log. The journal
    where `form` is json: what this process prints is then lines of it.

    Raises:
        Refused: there is no such format.
    """
    if form not in FORMATS:
        raise Refused(f"WAVEDECK_LOG_FORMAT is {quoted(form)}; it can be {' or '.join(FORMATS)}")
    journal = Journal(worker, version) if form == "json" else None
    handler = logging.StreamHandler()
    handler.setFormatter(_Json(journal) if journal else _Plain("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("wavedeck")
    logger.addHandler(handler)
    logger.setLevel(level if level in logging.getLevelNamesMapping() else "INFO")
    logger.propagate = False
    if journal:
        sys.stdout, sys.stderr = printed(journal, "INFO", 1), printed(journal, "WARNING", 2)
        sys.excepthook = _unforeseen
    return journal


def move(stderr: io.TextIOWrapper, journal: Journal | None) -> Journal | None:
    """In a slot, whose stderr is its tasks': from now on its own words go to what stderr was. The slot's journal."""
    for handler in logging.getLogger("wavedeck").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(stderr)
    return Journal(journal.worker, journal.version, stderr.fileno()) if journal else None


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """What is told of entities and errors holds nothing that a terminal obeys."""
        return plain(super().format(record))


class _Json(logging.Formatter):
    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end. What it is about is the record's `extra`."""
        about = {name: str(record.__dict__.get(name, "")) for name in ("wave", "entity", "task")}
        line = self._journal.line(record.levelname, super().format(record), at=record.created, **about)
        return line[:-1].decode()


class _Printed(io.RawIOBase):
    """Beneath stdout or stderr of the watcher, where flows are imported: what is printed becomes lines of the journal."""

    def __init__(self, journal: Journal, level: str, number: int) -> None:
        self._journal, self._level, self._number, self._rest = journal, level, number, b""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        *lines, self._rest = (self._rest + view).split(b"\n")
        for line in lines:
            self._say(line)
        if len(self._rest) > MOST:
            self.flush()
        return len(view)

    def flush(self) -> None:
        """Says what has no end yet, too: nothing of it is left for a fork to say twice."""
        rest, self._rest = self._rest, b""
        self._say(rest)

    def _say(self, line: bytes) -> None:
        if text := line.decode("utf-8", "backslashreplace").rstrip():
            self._journal.say(self._level, text)


def printed(journal: Journal, level: str, number: int) -> io.TextIOWrapper:
    """A stream whose lines are the journal's, in the place of descriptor `number`'s."""
    raw: Any = _Printed(journal, level, number)
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def _unforeseen(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("wavedeck.worker").critical("the worker ends: %s", kind.__name__, exc_info=(kind, error, trace))


def _encoded(fields: dict[str, str], message: str) -> bytes:
    return msgspec.json.encode({**fields, "message": message})


def _cut(text: str, kept: int) -> str:
    """`kept` characters, more of the end than of the beginning: there stands what a traceback is about."""
    first = kept // 4
    last = text[len(text) - (kept - first) :] if kept > first else ""
    return f"{text[:first]} … {len(text) - kept:,} characters … {last}"
