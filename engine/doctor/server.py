"""How the Redis server is set up: its version, what it deletes, what it keeps, whom it lets in."""

import re
from typing import Any

from redis.exceptions import ResponseError

from engine.doctor.finding import Finding, Level
from engine.store.connect import BLOCK, Client
from engine.store.room import Info, Room, sized

OLDEST = (6, 2)
CROWDED, FULL = 0.8, 0.95
"""Shares of `maxclients` above which there is a warning, a failure."""
OUTPUT = 256 * 1024 * 1024
"""Bytes that a reader's output buffer should be allowed: several of the largest pipes in one trip."""


def version(info: Info) -> Finding:
    """Redis 6.2 or later, or Valkey."""
    kind = "Valkey" if "valkey_version" in info else "Redis"
    told = str(info.get("valkey_version") or info["redis_version"])
    number = tuple(int(part) for part in re.findall(r"\d+", str(info["redis_version"]))[:2])
    if number < OLDEST:
        return Finding("version", "FAIL", f"{kind} {told}", "Wavedeck needs Redis 6.2 or later, or Valkey")
    return Finding("version", "ok", f"{kind} {told}")


def eviction(room: Room) -> Finding:
    """Nothing of ours may be deleted to make room."""
    if not room.warning:
        return Finding("eviction", "ok", "noeviction: nothing is deleted before its time")
    advice = "CONFIG SET maxmemory-policy noeviction, or the parameter group of ElastiCache"
    when = "when memory is full" if room.limit else "as soon as a maxmemory is set"
    found = f"maxmemory-policy is {room.policy}: Redis deletes pipes and boards of waves {when}"
    return Finding("eviction", "FAIL" if room.limit else "warn", found, advice)


def memory(room: Room) -> Finding:
    """There is a limit, and room below it."""
    if room.free is None:
        found = f"{sized(room.used)} used, and no maxmemory" + (
            f" on a machine of {sized(room.machine)}" if room.machine else ""
        )
        return Finding(
            "memory", "warn", found, "set maxmemory below the machine's memory: a full Redis refuses, a killed one forgets"
        )
    found = f"{sized(room.used)} used of {sized(room.limit)}"
    if not room.free:
        return Finding("memory", "FAIL", f"full: {found}", "raise maxmemory, or let pipes expire sooner (the flow's `keep`)")
    return Finding("memory", "warn" if room.free < room.limit * 0.1 else "ok", found)


def persistence(info: Info, redis: Client) -> Finding:
    """What a restart leaves."""
    if info.get("rdb_last_bgsave_status", "ok") != "ok" or info.get("aof_last_write_status", "ok") != "ok":
        return Finding(
            "persistence", "FAIL", "the last write to disk failed; Redis may refuse writes now", "look at its log and its disk"
        )
    if info.get("aof_enabled"):
        return Finding("persistence", "ok", "append-only file")
    advice = "appendonly yes, or a replica: else queued waves and all pipes are gone with a restart"
    try:
        save = redis.config_get("save").get("save", "")
    except ResponseError:
        return Finding("persistence", "warn", "no append-only file; whether there are snapshots may not be asked", advice)
    if save:
        return Finding("persistence", "warn", f"snapshots only (save {save}): a restart loses what came after the last", advice)
    return Finding("persistence", "warn", "none: a restart forgets everything", advice)


def replication(info: Info) -> Finding:
    """We talk to a primary, of a whole cluster if it is one."""
    if info.get("role") == "slave":
        primary = f"{info.get('master_host')}:{info.get('master_port')}"
        return Finding(
            "replication",
            "FAIL",
            f"this is a replica of {primary}: it takes no writes",
            "point WAVEDECK_REDIS_URL at the primary",
        )
    if info.get("cluster_enabled"):
        return Finding("replication", "ok", "a node of a cluster")
    many = int(info.get("connected_slaves", 0))
    return Finding("replication", "ok", f"primary with {many} {'replica' if many == 1 else 'replicas'}")


def cluster(redis: Client) -> Finding:
    """Every slot of a cluster is served."""
    told = redis.execute_command("CLUSTER INFO")
    state = told if isinstance(told, dict) else dict(line.split(":", 1) for line in _text(told).split() if ":" in line)
    if state.get("cluster_state") == "ok":
        return Finding("cluster", "ok", f"{state.get('cluster_size')} shards, all slots served")
    found = f"cluster_state is {state.get('cluster_state')}, {state.get('cluster_slots_ok')} of 16384 slots served"
    return Finding("cluster", "FAIL", found, "CLUSTER NODES says which node is missing")


def clients(info: Info) -> Finding:
    """More may connect."""
    connected, most = int(info["connected_clients"]), int(info.get("maxclients", 0))
    found = f"{connected:,} connected" + (f" of {most:,} (maxclients)" if most else "")
    share = connected / most if most else 0.0
    level: Level = "FAIL" if share >= FULL else "warn" if share >= CROWDED else "ok"
    return Finding(
        "clients",
        level,
        found,
        "" if level == "ok" else "raise maxclients, or fewer slots: a worker has a connection a slot and one more",
    )


def timeouts(redis: Client) -> Finding:
    """Nobody who waits, and nobody who reads much, is thrown out."""
    told = {**redis.config_get("timeout"), **redis.config_get("client-output-buffer-limit")}
    idle = int(told.get("timeout", 0))
    if 0 < idle <= BLOCK * 2:
        found = f"idle connections are closed after {idle} s (timeout)"
        return Finding("timeouts", "warn", found, "CONFIG SET timeout 0, or 60 and more: idle slots say something every 5 s")
    words = str(told.get("client-output-buffer-limit", "")).split()
    hard = int(words[words.index("normal") + 1]) if "normal" in words else 0
    if 0 < hard < OUTPUT:
        found = f"readers of more than {sized(hard)} at once are thrown out (client-output-buffer-limit normal)"
        return Finding("timeouts", "warn", found, f"CONFIG SET client-output-buffer-limit 'normal {OUTPUT} 0 0', or 0 0 0")
    return Finding(
        "timeouts", "ok", f"idle connections {f'live {idle} s' if idle else 'stay open'}; readers of large values are let be"
    )


def _text(told: Any) -> str:
    return told.decode() if isinstance(told, bytes) else str(told)
