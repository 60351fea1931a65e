"""Versions, the flows each of them has published, and its configuration.

wd:versions            zset  version → when last active (Unix s)
wd:{V}:flows           hash  flow → plan (JSON)
wd:{V}:config:FLOW     hash  "task.key" or "key" → value (JSON)
"""

import time
from collections.abc import Mapping
from typing import Any

from engine.errors import BadKey, BadValue, NotFound
from engine.keys import VERSIONS, check_name, check_text, check_version, version_key
from engine.payload import decode_json, encode_json
from engine.plain import quoted
from engine.plan import Plan
from engine.store.connect import Client

LIFE = 90 * 86400
"""Seconds that a version's catalog outlives its last sign of life."""


class Catalog:
    """What there is to run."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def publish(self, version: str, plans: list[Plan]) -> None:
        """Makes flows known as `version`'s, as data: whoever has not their code can show and trigger them."""
        key = version_key(check_version(version), "flows")
        with self._redis.pipeline(transaction=False) as trip:
            for plan in plans:
                trip.hset(key, plan.flow, plan.to_json())
            self._touch(trip, version)
            trip.execute()

    def touch(self, version: str) -> None:
        """Marks a version as active now."""
        with self._redis.pipeline(transaction=False) as trip:
            self._touch(trip, version)
            trip.execute()

    def _touch(self, trip: Client, version: str) -> None:
        trip.zadd(VERSIONS, {version: int(time.time())})
        trip.zremrangebyscore(VERSIONS, "-inf", int(time.time()) - LIFE)
        trip.expire(VERSIONS, LIFE)
        trip.expire(version_key(version, "flows"), LIFE)

    def versions(self) -> list[str]:
        """The versions, the last active first."""
        return [v.decode() for v in self._redis.zrevrange(VERSIONS, 0, -1)]

    def flows(self, version: str) -> dict[str, Plan]:
        """The flows a version has published."""
        published = self._redis.hgetall(version_key(version, "flows"))
        return {name.decode(): Plan.from_json(data) for name, data in sorted(published.items())}

    def plan(self, version: str, flow: str) -> Plan:
        """One published flow.

        Raises:
            NotFound: the version has published none of that name.
        """
        data = self._redis.hget(version_key(version, "flows"), flow)
        if data is None:
            raise NotFound(f"version {version!r} has published no flow {flow!r} (a worker of it publishes its flows)")
        return Plan.from_json(data)

    def set_config(self, version: str, flow: str, overrides: Mapping[str, Any]) -> None:
        """Overrides of a version: `{"task.key": value}` for one task, `{"key": value}` for every task that has the key.

        Raises:
            BadKey: a name cannot be one; nothing has been written.
            BadValue: a value is not JSON; nothing has been written.
        """
        key = version_key(check_version(version), f"config:{check_name(flow, 'flow')}")
        told = {check_text(name, "config"): _json(name, value) for name, value in overrides.items()}
        with self._redis.pipeline(transaction=False) as trip:
            for name, value in told.items():
                trip.hset(key, name, value)
            trip.expire(key, LIFE)
            trip.execute()

    def config(self, version: str, flow: str) -> dict[str, Any]:
        """The overrides of a version."""
        stored = self._redis.hgetall(version_key(version, f"config:{flow}"))
        return {name.decode(): decode_json(value) for name, value in stored.items()}


def resolve_config(plan: Plan, *layers: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each task's `config` holds: its defaults, then each layer over them (`task.key`, or `key` for all that have it).

    Raises:
        BadKey: a layer names a task or key that does not exist; the text lists what does.
        BadValue: a value is not JSON; the text names the key.
    """
    resolved = {t.name: dict(t.config) for t in plan.tasks}
    for layer in layers:
        for name, value in layer.items():
            _json(name, value)
            task, dot, key = name.rpartition(".")
            if dot and key in resolved.get(task, {}):
                resolved[task][key] = value
                continue
            having = [config for config in resolved.values() if name in config]
            if not having:
                known = sorted(f"{t}.{k}" for t, config in resolved.items() for k in config)
                raise BadKey(f"config {quoted(name)} is of no task of {plan.flow!r}; there are: {', '.join(known) or 'none'}")
            for config in having:
                config[name] = value
    return {task: config for task, config in resolved.items() if config}


def _json(name: str, value: Any) -> bytes:
    try:
        return encode_json(value)
    except BadValue as e:
        raise BadValue(f"config {quoted(name)}: {e}") from None
