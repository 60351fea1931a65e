"""The embedded Redis: one server for all commands, ended with its owner, and nothing left in the way of the next."""

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AuthenticationError
from servers import RedisServer, eventually, is_running

from engine.fleet import embedded
from engine.fleet import server as server_module
from engine.fleet.embedded import NoRedis, data_dir, find_running, redis_server
from engine.fleet.record import connect

Command = subprocess.Popen[str]


def server_of(command: Command) -> tuple[str, int]:
    """URL and pid of the server that a command has printed."""
    assert command.stdout is not None
    url, pid, _ = command.stdout.readline().split()
    return url, int(pid)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def end(command: Command) -> None:
    command.communicate(timeout=20)


def kill(command: Command) -> None:
    command.kill()
    command.wait()


def test_a_server_serves_for_the_block_and_is_found_meanwhile(data: Path) -> None:
    # Given a server
    with redis_server() as server:
        # Then it is a real one, in the data directory, with what Wavedeck needs
        assert server.url == f"unix://{data}/redis.sock"
        assert re.fullmatch(r"\d+\.\d+\.\d+", server.version)
        with Redis.from_url(server.url, decode_responses=True) as client:
            settings = client.config_get("save", "appendonly", "maxmemory-policy", "port", "dir")
        assert settings == {
            "save": "", "appendonly": "yes", "maxmemory-policy": "noeviction", "port": "0", "dir": str(data)
        }  # fmt: skip
        # And whoever looks finds it, and uses it
        assert find_running() == server
        with redis_server(start=False) as same:
            assert same == server
        assert is_running(server.pid or 0)

    # And after the block nothing of it runs or lies about
    assert not is_running(server.pid or 0)
    assert find_running() is None
    assert not {"redis.json", "redis.sock"} & names(data)


def test_what_it_holds_can_be_read_by_its_user_alone(data: Path) -> None:
    with redis_server() as server, Redis.from_url(server.url) as client:
        client.set("k", "v")
        private = [path for path in data.rglob("*") if path.is_file() and path.name != "redis.lock"]
        assert {"redis.json", "redis.conf", "redis.log"} <= {path.name for path in private}
        assert [path for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
        assert stat.S_IMODE((data / "redis.sock").stat().st_mode) == 0o700


@pytest.mark.parametrize("persist", [True, False])
def test_data_outlives_a_server_only_when_it_is_to_persist(data: Path, persist: bool) -> None:
    for found in (None, b"v" if persist else None):
        with redis_server(persist=persist) as server, Redis.from_url(server.url) as client:
            assert client.get("k") == found
            client.set("k", "v")


def test_commands_that_start_at_once_share_one_server(data: Path, command: Callable[[], Command]) -> None:
    # Given four commands at the same moment
    commands = [command() for _ in range(4)]

    # Then all have the same server
    [(_, pid)] = {server_of(each) for each in commands}
    owner = json.loads((data / "redis.json").read_text())["owner"]
    assert owner in [each.pid for each in commands]

    # And it is there until its owner ends
    for each in commands:
        if each.pid != owner:
            end(each)
    assert find_running() is not None
    for each in commands:
        end(each)
    assert not is_running(pid)


def test_a_killed_owner_takes_its_server_along_and_loses_nothing(data: Path, command: Callable[[], Command]) -> None:
    # Given a command with a server that holds something
    owner = command()
    url, pid = server_of(owner)
    with Redis.from_url(url) as client:
        client.set("k", "v")

    # When the command is killed, and the next one comes at once
    kill(owner)
    assert (data / "redis.json").exists()
    assert find_running() is None
    with redis_server() as server, Redis.from_url(server.url) as client:
        # Then it has a server of its own, and the data; the old server is gone
        assert server.pid != pid
        assert not is_running(pid)
        assert client.get("k") == b"v"


def test_what_a_killed_server_leaves_is_cleared(data: Path, command: Callable[[], Command]) -> None:
    # Given an owner and its server that were both killed
    owner = command()
    _, pid = server_of(owner)
    os.kill(pid, signal.SIGKILL)
    kill(owner)
    eventually(lambda: not is_running(pid))
    assert {"redis.json", "redis.sock"} <= names(data)

    # Then the next command is not disturbed
    assert find_running() is None
    with redis_server() as server, Redis.from_url(server.url) as client:
        assert client.ping()


def test_a_left_over_server_that_does_not_end_is_named_and_not_joined(
    data: Path, command: Callable[[], Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that is stuck, whose owner was killed
    owner = command()
    _, pid = server_of(owner)
    os.kill(pid, signal.SIGSTOP)
    kill(owner)
    try:
        # Then nothing is started beside it, however often one asks
        monkeypatch.setattr(server_module, "END_WITHIN", 0.1)
        for _ in range(2):
            with pytest.raises(NoRedis, match=f"does not end: `kill -9 {pid}`"), redis_server():
                pass
    finally:
        os.kill(pid, signal.SIGCONT)

    # And when it has ended, all is well
    eventually(lambda: not is_running(pid))
    with redis_server() as server:
        assert server.pid != pid


def test_a_server_that_died_under_its_owner_is_named(
    data: Path, command: Callable[[], Command], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given an owner whose server was killed
    owner = command()
    _, pid = server_of(owner)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not is_running(pid))

    # Then another command does not start a second one, but says whom to end
    monkeypatch.setattr(embedded, "ANSWER_WITHIN", 0.1)
    with pytest.raises(NoRedis, match=f"process {owner.pid} started does not answer: end that command"), redis_server():
        pass


def test_without_leave_to_start_the_error_says_what_to_do(data: Path) -> None:
    with pytest.raises(NoRedis) as caught, redis_server(start=False):
        pass

    assert str(caught.value) == (
        "no Redis is running: start one with `wavedeck redis` in another terminal, or set WAVEDECK_REDIS_URL"
    )
    assert names(data) == set()


def test_a_socket_path_that_is_too_long_gives_a_port_with_a_password(data: Path) -> None:
    # Given a data directory whose path leaves no room
    deep = data / ("d" * 100)

    with redis_server(deep) as server:
        # Then the server is on a loopback port that only its user can use
        found = re.fullmatch(r"redis://:([\w-]{32})@127\.0\.0\.1:(\d+)/0", server.url)
        assert found is not None
        with Redis.from_url(server.url) as client:
            assert client.ping()
        with connect(f"redis://127.0.0.1:{found[2]}") as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
        assert find_running(deep) == server
    assert stat.S_IMODE(deep.stat().st_mode) == 0o700


def test_a_port_that_went_to_somebody_else_is_not_ours(data: Path, command: Callable[[], Command]) -> None:
    # Given an owner whose note names the server of somebody else
    owner = command()
    server_of(owner)
    note = json.loads((data / "redis.json").read_text())
    with RedisServer(tcp=True) as other:
        (data / "redis.json").write_text(json.dumps(note | {"url": other.url}))

        # Then it is not taken for ours
        assert find_running() is None

        # And when the owner is killed too, the next command leaves it alone
        kill(owner)
        with redis_server() as server, other.client() as client:
            assert server.pid != other.pid
            assert client.ping()


@pytest.mark.parametrize("name", ["with space", "a\"b'c\\d", "%41?x#y", "größe"])
def test_a_data_directory_may_have_any_name(data: Path, name: str) -> None:
    with redis_server(data / name) as server, Redis.from_url(server.url) as client:
        assert client.ping()
        assert find_running(data / name) == server
        assert (data / name / "redis.sock").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "unix:///x"}', '{"url": 1, "pid": 2}'])
def test_a_note_that_makes_no_sense_is_none(data: Path, text: str) -> None:
    (data / "redis.json").write_text(text)

    assert find_running() is None
    with redis_server() as server:
        assert find_running() == server


def test_the_url_of_the_environment_comes_first(data: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a server of ours and another in the environment
    with redis_server():
        monkeypatch.setenv("WAVEDECK_REDIS_URL", redis_url)

        # Then the environment's is used, and not owned
        with redis_server() as server:
            assert (server.url, server.kind, server.pid) == (redis_url, "external", None)
            assert server == find_running()
        with Redis.from_url(redis_url) as client:
            assert client.ping()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://:s3cret@127.0.0.1:1/0", "no Redis answers at redis://127.0.0.1:1/0 (from WAVEDECK_REDIS_URL): "),
        ("unix:///no/such.sock", "no Redis answers at unix:///no/such.sock (from WAVEDECK_REDIS_URL): "),
        (
            "redis+sentinel://:s3cret@a:1",
            "'redis+sentinel://a:1' (from WAVEDECK_REDIS_URL) is no Redis URL: it does not say which",
        ),
        ("redis+cluster://:s3cret@127.0.0.1:1", "no answer from Redis at redis+cluster://127.0.0.1:1: "),
        ("redis+sentinel://:s3cret@127.0.0.1:1/waves", "no Redis answers at redis+sentinel://127.0.0.1:1/waves (from "),
        ("localhost:6379", "WAVEDECK_REDIS_URL is not the URL of a Redis, such as "),
    ],
)
def test_a_url_that_leads_nowhere_is_an_error_and_starts_nothing(
    data: Path, monkeypatch: pytest.MonkeyPatch, url: str, text: str
) -> None:
    monkeypatch.setenv("WAVEDECK_REDIS_URL", url)

    with pytest.raises(NoRedis) as caught, redis_server():
        pass

    assert str(caught.value).startswith(text)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert names(data) == set()


def test_a_data_directory_that_cannot_be_made_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data / "file").touch()

    with pytest.raises(NoRedis) as caught, redis_server(data / "file" / "x"):
        pass

    assert str(caught.value) == (f"cannot make the data directory {data}/file/x: Not a directory; set WAVEDECK_HOME to another")
    monkeypatch.delenv("WAVEDECK_HOME")
    assert data_dir().name == "wavedeck"
