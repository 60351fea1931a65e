"""What Wavedeck needs of fakeredis, the last resort: its scripts run, and three faults of the TCP server are mended."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry
from servers import eventually

from engine.fleet.server import free_port
from engine.fleet.tether import spawn


@pytest.fixture(scope="module")
def fake_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    program = Path(__file__).parents[2] / "engine" / "fleet" / "fake_redis.py"
    process: subprocess.Popen[bytes] = spawn(
        [sys.executable, "-P", str(program), str(port)], log=tmp_path_factory.mktemp("fake") / "log"
    )
    url = f"redis://127.0.0.1:{port}/0"

    def answers() -> bool:
        try:
            with Redis.from_url(url) as client:
                return bool(client.ping())
        except RedisError:
            return False

    eventually(answers, 20)
    yield url
    process.terminate()
    process.wait(10)


@pytest.fixture
def fake(fake_url: str) -> Iterator[Redis]:
    with Redis.from_url(fake_url, retry=Retry(NoBackoff(), 0)) as client:
        client.flushall()
        yield client


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("local t = redis.call('TIME'); redis.call('SET', 'k', t[1]); return tonumber(t[1]) > 1700000000 and 1", 1),
        ("return redis.call('SET', 'k', 'v', 'NX', 'EXAT', 4000000000).ok", b"OK"),
        ("redis.call('SET', 'k', 'v'); return redis.call('SET', 'k', 'w', 'NX', 'EXAT', 4000000000)", None),
        ("redis.call('SETRANGE', 'k', 2, string.char(0, 200)); return redis.call('GETRANGE', 'k', 0, -1)", b"\0\0\0\xc8"),
        ("redis.call('HINCRBY', 'h', 'f', 3); return redis.call('HINCRBY', 'h', 'f', -1)", 2),
        ("redis.call('ZADD', 'z', 1, 'a', 9, 'b'); return redis.call('ZRANGEBYSCORE', 'z', '-inf', 5)", [b"a"]),
        ("redis.call('RPUSH', 'l', 1, 2, 3); return redis.call('LPOP', 'l', 2)", [b"1", b"2"]),
        ("return redis.call('HGET', 'nothing', 'f') == false and 1", 1),
        ("return cjson.encode(cjson.decode(ARGV[1]).a)", b'[1,"x",null]'),
        ("return {string.byte(ARGV[2], 1, -1)}", [0, 255, 10]),
    ],
)
def test_scripts_run_as_on_a_server(fake: Redis, redis: Redis, script: str, answer: object) -> None:
    for server in (fake, redis):
        assert server.evalsha(server.script_load(script), 0, '{"a": [1, "x", null]}', b"\x00\xff\n") == answer


def test_blpop_waits_and_wakes(fake: Redis, fake_url: str) -> None:
    assert fake.blpop(["l"], timeout=0.05) is None
    with Redis.from_url(fake_url) as other:
        other.eval("return redis.call('RPUSH', 'l', 'v')", 0)
    assert fake.blpop(["l"], timeout=5) == (b"l", b"v")


def test_an_error_is_a_reply_and_not_the_end_of_the_connection(fake: Redis) -> None:
    # When a pipeline has errors in it, one of them of several lines
    pipe: Any = fake.pipeline(transaction=False)
    for words in (("SET", "k", "x"), ("INCR", "k"), ("EVALSHA", "f" * 40, 0), ("EVAL", "error('boom')", 0), ("GET", "k")):
        pipe.execute_command(*words)
    replies = pipe.execute(raise_on_error=False)

    # Then each is at its place
    assert [type(reply).__name__ for reply in replies] == ["bool", "ResponseError", "NoScriptError", "ResponseError", "bytes"]
    assert "boom" in str(replies[3])
    with pytest.raises(ResponseError, match=r"^STALE the lease"):
        fake.eval("return redis.error_reply('STALE the lease has gone')", 0)


def test_a_large_value_arrives_whole(fake: Redis) -> None:
    value = bytes(range(256)) * 40_000
    fake.set("k", value)
    assert fake.get("k") == value


def test_transactions_do_not_wait_for_the_network(fake: Redis) -> None:
    def transaction() -> float:
        begun = time.perf_counter()
        pipe = fake.pipeline()
        pipe.set("k", 1)
        pipe.incr("k")
        assert pipe.execute() == [True, 2]
        return time.perf_counter() - begun

    assert min(transaction() for _ in range(10)) < 0.035  # with Nagle's algorithm each takes 40 ms
