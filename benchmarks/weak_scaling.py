"""Does a wave take longer when it is a hundred times as large, on a hundred times as many workers? `make bench-scaling`.

What things take is measured here and now, on a real Redis with a real worker; the workers of a hundred thousand entities are simulated
(`benchmarks/simulation.py`). Prints a table in Markdown, with what it assumes.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.simulation import Costs, Run, simulate
from benchmarks.wave.machine import a_server
from engine.capacity import FARGATE, Bounds, Launches, Work, forecast, need
from engine.keys import Date
from engine.launch import launch
from engine.load import load_flows
from engine.plan import Plan
from engine.store.connect import Client, connect
from engine.store.wave import Wave
from engine.store.waves import Waves

SIZES = (1_000, 10_000, 50_000, 100_000)
PER_SLOT = 125
"""Entities a slot, at every size: workers in proportion."""
SLOTS = 4
TASKS = 40
"""An entity is taken to be so many tasks like the one that is measured, and to take so many times what that took: no average smooths it."""
LATENCY = 0.0005
SEED = 7
DATE = Date("2013-07-01T14")
FLOW = """
    import time

    import numpy as np
    from sklearn.ensemble import ExtraTreesRegressor

    from engine import Flow

    flow = Flow("scaling", every="1h")
    chance = np.random.default_rng(7)
    past = chance.normal(size=(400, 8))
    taken = past @ chance.normal(size=8) + chance.normal(size=400)

    @flow.task
    def fit(entity):
        number = int(entity[1:])
        model = ExtraTreesRegressor(n_estimators=20 + number % 21, max_depth=8, random_state=number)
        return float(model.fit(past, taken).predict(past[number % 400 : number % 400 + 1])[0])

    sleeper = Flow("sleeper", every="1h")

    @sleeper.task
    def nap(entity):
        time.sleep(60)
"""


@dataclass(frozen=True)
class Measured:
    """What this machine takes. `tasks`: seconds of each cell."""

    tasks: Sequence[float]
    costs: Costs


# measuring


def measure(entities: int) -> Measured:
    """Runs a wave on one worker of one slot that claims one entity at a time, as slots do with entities that take long."""
    with a_server() as server, tempfile.TemporaryDirectory(prefix="wd-scaling-") as folder:
        module = Path(folder) / "scaling_flow.py"
        module.write_text(textwrap.dedent(FLOW))
        sys.path.insert(0, folder)
        plans = {name: flow.plan for name, flow in load_flows("scaling_flow").items()}
        redis = connect(server.url)
        init, init_entity = _init(redis, plans["scaling"])
        alone = _rate(redis)
        wave = _launch(redis, plans["scaling"], entities, "manual:measure")
        with _worker(server.url, folder, slots=1) as ready:
            ready()
            before, began = _cpu(redis), time.monotonic()
            while (now := Waves(redis).progress(wave).wave).running:
                time.sleep(1.0)
            used, watched = _cpu(redis) - before, time.monotonic() - began
        background = max(_background(redis, server.url, folder, plans["sleeper"]) - alone, 0.0)
        times = array("I", Waves(redis).times(now))
        tasks = [took / 100_000 for took in times[1::2]]
        # From the first cell on: the worker was there before, and had claimed nothing.
        wall = max(start / 1000 + took for start, took in zip(times[::2], tasks, strict=True)) - min(times[::2]) / 1000
        costs = Costs(
            slot=max(wall - sum(tasks), 0.0) / entities,
            redis=max(used - (alone + background) * watched, 0.0) / entities,
            background=background,
            latency=LATENCY,
            init=init,
            init_entity=init_entity,
        )
        redis.close()
        return Measured(tasks, costs)


def _launch(redis: Client, plan: Plan, entities: int, trigger: str) -> Wave:
    names = [f"e{number}" for number in range(entities)]
    return launch(redis, plan, version="main", date=DATE, trigger=trigger, by="bench", entities=names).wave


def _init(redis: Client, plan: Plan) -> tuple[float, float]:
    """Seconds for a wave, and for each of its entities, whose source is asked; the least of three."""
    took: dict[int, float] = {}
    for size in (100, 20_000):
        runs = []
        for number in range(3):
            active = [(f"e{e}", f"p{e % 50}") for e in range(size)]
            began = time.monotonic()
            launch(redis, plan, version="main", date=DATE, trigger=f"manual:{number}", by="bench", source=lambda _: active)  # noqa: B023
            runs.append(time.monotonic() - began)
            redis.flushall()
        took[size] = min(runs)
    each = max(took[20_000] - took[100], 0.0) / 19_900
    return max(took[100] - 100 * each, 0.0), each


def _background(redis: Client, url: str, folder: str, plan: Plan) -> float:
    """Seconds of Redis' CPU that a worker with all slots busy takes each second: heartbeats, renewals."""
    redis.delete("wd:{main}:queue")
    with _worker(url, folder, slots=SLOTS) as ready:
        wave = _launch(redis, plan, SLOTS, "manual:nap")
        ready()
        while Waves(redis).progress(wave).counts[0].get(ord("R"), 0) < SLOTS:
            time.sleep(0.1)
        used = _rate(redis)
    Waves(redis).cancel(wave, "measured", "bench")
    return used


def _rate(redis: Client) -> float:
    """Seconds of CPU that Redis takes each second, for some seconds from now."""
    before, began = _cpu(redis), time.monotonic()
    time.sleep(8)
    return (_cpu(redis) - before) / (time.monotonic() - began)


@contextmanager
def _worker(url: str, folder: str, *, slots: int) -> Iterator[object]:
    environment = {
        **os.environ, "WAVEDECK_REDIS_URL": url, "WAVEDECK_FLOWS": "scaling_flow",
        "PYTHONPATH": os.pathsep.join([folder, str(Path(__file__).parents[1])]),
    }  # fmt: skip
    command = [sys.executable, "-m", "worker", "--slots", str(slots), "--batch", "1", "--stop-timeout", "1"]
    log = Path(folder) / f"worker-{slots}.log"
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out, start_new_session=True)

        def ready() -> None:
            while "serves" not in log.read_text():
                if process.poll() is not None:
                    raise RuntimeError(f"the worker ended: {log.read_text()[-500:]}")
                time.sleep(0.02)

        try:
            yield ready
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(20)


def _cpu(redis: Client) -> float:
    told = redis.info("cpu")
    return float(told["used_cpu_user"] + told["used_cpu_sys"])


# simulating


@dataclass(frozen=True)
class Row:
    """A wave of one size. `free`: as if there were no launch limit; `ramp`: when the last worker came, after the first."""

    entities: int
    workers: int
    slots: int
    ramp: float
    run: Run
    free: Run
    soonest: float
    latest: float


def row(measured: Measured, entities: int, slots: int, launches: Launches = FARGATE) -> Row:
    """Simulates it on workers in proportion."""
    chance = random.Random(SEED)
    seconds = [TASKS * took for took in chance.choices(measured.tasks, k=entities)]
    workers = -(-entities // (PER_SLOT * slots))
    arrivals = launches.arrivals(workers)
    around = [took + measured.costs.slot for took in seconds]
    told = forecast(Work(entities, sum(around), max(around)), workers, slots, launches=launches)
    return Row(
        entities,
        workers,
        slots,
        arrivals[-1] - arrivals[0],
        simulate(seconds, arrivals, slots, measured.costs),
        simulate(seconds, replace(launches, burst=1e9).arrivals(workers), slots, measured.costs),
        told.soonest,
        told.latest,
    )


# telling


def tell(measured: Measured) -> str:
    """The tables, and what they stand on."""
    costs, start = measured.costs, FARGATE.start
    by_size = [row(measured, size, SLOTS) for size in SIZES]
    by_slots = [row(measured, SIZES[-1], slots) for slots in (1, 2, 4, 8)]
    first, last = by_size[0], by_size[-1]
    limited, free = growth(first.run, last.run), growth(first.free, last.free)
    seconds = [TASKS * took for took in measured.tasks]
    work = Work(SIZES[-1], statistics.fmean(seconds) * SIZES[-1], max(seconds))
    wanted = need(work, Bounds(0, 2000), SLOTS, budget=300.0, launches=FARGATE)
    p99 = statistics.quantiles(seconds, n=100)[98]
    return "\n".join(
        [
            f"| entities | workers × {SLOTS} slots | total | beyond the start | of it for the launch limit | foreseen | Redis busy |",
            "|---:|---:|---:|---:|---:|---:|---:|",
            *(
                f"| {r.entities:,} | {r.workers:,} | {r.run.total:.1f} s | **{r.run.total - start:.1f} s** | "
                f"{r.run.total - r.free.total:.1f} s | {r.soonest:.0f}–{r.latest:.0f} s | {r.run.redis:.0%} |"
                for r in by_size
            ),
            "",
            f"From {first.entities:,} to {last.entities:,} entities the time beyond the start grows by **{limited:.1%}**, "
            f"and by {free:.1%} if workers came without a limit.",
            "",
            f"| {SIZES[-1]:,} entities | workers | the last comes after | beyond the start | growth since {first.entities:,} |",
            "|---|---:|---:|---:|---:|",
            *(
                f"| {r.slots} {'slot' if r.slots == 1 else 'slots'} a worker | {r.workers:,} | {r.ramp:.1f} s | "
                f"{r.run.total - start:.1f} s | {growth(row(measured, SIZES[0], r.slots).run, r.run):.1%} |"
                for r in by_slots
            ),
            "",
            f"For {SIZES[-1]:,} entities within five minutes init would ask for {wanted.why}.",
            "",
            f"One Redis would be the limit at about {most_slots(costs, statistics.fmean(seconds)):,.0f} slots that all run such entities.",
            "",
            "What it stands on:",
            "",
            f"- measured here ({platform.machine()}, {os.cpu_count()} CPUs, shared): {len(measured.tasks):,} fits of a small model, "
            f"p50 {statistics.median(measured.tasks) * 1000:.1f} ms, p99 {statistics.quantiles(measured.tasks, n=100)[98] * 1000:.1f} ms; "
            f"a slot spends {costs.slot * 1000:.2f} ms on an entity beyond its tasks; Redis {costs.redis * 1e6:.0f} µs of CPU on one, and "
            f"{costs.background * 1e6:.0f} µs each second on a busy worker of {SLOTS} slots; init takes "
            f"{costs.queued(1000):.2f} s for 1,000 entities and {costs.queued(100_000):.1f} s for 100,000, while containers start",
            f"- assumed: an entity takes {TASKS} times what a fit took (mean {statistics.fmean(seconds):.2f} s, p99 {p99:.2f} s); "
            f"{PER_SLOT} entities a slot; a container serves {start:.0f} s after it was ordered; Fargate starts {FARGATE.burst:.0f} at once and "
            f"{FARGATE.rate:.0f} a second (AWS' limits of an account); {LATENCY * 1000:.1f} ms to Redis and back; no container is lost",
            "- the engine's own code decides when workers come, in which order entities go, and how many a slot claims at once",
        ]
    )


def most_slots(costs: Costs, seconds: float) -> float:
    """How many slots that run entities of so many seconds keep Redis' one CPU busy, with the heartbeats of their workers."""
    return 1 / (costs.redis / seconds + costs.background / SLOTS)


def growth(small: Run, large: Run) -> float:
    """How much longer the larger takes, of what the smaller takes beyond the start of containers."""
    return (large.total - FARGATE.start) / (small.total - FARGATE.start) - 1


def main() -> None:
    """Measures, simulates, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=600, help="of the wave that is measured")
    print(tell(measure(parser.parse_args().entities)))


if __name__ == "__main__":
    main()
