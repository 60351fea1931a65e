"""What lies between this machine and Redis: time, clocks, permissions, and scripts that run."""

import time
from collections.abc import Callable, Sequence

from redis.exceptions import NoPermissionError, ReadOnlyError, ResponseError

from engine.doctor.finding import Finding, Level
from engine.errors import Refused
from engine.keys import version_key
from engine.store.connect import Client
from engine.store.read_only import ReadOnlyRedis
from engine.store.scripts import ACT, BEAT, CANCEL, CLAIM, MOVE, RELEASE, RENEW

PINGS = 100
GOOD, SLOW = 0.002, 0.020
"""Seconds: what a trip takes at most on a good link (the median), and what one in a hundred may take."""
AHEAD, ASTRAY = 1.0, 15.0
"""Seconds that clocks may differ: without notice; until workers pass for dead, or for alive."""
SCRIPTS = (CLAIM, MOVE, RELEASE, RENEW, CANCEL, BEAT, ACT)


def latency(redis: Client) -> Finding:
    """How long a trip takes. A worker makes about four for a batch, so this is what small batches cost."""
    times = sorted(_timed(redis.ping) for _ in range(PINGS))
    median, worst = times[PINGS // 2], times[PINGS * 99 // 100]
    found = (
        f"p50 {median * 1000:.2f} ms, p99 {worst * 1000:.2f} ms of {PINGS} pings (good: {GOOD * 1000:g} and {SLOW * 1000:g})"
    )
    if median <= GOOD and worst <= SLOW:
        return Finding("latency", "ok", found)
    return Finding("latency", "warn", found, "run workers near Redis (same zone); SLOWLOG GET says what keeps it busy")


def clock(redis: Client) -> Finding:
    """Leases and times are by Redis' clock, heartbeats and dates by this machine's."""
    before = time.time()
    seconds, micros = redis.time()
    after = time.time()
    off = seconds + micros / 1_000_000 - (before + after) / 2
    doubt = (after - before) / 2
    found = f"this machine is {abs(off):.3f} s {'behind' if off > 0 else 'ahead of'} Redis (± {doubt:.3f} s)"
    if abs(off) - doubt > AHEAD:
        level: Level = "FAIL" if abs(off) - doubt > ASTRAY else "warn"
        return Finding(
            "clock", level, found, "synchronise both (chrony, NTP): workers would pass for dead, waves be about another hour"
        )
    return Finding("clock", "ok", found)


def scripts(redis: Client) -> Finding:
    """The server scripts can be loaded and run. One is run on keys that are not there; it changes nothing."""
    try:
        held = sum(map(bool, redis.script_exists(*(script.sha for script in SCRIPTS))))
        loaded = f"; {held} of {len(SCRIPTS)} were loaded"
    except NoPermissionError:
        loaded = ""
    keys = [f"wd:{{doctor}}:{what}" for what in ("wave", "claims", "leases")]
    try:
        took = _timed(lambda: RENEW(redis, keys, [1000, 0]))
    except NoPermissionError:
        advice = "enough for a console that looks; workers and init need +@scripting, and what scripts call"
        return Finding("scripts", "warn", "this Redis user may not run scripts", advice)
    except (Refused, ReadOnlyError):
        return Finding("scripts", "skip", f"not run: this session changes nothing{loaded}")
    return Finding("scripts", "ok", f"they load and run ({took * 1000:.2f} ms){loaded}")


def permissions(redis: Client, versions: Sequence[str]) -> list[Finding]:
    """What this user may do, found out by what changes nothing."""
    user = "this session (--read-only)" if isinstance(redis, ReadOnlyRedis) else _user(redis)
    reads = [key for key in _keys(versions) if not _may(lambda key=key: redis.get(key))]  # type: ignore[misc]
    if reads:
        return [
            Finding(
                "permissions",
                "FAIL",
                f"{user} may not read {', '.join(map(repr, reads))}",
                "give it ~* or these patterns, and +@read",
            )
        ]
    writes = [key for key in _keys(versions) if not _may(lambda key=key: redis.unlink(key))]  # type: ignore[misc]
    asks: dict[str, Callable[[], object]] = {
        "TIME": redis.time,
        "INFO": lambda: redis.info("memory"),
        "MEMORY USAGE": lambda: redis.memory_usage("wd:doctor"),
        "CONFIG GET": lambda: redis.config_get("timeout"),
    }
    missing = [word for word, ask in asks.items() if not _may(ask)]
    without = f"; without {', '.join(missing)}" if missing else ""
    if len(writes) == len(_keys(versions)):
        advice = "enough for a console that looks; workers and init need +@write and +@scripting on these keys"
        return [Finding("permissions", "warn", f"{user} may read and not write{without}", advice)]
    if writes:
        return [
            Finding(
                "permissions",
                "FAIL",
                f"{user} may not write {', '.join(map(repr, writes))}",
                "give it these patterns, and +@write",
            )
        ]
    if "TIME" in missing:
        return [
            Finding(
                "permissions", "FAIL", f"{user} may read and write{without}", "workers need +time: leases are by Redis' clock"
            )
        ]
    return [Finding("permissions", "ok", f"{user} may read and write{without}")]


def _keys(versions: Sequence[str]) -> list[str]:
    """Keys of every kind that Wavedeck uses, none of which is there."""
    of_versions = [key for v in versions for key in (f"{v}/doctor - 2000-01-01", version_key(v, "doctor"))]
    return ["wd:doctor", "wd:state:{doctor}:in:-", *of_versions]


def _may(act: Callable[[], object]) -> bool:
    try:
        act()
    except (NoPermissionError, ReadOnlyError, Refused):
        return False
    except ResponseError:
        return True  # it does not know the command, or is full: not what was asked
    return True


def _user(redis: Client) -> str:
    try:
        told = redis.acl_whoami()
    except ResponseError:
        return "this user"
    return f"user {told.decode() if isinstance(told, bytes) else told}"


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
