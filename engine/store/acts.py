"""The log of acts: who started, re-ran and cancelled what, when, from where.

wd:acts    stream   at most about 10,000 entries, the oldest go first; expires 90 days after the last act
"""

from dataclasses import dataclass, fields
from typing import Literal

from engine.store.connect import Client
from engine.store.scripts import ACT

KEY = "wd:acts"
MOST = 10_000
LIFE = 90 * 86400
LONGEST = 1000
"""Characters of a field that are kept."""

Verb = Literal["trigger", "rerun", "cancel", "schedule", "deploy", "undeploy", "scale", "stop", "skip"]
"""`skip`: a schedule's firing was left out; `wave` is the one for which it was, if any."""


@dataclass(frozen=True)
class Act:
    """One act; those about a fleet name a version and no flow or wave. `at`: Unix ms, Redis' clock; `by`: user@host; `origin`: console, command, schedule, demo, worker …; `entities`: how
    many it was about; `id`: set when it was read."""

    at: int
    verb: str
    by: str
    origin: str
    version: str
    flow: str
    wave: str
    date: str
    entities: int
    detail: str
    id: str = ""


_KEPT = tuple(field.name for field in fields(Act) if field.name not in ("id", "at"))


def words_of(act: Act) -> list[bytes]:
    """Its fields and values, as the log keeps them: without `at` and `id`, which Redis gives."""
    return [text for name in _KEPT for text in (name.encode(), str(getattr(act, name))[:LONGEST].encode("utf-8", "replace"))]


class Acts:
    """Writes and reads the log."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def record(self, act: Act) -> None:
        """Adds an act; its `at` and `id` are what Redis gives it. Sent twice, it is there twice."""
        self.announce(act)

    def announce(self, act: Act) -> str:
        """As `record`, before it is known whether the act will be: its id, for `withdraw`."""
        return str(ACT(self._redis, [KEY], [MOST, LIFE, *words_of(act)]).decode())

    def withdraw(self, act: str) -> None:
        """Takes back an act that was announced and did not happen."""
        self._redis.xdel(KEY, act)

    def recent(self, limit: int = 200, *, wave: str | None = None, before: str | None = None) -> list[Act]:
        """The newest acts, newest first; of one wave only, and older than the act with the id `before`, when given."""
        found: list[Act] = []
        end = f"({before}" if before else "+"
        while len(found) < limit:
            page = self._redis.xrevrange(KEY, end, "-", count=max(limit, 200) if wave else limit - len(found))
            if not page:
                break
            found += [act for act in map(_read, page) if wave is None or act.wave == wave]
            end = f"({page[-1][0].decode()}"
        return found[:limit]


def _read(entry: tuple[bytes, dict[bytes, bytes]]) -> Act:
    name, fields = entry[0].decode(), {k.decode(): v.decode("utf-8", "replace") for k, v in entry[1].items()}
    texts = {f: fields.get(f, "") for f in ("verb", "by", "origin", "version", "flow", "wave", "date", "detail")}
    return Act(at=int(name.partition("-")[0]), entities=int(fields.get("entities", 0)), id=name, **texts)
