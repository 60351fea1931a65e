"""Every test runs on a real Redis: one private server for the run, emptied before each test that asks for it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from servers import RedisServer

# pytest puts `tests` on the path, where the folders `console` and `flows` would pass for the packages of those names.
sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("WAVEDECK_")]:
        monkeypatch.delenv(name)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.fixture(autouse=True)
def _errors_of_the_console_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    if "console.app" in sys.modules:
        monkeypatch.setattr(sys.modules["console.app"].WavedeckApp, "strict", True)


@pytest.fixture(scope="session")
def redis_server_of_run() -> Iterator[RedisServer]:
    """The server of the test run. Tests that hurt a server start their own `RedisServer`."""
    try:
        server = RedisServer()
    except RuntimeError as e:
        pytest.fail(str(e), pytrace=False)
    with server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server_of_run: RedisServer) -> str:
    """URL of the server of the test run; it may hold what an earlier test wrote."""
    return redis_server_of_run.url


@pytest.fixture(name="redis")
def redis_client(redis_url: str) -> Iterator[Redis]:
    """A client (bytes, not str) of an empty Redis."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def home(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh `WAVEDECK_HOME`, with `WAVEDECK_REDIS_URL` set to the server of the test run."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("WAVEDECK_HOME", str(folder))
    monkeypatch.setenv("WAVEDECK_REDIS_URL", redis_url)
    return folder
