"""Connections to Redis."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

from engine.errors import Refused, WavedeckError
from engine.store.read_only import ReadOnlyRedis

if TYPE_CHECKING:
    Client = Any  # redis-py's hints cannot say that this client gives bytes and is not asynchronous
else:
    Client = Redis
"""A client that gives bytes. Values and keys from outside are bytes; what is text is decoded where it is read."""

BLOCK = 5.0
"""Seconds that a blocking command may wait; every socket's timeout is above it."""


class RedisAwayError(WavedeckError):
    """Redis cannot be reached, or refuses us; the text says where and why."""


def connect(url: str, *, timeout: float = BLOCK + 5, retries: int = 3, read_only: bool = False) -> Client:
    """A client of the server at `url` (redis://, rediss://, unix://). Connects when it is first used.

    Parameters:
        timeout: seconds after which a silent server counts as gone.
        read_only: every command that does not read raises `Refused` before anything is sent, in pipelines too.
        retries: how often a command whose connection broke is sent again; all of ours may be repeated.

    Raises:
        RedisAwayError: the URL is none.
    """
    over_tcp = {} if url.startswith("unix:") else {"socket_keepalive": True, "socket_connect_timeout": min(timeout, 5)}
    try:
        return (ReadOnlyRedis if read_only else Redis).from_url(
            url,
            socket_timeout=timeout,
            **over_tcp,
            # A ping is no reading command to an ACL; a reader sends again what a dead connection swallowed.
            health_check_interval=0 if read_only else 30,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), retries),
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
        )
    except ValueError as e:
        raise RedisAwayError(f"{_safe(url)!r} is no Redis URL: {e}") from None


def must_write(redis: Client) -> None:
    """Returns when this client and its user may change what is Wavedeck's on this server; asking changes nothing.

    Raises:
        Refused: they may not; the text says why.
    """
    try:
        redis.unlink("wd:acts:probe")
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


def clock(redis: Client) -> float:
    """Redis' clock, Unix seconds: the one by which claims and times are measured. This machine's where the user may not ask for it."""
    try:
        seconds, micros = redis.time()
    except NoPermissionError:
        return time.time()
    return float(seconds + micros / 1_000_000)


def check(redis: Client, url: str) -> None:
    """Returns when the server answers.

    Raises:
        RedisAwayError: it does not; one sentence without the URL's password.
    """
    try:
        redis.ping()
    except NoPermissionError:
        return  # it answers, if only that
    except RedisError as e:
        raise RedisAwayError(f"no answer from Redis at {_safe(url)}: {e}") from None


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


def _safe(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if rest else url
