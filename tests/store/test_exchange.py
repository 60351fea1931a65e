"""Many commands in one trip over redis-py's connections."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from redis.exceptions import ConnectionError, NoScriptError, ResponseError
from servers import RedisServer

from engine.errors import Refused
from engine.store.connect import connect
from engine.store.exchange import CHUNK, exchange


@pytest.fixture(name="client")
def _client(redis_url: str, redis: Any) -> Iterator[Any]:
    """A client of ours of an empty Redis."""
    with connect(redis_url) as client:
        yield client


def test_replies_come_in_order_and_ok_is_true(client: Any) -> None:
    replies = exchange(
        client, [("SET", "a", b"\xff\r\n", "NX"), ("SET", "a", "other", "NX"), ("GET", "a"), ("LRANGE", "l", 0, -1)]
    )

    assert replies == [True, None, b"\xff\r\n", []]


def test_an_error_stands_in_its_place_and_the_others_are_not_touched(client: Any) -> None:
    replies = exchange(client, [("SET", "a", 1), ("LPUSH", "a", "x"), ("EVALSHA", "0" * 40, 0), ("INCR", "a")])

    assert (replies[0], replies[3]) == (True, 2)
    assert isinstance(replies[1], ResponseError) and "WRONGTYPE" in str(replies[1])
    assert isinstance(replies[2], NoScriptError)


def test_what_is_larger_than_a_chunk_arrives_whole(client: Any) -> None:
    values = [os.urandom(CHUNK * 3), b"", os.urandom(10), os.urandom(CHUNK)]

    exchange(client, [("SET", f"k{i}", value) for i, value in enumerate(values)])

    assert exchange(client, [("GET", f"k{i}") for i in range(4)]) == values


def test_one_connection_serves_one_trip_after_the_other(client: Any, redis: Any) -> None:
    exchange(client, [("PING",)])
    before = int(redis.info("stats")["total_connections_received"])

    for _ in range(20):
        exchange(client, [("PING",)])

    assert int(redis.info("stats")["total_connections_received"]) == before


def test_a_connection_that_was_closed_while_it_rested_is_not_tried(
    redis_url: str, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As redis-py's pool does it: whoever tries nothing twice, because it may have been done, is not told of it."""
    monkeypatch.setattr("engine.store.exchange.RESTED", -1.0)
    with connect(redis_url, retries=0) as client:
        [mine] = exchange(client, [("CLIENT", "ID")])
        redis.client_kill_filter(_id=mine)

        assert exchange(client, [("PING",)]) == [b"PONG"]


def test_a_connection_that_the_server_has_closed_is_made_anew(client: Any, redis: Any) -> None:
    [mine] = exchange(client, [("CLIENT", "ID")])
    redis.client_kill_filter(_id=mine)

    assert exchange(client, [("SET", "a", 1), ("GET", "a")]) == [True, b"1"]


def test_a_server_that_is_gone_is_an_error_and_the_client_serves_again_when_it_is_back() -> None:
    server = RedisServer()
    with server, connect(server.url, retries=0) as client:
        exchange(client, [("PING",)])
        server.stop()
        with pytest.raises(ConnectionError):
            exchange(client, [("PING",)])

        server.start()

        assert exchange(client, [("SET", "a", 1)]) == [True]


def test_threads_do_not_get_each_other_s_replies(client: Any) -> None:
    def many(word: str) -> bool:
        return all(
            exchange(client, [("ECHO", f"{word}{i}"), ("ECHO", word)]) == [f"{word}{i}".encode(), word.encode()]
            for i in range(200)
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(many, "abcdefgh"))


def test_a_trip_that_was_broken_off_leaves_no_reply_to_the_next(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: Any) -> Any:
        raise KeyboardInterrupt

    exchange(client, [("PING",)])
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("engine.store.exchange._reply", stopped)
        exchange(client, [("ECHO", "old"), ("ECHO", "older")])

    assert exchange(client, [("ECHO", "new")]) == [b"new"]


def test_a_fork_has_connections_of_its_own(client: Any) -> None:
    [mine] = exchange(client, [("CLIENT", "ID")])
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, str(exchange(client, [("CLIENT", "ID")])[0]).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert int(os.read(read, 100)) != mine
    assert exchange(client, [("CLIENT", "ID")]) == [mine]


def test_a_client_that_may_only_read_refuses_before_anything_is_sent(redis_url: str, redis: Any) -> None:
    with connect(redis_url, read_only=True) as reader, pytest.raises(Refused):
        exchange(reader, [("GET", "a"), ("SET", "a", 1)])

    assert redis.get("a") is None
