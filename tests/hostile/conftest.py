"""Hostile strings go everywhere: these tests use the rigs and stages of the others."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

sys.path.append(str(Path(__file__).parents[1] / "worker"))
sys.path.append(str(Path(__file__).parents[1] / "console"))

from canaries import canaries
from rig import Rig, rigs


@pytest.fixture
def rig(redis: "Redis", redis_url: str, tmp_path: Path) -> Iterator[Rig]:
    """An empty Redis and a folder for a flow and its workers; nothing that was carried out as code has left a file there."""
    yield from rigs(redis, lambda _: redis_url, tmp_path)
    assert canaries(tmp_path) == []
