"""The lines of workers' logs, as they come from a file or from CloudWatch. Pure.

A line is JSON with `message` and any of `wave`, `entity`, `task`, `level`, `time` (ISO 8601 or Unix seconds), or plain text as a worker
writes it on a terminal: `2026-01-02 03:04:05,678 INFO worker main-1 drains`.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

from engine.fleet.house import About, LogLine

_PLAIN = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) ([A-Z]+) ")


def read_line(worker: str, text: str, at: float = 0.0) -> LogLine:
    """A line of a worker; `at`: when it was written, where the line does not say so itself."""
    if text.startswith("{"):
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if isinstance(told, dict) and "message" in told:
            fields = {name: _text(told.get(name)) for name in ("wave", "entity", "task", "level")}
            return LogLine(_moment(told.get("time")) or at, worker, _text(told["message"]), **fields)
    if found := _PLAIN.match(text):
        moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()
        return LogLine(moment, worker, text[found.end() :], level=found[2])
    return LogLine(at, worker, text)


def is_about(line: LogLine, about: About) -> bool:
    """Whether a line is among those that were asked for."""
    return all(
        not wanted or wanted == is_
        for wanted, is_ in (
            (about.worker, line.worker),
            (about.wave, line.wave),
            (about.entity, line.entity),
            (about.task, line.task),
        )
    )


def _text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _moment(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
