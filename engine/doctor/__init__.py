"""`wavedeck doctor`: is everything in place for waves to run, and if not, what is to be done?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from redis.exceptions import RedisError

from engine.doctor import ecs as aws
from engine.doctor import link, server, work
from engine.doctor.finding import Finding, Findings, look
from engine.store.catalog import Catalog
from engine.store.connect import Client, RedisAwayError, check
from engine.store.room import Info, room, told_by_nodes

__all__ = ["Finding", "diagnose"]

SEVERITY = ("ok", "skip", "warn", "FAIL")


def diagnose(
    redis: Client, url: str, *, version: str | None = None, flow: str | None = None, environment: Mapping[str, str]
) -> list[Finding]:
    """Looks at everything, changes nothing, and never raises; it takes some ten trips and `link.PINGS` pings.

    Parameters:
        version, flow: only waves and workers of these; all when not given.
        environment: where the variables of ECS are looked for.
    """
    try:
        check(redis, url)
    except RedisAwayError as e:
        away = Finding("redis", "FAIL", str(e), "is it running, is WAVEDECK_REDIS_URL right, may this machine reach it?")
        return [away, *look("ecs", lambda: aws.ecs(environment))]
    found = [Finding("redis", "ok", "it answers"), *_server(redis)]
    versions = [version] if version is not None else _versions(redis)
    checks: dict[str, Callable[[], Findings]] = {
        "latency": lambda: link.latency(redis),
        "clock": lambda: link.clock(redis),
        "permissions": lambda: link.permissions(redis, versions[:1] or ["main"]),
        "scripts": lambda: link.scripts(redis),
        "next wave": lambda: work.room_for_next(redis, versions, flow),
        "workers": lambda: work.crews(redis, versions),
        "ecs": lambda: aws.ecs(environment),
    }
    for name, ask in checks.items():
        found += look(name, ask)
    return found


def _server(redis: Client) -> list[Finding]:
    """All that INFO and CONFIG say."""
    told: dict[str, Info] = {}

    def ask() -> Findings:
        told.update(told_by_nodes(redis))
        return ()

    if refused := look("server", ask):
        without = "; version, eviction, memory, persistence, replication and clients are not looked at"
        return [
            *(replace(finding, found=finding.found + without) for finding in refused),
            *look("timeouts", lambda: server.timeouts(redis)),
        ]
    found = _each("version", told, server.version)
    found += look("memory", lambda: _room(redis))
    found += _each("persistence", told, lambda info: server.persistence(info, redis))
    found += _each("replication", told, server.replication)
    if any(info.get("cluster_enabled") for info in told.values()):
        found += look("cluster", lambda: server.cluster(redis))
    found += _each("clients", told, server.clients)
    return found + look("timeouts", lambda: server.timeouts(redis))


def _each(name: str, told: Mapping[str, Info], check: Callable[[Info], Finding]) -> list[Finding]:
    """What is found of the node that is worst off."""
    found = [(node, finding) for node, info in told.items() for finding in look(name, partial(check, info))]
    node, worst = max(found, key=lambda pair: SEVERITY.index(pair[1].level))
    if len(found) == 1:
        return [worst]
    where = f"node {node}: " if worst.level != "ok" else f"all {len(found)} nodes: "
    return [replace(worst, found=where + worst.found)]


def _room(redis: Client) -> Findings:
    there = room(redis)
    return () if there is None else (server.eviction(there), server.memory(there))


def _versions(redis: Client) -> list[str]:
    try:
        return Catalog(redis).versions()
    except RedisError:
        return []
