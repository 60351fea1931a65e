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

from engine.errors import WavedeckError

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
        retries: how often a command whose connection broke is sent again; all of ours may be repeated.

    Raises:
        RedisAwayError: the URL is none.
    """
    over_tcp = {} if url.startswith("unix:") else {"socket_keepalive": True, "socket_connect_timeout": min(timeout, 5)}
    try:
        return Redis.from_url(
            url,
            socket_timeout=timeout,
            **over_tcp,
            health_check_interval=30,
            retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), retries),
            retry_on_error=[RedisConnectionError, RedisTimeoutError],
        )
    except ValueError as e:
        raise RedisAwayError(f"{_safe(url)!r} is no Redis URL: {e}") from None


def can_write(redis: Client) -> bool:
    """Whether this user may change anything of Wavedeck's on this server; asking changes nothing."""
    try:
        redis.unlink("wd:acts:probe")
    except (NoPermissionError, ReadOnlyError):
        return False
    return True


def check(redis: Client, url: str) -> None:
    """Returns when the server answers.

    Raises:
        RedisAwayError: it does not; one sentence without the URL's password.
    """
    try:
        redis.ping()
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
