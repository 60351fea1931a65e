"""Real workers on a server of their own: these tests hurt it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import RedisServer

sys.path += [str(Path(__file__).parents[1] / name) for name in ("worker", "store")]

from rig import Rig, rigs


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """A server that keeps what it was told, whatever happens to it."""
    with RedisServer(persist=True) as server:
        yield server


@pytest.fixture
def rig(server: RedisServer, tmp_path: Path) -> Iterator[Rig]:
    """An empty Redis and a folder for a flow and its workers."""
    with server.client() as redis:
        redis.flushall()
        yield from rigs(redis, lambda _: server.url, tmp_path)
