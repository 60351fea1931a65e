"""Many commands in one trip, for those whom redis-py's pipeline costs more than the commands do.

Connections, timeouts, retries, TLS and health checks are redis-py's; only what its pipeline and pool do for each command and trip
(packing in steps, a system call for each few kilobytes, callbacks for each reply, counting who has a connection) is left out: it was
two fifths of a slot's CPU. A connection that has served a trip is kept for the next one of the same client.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import hiredis
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from engine.store.connect import Client

CHUNK = 1 << 18
"""Bytes that are sent by one system call, about."""
RESTED = 0.05
"""Seconds after which a connection is looked at before it is used: the server may have closed it, or be another one."""
_kept: WeakKeyDictionary[Client, list[tuple[Any, float]]] = WeakKeyDictionary()
"""Connections without an unread reply and since when (monotonic), by client. They are not the pool's until it is closed with them."""


def on_one_server(redis: Client) -> bool:
    """Whether all keys are on the server that this client speaks to, and nothing looks at each command."""
    return type(redis) is Redis


def exchange(redis: Client, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies of commands (a word each, then its arguments), in order; an error that the server gave stands in its place. Replies
    are as the server sends them, but for `OK`, which is True. May be called from several threads.

    Raises:
        redis.exceptions.ConnectionError: the server was lost, also when asked again; some or all of it may have been done.
    """
    if not on_one_server(redis):
        return _piped(redis, commands)
    chunks = list(_packed(commands))
    connection = _take(redis)

    def once() -> list[Any]:
        connection.send_packed_command(chunks)
        return [_reply(connection) for _ in commands]

    try:
        replies: list[Any] = connection.retry.call_with_retry(once, lambda _: connection.disconnect())
    except BaseException:
        _drop(redis, connection)
        raise
    _kept[redis].append((connection, time.monotonic()))
    return replies


def post(redis: Client, commands: Sequence[tuple[Any, ...]]) -> Callable[[], list[Any]]:
    """Sends commands now; the function that is returned waits for their replies, which are as `exchange` gives them, or raises what it
    raises. Nothing is sent twice, whatever the client's retries are. To be called once, from any thread."""
    if not on_one_server(redis):
        return lambda: _piped(redis, commands)
    connection: Any = None
    lost: RedisError | None = None
    try:
        connection = _take(redis)
        connection.send_packed_command(list(_packed(commands)))
    except RedisError as e:
        lost = e
        if connection is not None:
            _drop(redis, connection)

    def replies() -> list[Any]:
        if lost is not None:
            raise lost
        try:
            found = [_reply(connection) for _ in commands]
        except BaseException:
            _drop(redis, connection)
            raise
        _kept[redis].append((connection, time.monotonic()))
        return found

    return replies


def _drop(redis: Client, connection: Any) -> None:
    connection.disconnect()
    redis.connection_pool.release(connection)


def ask(redis: Client, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """As `exchange`, for those who can do nothing with an error: the first is raised."""
    return list(map(checked, exchange(redis, commands))) if commands else []


def checked(reply: Any) -> Any:
    """A reply that is no error; an error is raised."""
    if isinstance(reply, Exception):
        raise reply
    return reply


def pairs(reply: Any) -> dict[bytes, bytes]:
    """A hash: as a server sends it, or as redis-py reads it."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))


def _piped(redis: Client, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    pipeline = redis.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    return replies


def _take(redis: Client) -> Any:
    kept = _kept.setdefault(redis, [])
    try:
        connection, since = kept.pop()
    except IndexError:
        return redis.connection_pool.get_connection()
    if connection.pid == os.getpid():
        if time.monotonic() - since > RESTED and _is_over(connection):
            connection.disconnect()  # it connects when it is next written to
        return connection
    kept.clear()  # after a fork they are the parent's
    return redis.connection_pool.get_connection()


def _is_over(connection: Any) -> bool:
    """Whether the other side has closed it: then there is an end to be read."""
    try:
        return bool(connection.can_read())
    except (RedisConnectionError, RedisTimeoutError, OSError):
        return True


def _packed(commands: Sequence[tuple[Any, ...]]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for command in commands:
        parts.append(part := hiredis.pack_command(command))
        size += len(part)
        if size > CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)


def _reply(connection: Any) -> Any:
    try:
        reply = connection.read_response()
    except ResponseError as e:
        return e
    return True if reply == b"OK" else reply
