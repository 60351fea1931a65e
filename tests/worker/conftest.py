"""A rig for each test that runs real workers."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from houses import House
from redis import Redis
from rig import Rig, rigs


@pytest.fixture
def rig(redis: "Redis", redis_house: House, tmp_path: Path) -> Iterator[Rig]:
    """An empty Redis and a folder for a flow and its workers."""
    yield from rigs(redis, redis_house.url_for, tmp_path)
