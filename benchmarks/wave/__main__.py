"""How fast Wavedeck runs a wave, beside its peers and beside what Redis and Python allow: `python -m benchmarks.wave [--quick]`. Linux.

One Redis, the same diamond of six tasks for every entity, the same keys and values; all rows in turn, round by round. A row is a
process of its own (`run.py`). Ratios are taken within a round. `docs/performance.md` says what each line means.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime

import msgspec

from benchmarks.wave.jobs import FULL, QUICK, Job, jobs, wanted
from benchmarks.wave.machine import ROOT, a_server
from benchmarks.wave.run import Failed, Run
from benchmarks.wave.table import Book, Found, render

RESULTS = ROOT / "build" / "wave.json"
LONGEST = 900
"""Seconds after which a run is ended."""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def measure(job: Job, url: str) -> Found:
    """A run, in a process of its own."""
    asked = {
        "shape": job.shape, "entities": job.entities, "latencies": job.latencies, "workers": job.workers, "turns": job.turns
    }  # fmt: skip
    command = [
        "benchmarks.wave.run",
        job.arm,
        url,
        *(word for name, value in asked.items() for word in (f"--{name}", str(value))),
    ]
    told = _python(command)
    try:
        return msgspec.json.decode(told, type=Run)
    except msgspec.MsgspecError:
        pass
    try:
        return msgspec.json.decode(told, type=Failed)
    except msgspec.MsgspecError:
        return Failed(f"it said {told[-300:]!r}")


def _python(command: list[str]) -> str:
    try:
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=ROOT, env={**os.environ, **_ONE_THREAD}, text=True, timeout=LONGEST,
            capture_output=True, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"nothing within {LONGEST} s"
    lines = done.stdout.strip().splitlines()
    return lines[-1] if lines else done.stderr[-300:]


def _save(book: Book, told: str) -> None:
    kept = [[(asdict(job), msgspec.to_builtins(found)) for job, found in one.items()] for one in book.rounds]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode({"about": told, "rounds": kept})))


def _load() -> tuple[Book, str]:
    kept = msgspec.json.decode(RESULTS.read_bytes())
    rounds = [
        {Job(**job): Failed(**found) if "failed" in found else Run(**found) for job, found in one} for one in kept["rounds"]
    ]
    return Book(rounds), kept["about"]


def main() -> None:
    """Measures, or shows what was measured last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wave", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one round of small waves: it shows that all rows work, no more")
    parser.add_argument("--only", default="", help="wave,shapes,eight,enqueue,makespan,learning, or names of rows, with commas")
    parser.add_argument("--rounds", type=int, default=0, help="3, or 1 when quick")
    parser.add_argument("--show", action="store_true", help=f"only prints {RESULTS.relative_to(ROOT)} again")
    given = parser.parse_args()
    if given.show:
        book, about = _load()
    else:
        book, about = _measure(given.only, given.rounds or (1 if given.quick else 3), quick=given.quick)
    print(f"{about}\n\n{render(book)}")


def _measure(only: str, rounds: int, *, quick: bool) -> tuple[Book, str]:
    todo = wanted(jobs(QUICK if quick else FULL), only)
    book, load = Book(), os.getloadavg()[0]
    with a_server() as server:
        for number in range(rounds):
            one: dict[Job, Found] = {}
            book.rounds.append(one)
            turn = len(todo) * number // rounds  # nobody comes first in every round
            for job in todo[turn:] + todo[:turn]:
                print(f"… round {number + 1}: {job.name}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
                one[job] = measure(job, server.url)
                if isinstance(failed := one[job], Failed):
                    print(f"  {failed.failed}", file=sys.stderr, flush=True)
        today = datetime.now(UTC).strftime("%Y-%m-%d")
        about = (
            f"{today}, {os.cpu_count()} cores, load {load:.1f} before and {os.getloadavg()[0]:.1f} after, Python "
            f"{sys.version.split()[0]}, Redis {server.version}; {rounds} rounds{', small waves: no figures to go by' if quick else ''}"
        )
    for one in book.rounds:  # in the order of the table, whoever came first
        ordered = [(job, one[job]) for job in todo]
        one.clear()
        one.update(ordered)
    _save(book, about)
    return book, about


if __name__ == "__main__":
    main()
