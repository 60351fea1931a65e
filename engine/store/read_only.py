"""A client that can only read: whatever else is asked of it is refused before anything is sent."""

import contextlib
from collections.abc import Iterator
from typing import Any

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import NoPermissionError, ReadOnlyError

from engine.errors import Refused

_READING = """
    get mget getrange substr strlen getbit bitcount bitpos bitfield_ro exists ttl pttl expiretime pexpiretime type
    hget hmget hgetall hkeys hvals hlen hexists hstrlen hscan hrandfield
    lrange llen lindex lpos
    smembers sismember smismember scard sscan srandmember
    zrange zrevrange zrangebyscore zrevrangebyscore zrangebylex zrevrangebylex zcard zcount zlexcount zscore zmscore zrank zrevrank
    zscan
    xrange xrevrange xlen
    scan dbsize time ping echo info role watch unwatch command
"""
READING = frozenset(_READING.split())
"""Commands that change nothing and do not wait."""

_PAIRS = """
    acl_cat acl_dryrun acl_getuser acl_list acl_users acl_whoami
    client_getname client_id client_info client_list
    cluster_info
    command_count command_docs command_info command_list
    config_get
    latency_history latency_latest
    memory_stats memory_usage
    object_encoding object_freq object_idletime object_refcount
    script_exists
    xinfo_consumers xinfo_groups xinfo_stream
"""
READING_PAIRS = frozenset(_PAIRS.split())
"""The same, of commands whose second word says what they do."""


class ReadOnlyRedis(Redis):
    """As `Redis`, for commands that read."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        only_reads(args)
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _ReadOnlyPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)

    def pubsub(self, **_: Any) -> Any:
        raise Refused("read-only: this session does not subscribe")

    def monitor(self) -> Any:
        raise Refused("read-only: this session does not monitor")


class _ReadOnlyPipeline(Pipeline):
    def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        only_reads(args)
        return super().execute_command(*args, **kwargs)  # type: ignore[no-untyped-call]

    def immediate_execute_command(self, *args: Any, **options: Any) -> Any:
        only_reads(args)
        return super().immediate_execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline_execute_command(self, *args: Any, **options: Any) -> Any:
        only_reads(args)
        return super().pipeline_execute_command(*args, **options)


def only_reads(args: tuple[Any, ...]) -> None:
    """Returns when a command changes nothing. Its words may come as one argument or as two.

    Raises:
        Refused: it would.
    """
    text = " ".join(a.decode("utf-8", "replace") if isinstance(a, bytes) else str(a) for a in args[:2])
    first, second, *_ = [*text.lower().split(), "", ""]
    if first not in READING and f"{first}_{second}" not in READING_PAIRS:
        raise Refused(f"read-only: {first.upper() or 'this'} would change something in Redis, and this session may not")


@contextlib.contextmanager
def tidying() -> Iterator[None]:
    """For what a reader clears away as it passes: somebody who may not write leaves it."""
    with contextlib.suppress(Refused, NoPermissionError, ReadOnlyError):
        yield
