"""Many rounds: what `make chaos` does."""

import argparse
import os
import secrets
import statistics
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from chaos.invariants import TITLES
from chaos.play import Outcome, play
from chaos.schedule import FAULTS, LEASE, draw
from servers import RedisServer

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "chaos.json"
OPTIONS = ("--appendfsync", "always")
"""What Redis has acknowledged is on disk before it says so, so a restart that loses something would be our fault."""


@dataclass
class Total:
    """The outcomes of all rounds, added up; as it is stored."""

    seed: int
    rounds: int = 0
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    cores: int = field(default_factory=lambda: os.cpu_count() or 1)
    lease: float = LEASE
    seconds: float = 0.0
    reads: int = 0
    probes: int = 0
    cells: int = 0
    executed: int = 0
    again: int = 0
    ends: dict[str, int] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    with_fault: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    """Rounds in which there was one, and those of them in which all invariants held."""
    held: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    timed: dict[str, list[float]] = field(default_factory=dict)
    wrong: dict[int, list[str]] = field(default_factory=dict)
    """By round."""

    def add(self, number: int, outcome: Outcome) -> None:
        self.rounds += 1
        for name in ("seconds", "reads", "probes", "cells", "executed", "again"):
            setattr(self, name, getattr(self, name) + getattr(outcome, name))
        for cell, many in outcome.ends.items():
            self.ends[cell] = self.ends.get(cell, 0) + many
        for kind, many in outcome.faults.items():
            self.faults[kind] += many
            self.with_fault[kind] += 1
            self.held[kind] += not outcome.wrong
        for kind, seconds in outcome.timed:
            self.timed.setdefault(kind, []).append(round(seconds, 3))
        if outcome.wrong:
            self.wrong[number] = outcome.wrong

    def broken(self, invariant: str) -> int:
        """In how many rounds an invariant did not hold."""
        return sum(any(w.startswith(invariant) for w in wrong) for wrong in self.wrong.values())


def main(argv: list[str] | None = None) -> int:
    """Plays, prints, writes; 0 when everything held."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="0: a new one")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--round", type=int, default=None, help="only this one, with all that its workers said")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument(
        "--write-docs", action="store_true", help="play nothing: write the tables of docs/reliability.md from results"
    )
    args = parser.parse_args(argv)
    if args.write_docs:
        from chaos.report import write_docs

        return write_docs(args.out)
    total = Total(args.seed or secrets.randbelow(10**6) + 1)
    numbers = range(args.rounds) if args.round is None else [args.round]
    print(f"seed {total.seed}, {len(numbers)} rounds", flush=True)
    with RedisServer(*OPTIONS, persist=True) as server, tempfile.TemporaryDirectory(prefix="wd-") as folder:
        for number in numbers:
            outcome = play(total.seed, number, server, Path(folder) / str(number))
            total.add(number, outcome)
            _print_round(total.seed, number, outcome, loud=args.round is not None)
    print(summary(total))
    if args.round is None:
        args.out.parent.mkdir(exist_ok=True)
        args.out.write_bytes(msgspec.json.format(msgspec.json.encode(total)))
    return 1 if total.wrong else 0


def _print_round(seed: int, number: int, outcome: Outcome, *, loud: bool) -> None:
    faults = ", ".join(f"{kind} ×{many}" if many > 1 else kind for kind, many in sorted(outcome.faults.items()))
    print(f"round {number:3}  {outcome.seconds:5.1f} s  {'WRONG' if outcome.wrong else 'held '}  {faults}", flush=True)
    if outcome.wrong:
        print(f"\n{draw(seed, number)}\n")
        print(*outcome.wrong[:12], sep="\n")
        print(f"\nagain: make chaos SEED={seed} ROUND={number}\n", flush=True)
    if loud:
        print(outcome.logs)


def summary(total: Total) -> str:
    """A page: every invariant, every fault."""
    lines = [
        "",
        f"{total.rounds} rounds in {total.seconds:.0f} s: {total.cells:,} cells, {total.executed:,} of them ran, "
        f"{total.again:,} executions beyond the first; {total.reads:,} readings, {total.probes:,} stale tokens tried",
        "",
    ]
    for invariant, title in TITLES.items():
        broken = total.broken(invariant)
        lines.append(f"{invariant}  {'held' if not broken else f'BROKEN in {broken} rounds'}  {title}")
    lines += ["", f"{'fault':20} {'times':>6} {'recovered':>10} {'p50':>8} {'max':>8}"]
    for kind in FAULTS:
        times = total.timed.get(kind, [])
        p50, most = (f"{statistics.median(times):.2f} s", f"{max(times):.2f} s") if times else ("", "")
        lines.append(f"{kind:20} {total.faults[kind]:6} {len(times) or '':>10} {p50:>8} {most:>8}")
    return "\n".join(lines)
