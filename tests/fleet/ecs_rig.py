"""A house on FakeEcs, and flows in images for it."""

import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_ecs.server import FakeEcs

from engine.fleet.ecs.calls import Aws
from engine.fleet.ecs.house import EcsHouse
from engine.fleet.ecs.settings import Account
from engine.fleet.house import Spec

DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry/flows@{DIGEST}"
OTHER = "registry/flows@sha256:" + "b" * 64
ACCOUNT = Account(
    subnets=("subnet-1", "subnet-2"),
    security_groups=("sg-1",),
    execution_role="arn:aws:iam::123456789012:role/execution",
    task_role="arn:aws:iam::123456789012:role/task",
    redis_url="redis://10.0.0.1:6379/0",
)
FLOW = """
import os, time
from pathlib import Path
from engine import Flow

flow = Flow("shop", every="1h", state="shops")

@flow.source
def shops(date):
    for number in range({entities}):
        yield f"s{{number}}", "north"

@flow.task(limit="60s")
def sales(entity):
    while Path("gate").exists():
        time.sleep(0.01)
    return {value}

@flow.task
def forecast(sales):
    return [sales] * 3
"""


class Time:
    """A clock that runs only when somebody sleeps. `slept`: how long, each time. `real`: seconds that a sleep takes all the same, for
    what tasks do meanwhile."""

    def __init__(self, real: float = 0.0) -> None:
        self.now, self.slept, self.real = 0.0, list[float](), real

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        time.sleep(self.real)
        self.slept.append(seconds)
        self.now += seconds


def a_house(account: Account = ACCOUNT, time: Time | None = None) -> EcsHouse:
    """A house; with `time` on that clock, and its waits are as long as they may be."""
    aws = None if time is None else Aws(account.region, clock=time.clock, sleep=time.sleep, draw=lambda: 1.0)
    return EcsHouse(account, aws=aws)


def a_folder(folder: Path, *, value: str = "1", entities: int = 20) -> Path:
    """A folder with the flow `shop`; its first task waits while there is a file `gate` in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "shop.py").write_text(textwrap.dedent(FLOW).format(value=value, entities=entities), encoding="utf-8")
    return folder


@pytest.fixture
def ecs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEcs]:
    """A control plane in whose minutes pass fast: its seconds are 20 ms."""
    yield from _serving(monkeypatch, FakeEcs(speed=50.0))


def _serving(monkeypatch: pytest.MonkeyPatch, fake: FakeEcs) -> Iterator[FakeEcs]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    with fake:
        yield fake


__all__ = ["ACCOUNT", "DIGEST", "FLOW", "IMAGE", "OTHER", "Spec", "Time", "a_folder", "a_house", "ecs"]
