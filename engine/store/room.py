"""Room in Redis: what is used, what may be used, and what happens when there is none left."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from redis.exceptions import OutOfMemoryError, ResponseError

from engine.store.connect import Client


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


def room(redis: Client) -> Room | None:
    """The room there is; None where this user may not ask for it, or the server cannot say."""
    try:
        told = redis.info("memory")
    except ResponseError:
        return None
    if "used_memory" not in told:
        return None
    used = int(told["used_memory"]) - int(told.get("mem_not_counted_for_evict", 0))
    return Room(
        used, int(told.get("maxmemory", 0)), int(told.get("total_system_memory", 0)), str(told.get("maxmemory_policy", ""))
    )
