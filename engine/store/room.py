"""Room in Redis: what is used, what may be used, and what happens when there is none left."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from redis import RedisCluster
from redis.exceptions import OutOfMemoryError, ResponseError

from engine.store.connect import Client

Info = Mapping[str, Any]
"""What INFO says."""


def is_full(error: BaseException) -> bool:
    """Whether Redis refused a command since it is over its `maxmemory`."""
    # Of a script's command, Redis 6.2 says it in the text of another error.
    return isinstance(error, OutOfMemoryError) or (
        isinstance(error, ResponseError) and "-OOM command not allowed" in str(error)
    )


@contextlib.contextmanager
def unless_full() -> Iterator[None]:
    """For what can be left undone when Redis is full."""
    try:
        yield
    except ResponseError as e:
        if not is_full(e):
            raise


def sized(number: float) -> str:
    """A number of bytes as people read it: `812 bytes`, `12.3 MB`."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size * 0.9995:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} bytes"


@dataclass(frozen=True)
class Room:
    """Bytes that are used and that may be (`maxmemory`, 0 for no limit), the machine's memory (0 where it is not told), and what happens
    when all of it is used."""

    used: int
    limit: int
    machine: int
    policy: str

    @property
    def free(self) -> int | None:
        """What is left below `maxmemory`; None without one."""
        return max(self.limit - self.used, 0) if self.limit else None

    @property
    def full(self) -> bool:
        """Whether Redis refuses what needs room."""
        return self.free == 0 and self.policy == "noeviction"

    @property
    def warning(self) -> str:
        """A sentence when Redis may delete what is ours; "" when it may not."""
        if self.policy in ("noeviction", ""):
            return ""
        when = "once it is full" if self.limit else "as soon as a maxmemory is set"
        return (
            f"Redis deletes pipes and boards of waves {when}: its maxmemory-policy is {self.policy}; "
            "set it to noeviction (CONFIG SET maxmemory-policy noeviction, or the parameter group)"
        )


def told_by_nodes(redis: Client, *sections: str) -> dict[str, Info]:
    """INFO of each node that takes writes, by its name; of a server that is alone under "".

    Raises:
        redis.exceptions.RedisError: it may not be asked, or somebody does not answer.
    """
    if isinstance(redis, RedisCluster):
        nodes = redis.get_primaries()  # type: ignore[no-untyped-call]
        return {node.name: redis.info(*sections, target_nodes=node) for node in nodes}
    return {"": redis.info(*sections)}


def room(redis: Client) -> Room | None:
    """The room there is; None where this user may not ask for it, or the server cannot say. Of a cluster that of all its nodes, were
    each as full as the fullest: what is written goes to all of them alike, and a wave's board to one."""
    try:
        nodes = [_room(told) for told in told_by_nodes(redis, "memory").values() if "used_memory" in told]
    except ResponseError:
        return None
    if not nodes:
        return None
    tightest = min(nodes, key=lambda node: node.limit - node.used if node.limit else math.inf)
    policy = next((node.policy for node in nodes if node.policy not in ("noeviction", "")), tightest.policy)
    many = len(nodes)
    return Room(tightest.used * many, tightest.limit * many, tightest.machine * many, policy)


def has_limit(reply: Any) -> bool:
    """Whether there is a maxmemory, by what INFO answered of memory; not where it may not be asked or cannot be told, as for `room`."""
    if isinstance(reply, Exception) and not isinstance(reply, ResponseError):
        raise reply
    limit = b"" if isinstance(reply, Exception) else reply.partition(b"\nmaxmemory:")[2][:1]
    return limit.isdigit() and limit != b"0"


def _room(told: Info) -> Room:
    used = int(told["used_memory"]) - int(told.get("mem_not_counted_for_evict", 0))
    return Room(
        used, int(told.get("maxmemory", 0)), int(told.get("total_system_memory", 0)), str(told.get("maxmemory_policy", ""))
    )
