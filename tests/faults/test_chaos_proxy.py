"""The proxy of the chaos does what its modes say: each is seen from both sides."""

import time
from collections.abc import Iterator

import pytest
from chaos.proxy import BLACK_HOLE, LOSE_REPLIES, OPEN, REFUSE, SLOW, Proxy
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, TimeoutError
from redis.retry import Retry
from servers import RedisServer


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with server.client() as redis, Proxy(str(server.folder / "redis.sock")) as proxy:
        redis.flushall()
        yield proxy


@pytest.fixture
def direct(server: RedisServer) -> Iterator[Redis]:
    with server.client() as redis:
        yield redis


@pytest.fixture
def behind(proxy: Proxy) -> Iterator[Redis]:
    """A client behind the proxy that has said something already, and tries nothing twice."""
    with Redis.from_url(proxy.url, retry=Retry(NoBackoff(), 0), socket_timeout=0.5) as redis:
        redis.set("a", "1")
        yield redis


def test_what_is_cut_is_broken_and_can_be_made_again(proxy: Proxy, behind: Redis) -> None:
    before = behind.client_id()

    assert proxy.cut() == 1

    assert behind.client_id() != before
    assert behind.get("a") == b"1"


def test_what_is_refused_comes_to_nothing(proxy: Proxy, behind: Redis) -> None:
    proxy.become(REFUSE)

    for _ in range(2):
        with pytest.raises(ConnectionError):
            behind.get("a")
    proxy.become(OPEN)
    assert behind.get("a") == b"1"


def test_a_black_hole_answers_nothing_and_does_nothing(proxy: Proxy, behind: Redis, direct: Redis) -> None:
    proxy.become(BLACK_HOLE)

    with pytest.raises(TimeoutError):
        behind.set("a", "2")
    assert direct.get("a") == b"1"


def test_a_lost_reply_was_done(proxy: Proxy, behind: Redis, direct: Redis) -> None:
    proxy.become(LOSE_REPLIES)

    with pytest.raises(TimeoutError):
        behind.set("a", "2")
    assert direct.get("a") == b"2"


def test_a_slow_link_is_late_and_right(proxy: Proxy, behind: Redis) -> None:
    proxy.become(SLOW)
    began = time.monotonic()

    assert behind.get("a") == b"1"
    assert time.monotonic() - began >= 2 * proxy.late


def test_what_is_held_back_never_arrives_and_what_goes_before_does(proxy: Proxy, behind: Redis, direct: Redis) -> None:
    proxy.hold_back(b"EVAL", after=b"\r\nSET\r\n")
    behind.eval("return redis.call('set', 'alone', 1)", 0)  # nothing to be held back for

    with pytest.raises(TimeoutError), behind.pipeline(transaction=False) as trip:
        trip.set("b", "1")
        trip.eval("return redis.call('set', 'c', 1)", 0)
        trip.execute()

    assert proxy.withheld.is_set()
    assert (direct.get("alone"), direct.get("b"), direct.get("c")) == (b"1", b"1", None)
