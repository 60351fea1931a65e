"""What it is worth to serve the longest entities first: waves in the usual order and with the longest ahead, in turn, on real workers.

    .venv/bin/python benchmarks/longest_first.py [--rounds 7] [--slots 4] [--entities 300] [--seed 7]

Tasks sleep, so the CPUs of this machine do not matter. One entity in twenty takes 0.2 to 1.5 s, all others 8 to 20 ms; each wave they
differ by up to a fifth from that, so what is expected is never quite what comes. Expectations are learnt as always, by the ledger. Times are of Redis' clock, from the first claim of a wave to its end.
"""

import argparse
import importlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from redis import Redis
from servers import RedisServer, eventually

from engine import longest
from engine.keys import Date
from engine.launch import launch
from engine.plan import Plan
from engine.simulate import bounds
from engine.store.connect import connect
from engine.store.ledger import Ledger, Longest
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.waves import Waves

FLOW = """
import json, random, time
from pathlib import Path
from engine import Flow

flow = Flow("skewed", every="1h", state="skewed", keep="1d")
SECONDS = json.loads(Path(__file__).with_name("seconds.json").read_text())

@flow.task(timeout="10m")
def work(entity, date):
    time.sleep(SECONDS[entity] * random.Random(f"{entity} {date}").uniform(0.8, 1.2))
    return 1
"""


def durations(entities: int, seed: int, kind: str) -> dict[str, float]:
    """Entity → seconds, in the usual order: with the long ones `scattered` over it, `last` in it, or none (`even`)."""
    chance = random.Random(seed)
    many = 0 if kind == "even" else entities // 20
    drawn = [chance.uniform(0.008, 0.02) for _ in range(entities - many)] + [chance.uniform(0.2, 1.5) for _ in range(many)]
    if kind == "scattered":
        chance.shuffle(drawn)
    return {f"e{number:06}": seconds for number, seconds in enumerate(drawn)}


LEARN = 4
"""Waves that the ledger learns from."""


class Bench:
    """A Redis, a worker that stays, and a flow of which each wave is another hour."""

    def __init__(self, redis: Redis, url: str, folder: Path, seconds: dict[str, float], slots: int) -> None:
        (folder / "seconds.json").write_text(json.dumps(seconds))
        (folder / "skewed.py").write_text(FLOW)
        self.redis, self.seconds, self.slots, self.hour = redis, seconds, slots, 0
        sys.path.insert(0, str(folder))
        module = importlib.import_module("skewed")
        self.plan: Plan = module.flow.plan
        self.process = subprocess.Popen(
            [sys.executable, "-m", "worker", "--slots", str(slots)], cwd=folder, start_new_session=True,
            env={**os.environ, "WAVEDECK_REDIS_URL": url, "WAVEDECK_FLOWS": "skewed", "PYTHONPATH": str(ROOT), "WAVEDECK_LOG": "WARNING"},
        )  # fmt: skip

    def close(self) -> None:
        """Ends the worker."""
        self.process.terminate()
        self.process.wait(30)

    def wave(self) -> tuple[Wave, float]:
        """Runs one wave to its end and its record; seconds."""
        date = Date("2013-07-01T00").shift(self.hour)
        self.hour += 1
        States(self.redis).seen("skewed", [(entity, "-") for entity in self.seconds], date.start.timestamp())
        made = launch(self.redis, self.plan, version="main", date=date, trigger=f"schedule:{date}", by="bench").wave
        store = Waves(self.redis)
        eventually(lambda: store.progress(made).wave.ended, 300)
        wave = store.progress(made).wave
        ledger = Ledger(self.redis, "main")
        eventually(lambda: ledger.has([f"{wave.id}:{wave.created}"])[0], 60)
        time.sleep(0.2)
        return wave, (wave.ended - wave.started) / 1000


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--entities", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    for kind in ("scattered", "last", "even"):
        with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
            sys.modules.pop("skewed", None)
            bench = Bench(connect(server.url), server.url, Path(folder), durations(args.entities, args.seed, kind), args.slots)
            try:
                measure(bench, args.rounds, kind)
            finally:
                bench.close()
                sys.path.remove(folder)
    launch_cost()


def measure(bench: Bench, rounds: int, what: str) -> None:
    """Both orders in turn, the first of a round changing."""
    ledger = Ledger(bench.redis, "main")
    bench.wave()  # its worker starts
    for _ in range(LEARN):
        bench.wave()
    learnt = ledger.longest("skewed")
    told = "none" if learnt.gain is None else f"{learnt.gain:.1%}"
    used = learnt.gain is not None and learnt.gain >= longest.WORTH
    print(
        f"\n{what}: {len(bench.seconds)} entities on {bench.slots} slots; {len(learnt.entities)} of them would go first, gain expected {told}"
    )
    print(f"so the queue {'is' if used else 'stays as it'} {'ordered' if used else 'is'}")
    forced = replace(learnt, gain=1.0)  # also where it would not be done: what is it worth then?
    took: dict[str, list[float]] = {"usual": [], "longest first": []}
    for number in range(rounds):
        for name in sorted(took, reverse=bool(number % 2)):
            ledger.expect("skewed", forced if name == "longest first" else Longest())
            took[name].append(bench.wave()[1])
    for name, seconds in took.items():
        print(f"  {name:<14} median {statistics.median(seconds):.2f} s   {min(seconds):.2f} to {max(seconds):.2f}")
    ratios = [b / a for a, b in zip(took["usual"], took["longest first"], strict=True)]
    least = bounds(list(bench.seconds.values()), bench.slots).soonest
    print(
        f"  ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} a round); no order is under {least:.2f} s"
    )


def launch_cost(entities: int = 50_000) -> None:
    """What asking costs at init."""
    members = [(f"e{number:06}", "-") for number in range(entities)]
    with RedisServer() as server:
        redis = connect(server.url)
        ledger = Ledger(redis, "main")
        print(f"\nat init, {entities:,} entities:")
        for what, kept in (
            ("no history", Longest()),
            ("not worth it", Longest([(f"e{n * 20:06}", 1.0) for n in range(2000)], 0.01)),
            ("2,000 to the front", Longest([(f"e{n * 20:06}", 1.0) for n in range(2000)], 0.2)),
        ):
            ledger.expect("skewed", kept)
            times = []
            for _ in range(9):
                began = time.perf_counter()
                longest.first(redis, "main", "skewed", members)
                times.append(time.perf_counter() - began)
            print(f"  {what:<20} {statistics.median(times) * 1000:.2f} ms")


if __name__ == "__main__":
    main()
