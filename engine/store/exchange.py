"""Many commands in one trip, for those whom redis-py's pipeline costs more than the commands do.

Connections, timeouts, retries, TLS and health checks are redis-py's; only the work that its pipeline does for each command (packing
in steps, a system call for each few kilobytes, callbacks for each reply) is left out: it was two fifths of a slot's CPU.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import hiredis
from redis.exceptions import ResponseError

from engine.store.connect import Client

CHUNK = 1 << 18
"""Bytes that are sent by one system call, about."""


def exchange(redis: Client, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """The replies of commands (a word each, then its arguments), in order; an error that the server gave stands in its place. Replies
    are as the server sends them, but for `OK`, which is True.

    Raises:
        redis.exceptions.ConnectionError: the server was lost, also when asked again; some or all of it may have been done.
    """
    chunks = list(_packed(commands))
    pool = redis.connection_pool
    connection = pool.get_connection()

    def once() -> list[Any]:
        connection.send_packed_command(chunks)
        return [_reply(connection) for _ in commands]

    try:
        replies: list[Any] = connection.retry.call_with_retry(once, lambda _: connection.disconnect())
    finally:
        pool.release(connection)
    return replies


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
