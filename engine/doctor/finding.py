"""What the doctor says: a line for each thing that was looked at."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from redis.exceptions import ConnectionError, NoPermissionError, RedisError, ResponseError, TimeoutError

from engine.errors import Refused, WavedeckError

Level = Literal["ok", "warn", "FAIL", "skip"]
"""`warn`: it works, and may not some day; `FAIL`: something does not work, or will be lost; `skip`: it could not be looked at."""


@dataclass(frozen=True)
class Finding:
    """What was found of one thing, and what to do about it; nothing where nothing is to be done."""

    name: str
    level: Level
    found: str
    advice: str = ""


Findings = Finding | Iterable[Finding]


def look(name: str, check: Callable[[], Findings]) -> list[Finding]:
    """What `check` finds. It never raises: what it may not ask is said, and a Redis that goes away is a finding too."""
    try:
        found = check()
        return [found] if isinstance(found, Finding) else list(found)
    except (RedisError, WavedeckError) as e:
        return [_failed(name, e)]
    except Exception as e:  # an answer that nobody expected is no reason to say nothing of the rest
        return [Finding(name, "skip", f"it could not be looked at: {type(e).__name__}: {e}")]


def _failed(name: str, error: Exception) -> Finding:
    sentence = " ".join(str(error).split())[:300]
    if isinstance(error, Refused):
        return Finding(name, "skip", sentence)
    if isinstance(error, NoPermissionError):
        return Finding(name, "skip", f"this Redis user may not ask: {sentence}")
    if isinstance(error, ResponseError):
        return Finding(name, "skip", f"this server does not say: {sentence}")
    if isinstance(error, ConnectionError | TimeoutError):
        return Finding(name, "FAIL", f"Redis went away: {sentence}", "look at its log and at the network between")
    return Finding(name, "FAIL", sentence)
