"""A wave beside a loop that calls the same function, in turns of a second: what a machine does to one of them it does to the other.

Both are up and warm all the time, who is not at work stands still, and both are held to one and the same processor: a virtual one may be
a third slower than the next for minutes, by what its neighbours do. A wave counts from the moment that its workers go on to its end;
what the launch takes is in other rows.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

import msgspec
from redis import Redis
from redis.client import PubSub

from benchmarks.wave.machine import ROOT, Tree, redis_cpu
from benchmarks.wave.peers import Peer
from benchmarks.wave.work import decode, entity, key

PATIENCE = 60.0


class Turn(msgspec.Struct, frozen=True):
    """Seconds of the clock and of the CPU (the workers', and Redis') for the same calls. `inside`: of the wave's, what the function took
    by its own clock."""

    wave: float
    inside: float
    loop: float
    wave_cpu: float
    loop_cpu: float


class Loop:
    """The process that calls the function in a loop, when it is told to."""

    def __init__(self, processor: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.wave.learning"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
        )  # fmt: skip
        os.sched_setaffinity(self._process.pid, {processor})

    def run(self, numbers: Sequence[int]) -> tuple[float, float]:
        """Seconds by the clock and of the CPU."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{numbers[0]} {len(numbers)}\n")
        told = self._process.stdout.readline().split()
        if len(told) != 2:
            raise RuntimeError("the loop has ended")
        return float(told[0]), float(told[1])

    def end(self) -> None:
        """Ends it."""
        self._process.kill()
        self._process.communicate()


def alternate(
    redis: Redis, peer: Peer, tree: Tree, entities: int, turns: int, check: Callable[[Sequence[int]], None]
) -> list[Turn]:
    """So many entities in so many turns; the workers are up and warm. Every other turn the loop comes first. `check`: of a wave's values."""
    each, found = entities // turns, []
    processor = min(os.sched_getaffinity(0))
    loop = Loop(processor)
    for pid in tree.pids():
        os.sched_setaffinity(pid, {processor})
    redis.config_set("notify-keyspace-events", "K$")
    try:
        with redis.pubsub() as told:
            told.psubscribe(f"__keyspace@0__:main/{peer.shape.names[peer.shape.sinks[-1]]} *")
            told.get_message(timeout=5)
            loop.run(range(each))
            for turn in range(turns):
                numbers = range(turn * each, (turn + 1) * each)
                beside = loop.run(numbers) if turn % 2 else None
                ours = _wave(redis, peer, tree, told, numbers)
                beside = beside or loop.run(numbers)
                check(numbers)
                found.append(Turn(ours[0], _inside(redis, peer, numbers), beside[0], ours[1], beside[1]))
    finally:
        redis.config_set("notify-keyspace-events", "")
        loop.end()
    return found


def _wave(redis: Redis, peer: Peer, tree: Tree, told: PubSub, numbers: Sequence[int]) -> tuple[float, float]:
    gc.collect()
    tree.check()
    stopped = tree.tell(signal.SIGSTOP)
    peer.some(numbers)
    missing = {f" {entity(number)} ".encode() for number in numbers}
    used, began = tree.cpu() + redis_cpu(redis), time.monotonic()
    tree.tell(signal.SIGCONT, stopped)
    while missing:
        if (message := told.get_message(timeout=PATIENCE)) is None:
            raise RuntimeError(f"{len(missing)} of {len(numbers)} values did not come within {PATIENCE:g} s")
        name: bytes = message["channel"]
        missing.discard(name[name.index(b" ") : name.rindex(b" ") + 1])
    while not peer.ended():
        pass
    return time.monotonic() - began, tree.cpu() + redis_cpu(redis) - used


def _inside(redis: Redis, peer: Peer, numbers: Sequence[int]) -> float:
    values = redis.mget([key(peer.shape, 0, number, peer.date(number)) for number in numbers])
    return sum(ended - began for began, ended in (decode(value)["at"] for value in values))
