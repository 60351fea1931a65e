"""Connections to Redis."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ReadOnlyError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from engine.errors import Refused, WavedeckError
from engine.store.address import Address, safe
from engine.store.read_only import ReadOnlyRedis

if TYPE_CHECKING:
    Client = Any  # redis-py's hints cannot say that this client gives bytes and is not asynchronous
else:
    Client = Redis
"""A client that gives bytes. Values and keys from outside are bytes; what is text is decoded where it is read."""

AWAY = (RedisConnectionError, RedisTimeoutError, ReadOnlyError)
"""What a client raises while Redis is away, or is about to be another server: after a failover the old one only reads."""

PROBE = "wd:acts:probe"
"""A key that is never there: who may delete it may act."""

BLOCK = 5.0
"""Seconds that a blocking command may wait; every socket's timeout is above it."""


class RedisAwayError(WavedeckError):
    """Redis cannot be reached, or refuses us; the text says where and why."""


def connect(url: str, *, timeout: float = BLOCK + 5, retries: int = 3, read_only: bool = False) -> Client:
    """A client of the Redis at `url`: a server, a cluster, or the server that Sentinels name (`address.py`). Connects when it is
    first used, to a cluster when it is made.

    Parameters:
        timeout: seconds after which a silent server counts as gone.
        read_only: every command that does not read raises `Refused` before anything is sent, in pipelines too.
        retries: how often a command whose connection broke is sent again; all of ours may be repeated.

    Raises:
        RedisAwayError: the URL is none, or no node of the cluster answers.
    """
    try:
        address = Address.of(url)
        options = {"socket_timeout": timeout, **({} if url.startswith("unix:") else _over_tcp(timeout))}
        # A ping is no reading command to an ACL; a reader sends again what a dead connection swallowed.
        options["health_check_interval"] = 0 if read_only else 30
        options["retry"] = Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), retries)
        if address.house == "cluster":
            return _cluster(url, address, options, read_only=read_only)
        options["retry_on_error"] = [RedisConnectionError, RedisTimeoutError]
        kind = ReadOnlyRedis if read_only else Redis
        if address.house == "sentinel":
            return _behind_sentinels(address, options, kind)
        return kind.from_url(url, **options)
    except (ValueError, TypeError) as e:
        raise RedisAwayError(f"{safe(url)!r} is no Redis URL: {e}") from None


def _over_tcp(timeout: float) -> dict[str, Any]:
    return {"socket_keepalive": True, "socket_connect_timeout": min(timeout, 5)}


def _cluster(url: str, address: Address, options: dict[str, Any], *, read_only: bool) -> Client:
    from redis.cluster import ClusterNode

    from engine.store.cluster import Cluster, ReadOnlyCluster

    more = [
        ClusterNode(host, port)  # type: ignore[no-untyped-call]
        for host, port in address.nodes[1:]
    ]
    try:
        return (ReadOnlyCluster if read_only else Cluster)(url=address.url, startup_nodes=more, **options)
    except RedisError as e:
        raise RedisAwayError(f"no answer from Redis at {safe(url)}: {e}") from None


def _behind_sentinels(address: Address, options: dict[str, Any], kind: type[Redis]) -> Client:
    from redis.connection import parse_url

    from engine.store.sentinel import Sentinels

    server = parse_url(address.url)  # type: ignore[no-untyped-call]
    tls = {name: value for name, value in server.items() if name.startswith("ssl_")}
    tls |= {"ssl": True} if address.url.startswith("rediss:") else {}
    server = {name: value for name, value in server.items() if name not in ("host", "port", "connection_class")}
    options |= server | tls
    return Sentinels(address, tls).master_for(address.master, redis_class=kind, **options)  # type: ignore[no-untyped-call]


def must_write(redis: Client) -> None:
    """Returns when this client and its user may change what is Wavedeck's on this server; asking changes nothing.

    Raises:
        Refused: they may not; the text says why.
    """
    with refusals():
        redis.unlink(PROBE)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Says of whatever refuses to unlink `PROBE` why this session may not write."""
    try:
        yield
    except Refused:
        raise Refused("read-only: this session changes nothing") from None
    except NoPermissionError:
        raise Refused("read-only: this Redis user may not write") from None
    except ReadOnlyError:
        raise Refused("read-only: this Redis is a replica; acts go to its primary") from None


def can_write(redis: Client) -> bool:
    """Whether `must_write` returns."""
    try:
        must_write(redis)
    except Refused:
        return False
    return True


def find_anew(redis: Client, error: Exception) -> None:
    """When `error` says that the server only reads by now, drops the client's connections: its next command goes to whoever is behind
    its URL then."""
    if isinstance(error, ReadOnlyError) and isinstance(redis, Redis):
        redis.connection_pool.disconnect()


def clock(redis: Client) -> float:
    """Redis' clock, Unix seconds: the one by which claims and times are measured. This machine's where the user may not ask for it."""
    try:
        return time_of(redis.time())
    except NoPermissionError as e:
        return time_of(e)


def time_of(reply: Any) -> float:
    """What TIME answered, or the error that it did: as `clock` says."""
    if isinstance(reply, NoPermissionError):
        return time.time()
    if isinstance(reply, Exception):
        raise reply
    seconds, micros = map(int, reply)
    return seconds + micros / 1_000_000


def check(redis: Client, url: str) -> None:
    """Returns when the Redis answers, and is what its URL says.

    Raises:
        RedisAwayError: it does not, or is not; one sentence without the URL's password.
    """
    try:
        redis.ping()
        mode = redis.info("server").get("redis_mode", "") if isinstance(redis, Redis) else ""
    except ResponseError:
        return  # it answers, if only that: it may not be asked, or cannot tell
    except RedisError as e:
        raise RedisAwayError(f"no answer from Redis at {safe(url)}: {e}") from None
    if mode == "cluster":
        raise RedisAwayError(
            f"{safe(url)} is a node of a Redis Cluster; its URL begins with redis+cluster:// (or rediss+cluster://)"
        )
    if mode == "sentinel":
        raise RedisAwayError(f"{safe(url)} is a Sentinel; the URL of what it watches is redis+sentinel://host:port/NAME")


def expire_no_sooner(redis: Client, keys: Sequence[str], when: int) -> None:
    """Lets keys that several writers share live until `when` (Unix seconds), or longer where somebody said so already."""
    with redis.pipeline(transaction=False) as trip:
        for key in keys:
            trip.ttl(key)
        lives = trip.execute()
        now = time.time()
        for key, life in zip(keys, lives, strict=True):
            if life < 0 or now + life < when:
                trip.expireat(key, when)
        trip.execute()
