"""How soon a killed worker's job starts again, and how often a stalled worker's job counts: `python benchmarks/faults.py`. Linux; two minutes.

Measured as the peers' figures of docs/reliability.md were: one job of five seconds, an idle queue, all defaults. Kill: the worker's
whole session gets SIGKILL one second in. Stall: SIGSTOP one second in, for longer than the lease, a second worker is there
meanwhile, then SIGCONT. Each has a Redis of its own; four are measured at a time, all of them mostly asleep.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

sys.path[0] = str(Path(__file__).parents[1])

from benchmarks.measure import ROOT, a_redis
from engine import Flow
from engine.keys import Date
from engine.launch import launch
from engine.status import WROTE
from engine.store.claims import LEASE
from engine.store.connect import Client, connect
from engine.store.wave import Wave
from engine.store.waves import Waves

RESULTS = ROOT / "build" / "faults.json"
DATE = Date("2013-07-01T14")
JOB = 5.0
STALL = LEASE + 5.0
SLACK = 2.0
"""Seconds beyond the lease within which a job must start again."""
FLOW = """
import os, time
from engine import Flow
flow = Flow("bench", state="bench")
def say(what):
    with open("journal", "a") as journal:
        journal.write(f"{what} {os.getpid()} {time.time()}\\n")
@flow.task
def job(entity):
    say("start")
    for _ in range(STEPS):
        time.sleep(SECONDS / STEPS)
    say("finish")
    return os.getpid()
"""


@dataclass
class Bench:
    """A folder with the flow, a Redis, one wave of one job, workers."""

    url: str
    folder: Path
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def hire(self) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "WAVEDECK_REDIS_URL": self.url, "WAVEDECK_FLOWS": "bench_flow"}
        environment["PYTHONPATH"] = f"{self.folder}:{ROOT}"
        with (self.folder / "log").open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "worker", "--slots", "1"],
                cwd=self.folder, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.workers.append(worker)
        return worker

    def said(self, what: str) -> list[tuple[int, float]]:
        """(pid, Unix seconds) of each time that the job started, or finished."""
        journal = self.folder / "journal"
        lines = [line.split() for line in (journal.read_text() if journal.exists() else "").splitlines()]
        return [(int(pid), float(at)) for word, pid, at in lines if word == what]

    def started(self, times: int) -> float:
        """When the job started for the so-manieth time."""
        _until(lambda: len(self.said("start")) >= times, LEASE * 4)
        return self.said("start")[times - 1][1]


def _until(true: Callable[[], bool], seconds: float) -> None:
    till = time.monotonic() + seconds
    while not true():
        if time.monotonic() > till:
            raise TimeoutError(f"not within {seconds:g} s")
        time.sleep(0.01)


@contextlib.contextmanager
def a_bench(steps: int) -> Iterator[tuple[Bench, Client, Wave]]:
    """A wave of one job whose five seconds are slept in so many steps, and one worker that has begun it a second ago."""
    text = FLOW.replace("STEPS", str(steps)).replace("SECONDS", str(JOB))
    with a_redis() as url, tempfile.TemporaryDirectory(prefix="wd-") as name, contextlib.closing(connect(url)) as redis:
        bench = Bench(url, Path(name))
        (bench.folder / "bench_flow.py").write_text(text)
        flow = Flow("bench", state="bench")
        flow.task(_job)
        try:
            bench.hire()
            wave = launch(
                redis, flow.plan, version="main", date=DATE, trigger="manual:1", by="bench", entities=["job"]
            ).wave  # fmt: skip
            time.sleep(max(bench.started(1) + 1.0 - time.time(), 0))
            yield bench, redis, wave
        finally:
            for worker in bench.workers:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker.pid, signal.SIGKILL)
                worker.wait(20)


def _job(entity: str) -> int:
    """Only its name and parameters count here; the workers have the code."""
    raise NotImplementedError


_job.__name__ = "job"


def kill(*, idle_before: bool) -> float:
    """Seconds from the kill to the second start. The second worker was there before, with nothing to do, or starts at that moment."""
    with a_bench(1) as (bench, _, _):
        victim = bench.workers[0]
        if idle_before:
            heir = bench.hire()
            _until(lambda: b"serves" in (bench.folder / "log").read_bytes().split(b"\n", 1)[1], 20)
            assert heir.poll() is None
            time.sleep(0.5)
        os.killpg(victim.pid, signal.SIGKILL)
        killed = time.time()
        if not idle_before:
            bench.hire()
        return bench.started(2) - killed


@dataclass(frozen=True)
class Stalled:
    """What became of a stalled job: how often the user's function came to its end, and how many of these count (the value that is
    visible is theirs and the cell is Finished)."""

    complete: int
    effective: int


def stall(steps: int) -> Stalled:
    """`steps`: in how many pieces the job sleeps. In one, its five seconds are over by the clock when it wakes."""
    with a_bench(steps) as (bench, redis, wave):
        os.killpg(bench.workers[0].pid, signal.SIGSTOP)
        bench.hire()
        time.sleep(STALL)
        os.killpg(bench.workers[0].pid, signal.SIGCONT)
        _until(lambda: not Waves(redis).progress(wave).wave.running, LEASE * 4)
        time.sleep(JOB + 2)  # the first would have come to its end by now
        value = int(redis.get(f"main/job job {DATE}") or 0)
        finished = [pid for pid, _ in bench.said("finish")]
        return Stalled(len(finished), finished.count(value) * (Waves(redis).cell(wave, 0, 0) in WROTE))


@dataclass
class Faults:
    """As it is stored. Seconds."""

    date: str
    cores: int
    lease: float
    stall: float
    kill_fresh: list[float]
    kill_idle: list[float]
    stall_asleep: list[Stalled]
    stall_at_work: list[Stalled]

    @property
    def met(self) -> bool:
        """Whether every run met the target."""
        late = max([*self.kill_fresh, *self.kill_idle]) > self.lease + SLACK
        return not late and all(s.effective == 1 for s in [*self.stall_asleep, *self.stall_at_work])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with ThreadPoolExecutor(4) as pool:
        fresh = [pool.submit(kill, idle_before=False) for _ in range(args.runs)]
        idle = [pool.submit(kill, idle_before=True) for _ in range(args.runs)]
        asleep = [pool.submit(stall, 1) for _ in range(args.runs)]
        at_work = [pool.submit(stall, 100) for _ in range(args.runs)]
        found = Faults(
            datetime.now(UTC).strftime("%Y-%m-%d"),
            os.cpu_count() or 1,
            LEASE,
            STALL,
            [round(f.result(), 1) for f in fresh],
            [round(f.result(), 1) for f in idle],
            [f.result() for f in asleep],
            [f.result() for f in at_work],
        )
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(found)))
    print(f"kill, a fresh worker at once:      {found.kill_fresh} s to the second start (target ≤ {LEASE + SLACK:g})")
    print(f"kill, a worker that idled before:  {found.kill_idle} s")
    for name, runs in (("asleep", found.stall_asleep), ("at work", found.stall_at_work)):
        told = ", ".join(f"{s.complete} complete, {s.effective} effective" for s in runs)
        print(f"stall of {STALL:g} s, a job {name}: {told} (target: 1 effective)")
    return 0 if found.met else 1


if __name__ == "__main__":
    sys.exit(main())
