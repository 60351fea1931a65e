"""The tables of docs/reliability.md, written from what `make chaos`, `make bench-faults` and the tests have shown."""

import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import msgspec
from chaos.invariants import TITLES
from chaos.promises import PROMISES, Promise
from chaos.run import ROOT, Total

from benchmarks.faults import RESULTS as BENCH
from benchmarks.faults import Faults, Stalled

PAGE = ROOT / "docs" / "reliability.md"
HEAD = "| fault | promised | shown | by |\n| --- | --- | --- | --- |"
BENCH_HEAD = "| queue, settings | kill: seconds to the second start | stall: complete executions |\n| --- | --- | --- |"
PEERS = (
    ("streaQ 7.2, defaults", "60.8", "2 (75 s)"),
    ("SAQ 0.26.4, `retries=3`", "65.3", "3 (80 s)"),
    ("Celery 5.7, `acks_late`, visibility timeout 20 s", "90.4", "2 (130 s)"),
    ("arq 0.28, defaults", "309.3", ""),
    ("RQ 3.0, `Retry(max=3)`", "810.3", ""),
    ("Dramatiq 2.2.1, defaults", "not within 900", ""),
    ("Taskiq-redis 1.2.4, defaults", "not within 900", ""),
    ("SAQ 0.26.4, defaults", "aborted", ""),
    ("RQ 3.0, defaults", "failed, no second start", ""),
    ("Celery 5.7, defaults", "lost", ""),
    ("huey 3.5.4, defaults", "lost", ""),
)
"""Measured on 2026-11-23 on a machine of two cores, a run each; not measured again here."""


@dataclass(frozen=True)
class Run:
    """How the tests of a node id went."""

    passed: int
    failed: int


def write_docs(results: Path) -> int:
    """Runs the tests that the table names and writes both tables between their marks. 1 when a test failed."""
    total = msgspec.json.decode(results.read_bytes(), type=Total)
    bench = msgspec.json.decode(BENCH.read_bytes(), type=Faults)
    runs = run_tests(sorted({test for promise in PROMISES for test in promise.tests}))
    page = PAGE.read_text("utf-8")
    page = between("faults", page, f"{HEAD}\n" + "\n".join(row(p, total, runs) for p in PROMISES))
    page = between("peers", page, peers(bench))
    page = between("rounds", page, rounds(total))
    PAGE.write_text(page, "utf-8")
    return int(any(run.failed or not run.passed for run in runs.values()))


def between(name: str, page: str, text: str) -> str:
    """The page with `text` between the marks of that name."""
    pattern = re.compile(f"(<!-- {name}: [^>]*-->\n).*?(<!-- /{name} -->)", re.DOTALL)
    assert len(pattern.findall(page)) == 1, f"docs/reliability.md has no marks for {name}"
    return pattern.sub(lambda m: f"{m[1]}\n{text}\n\n{m[2]}", page)


def rounds(total: Total) -> str:
    """What the long run was."""
    lines = [
        f"{total.date}, {total.cores} shared cores, seed {total.seed}: {total.rounds} rounds in {total.seconds / 60:.0f} minutes, leases of "
        f"{total.lease:g} s, {sum(total.faults.values()):,} faults, {total.cells:,} cells, {total.reads:,} readings, {total.probes:,} stale tokens tried. "
        f"User code came to its end in {total.executed:,} cells, and {total.again:,} times once more in one of them; what I6 shows is that none of "
        "these second executions began when the first one's value, or the cell's end, had been seen.",
        "",
        "| invariant | rounds in which it held |",
        "| --- | ---: |",
    ]
    for name, title in TITLES.items():
        lines.append(f"| {name}: {title} | {total.rounds - total.broken(name)} of {total.rounds} |")
    return "\n".join(lines)


def row(promise: Promise, total: Total, runs: Mapping[str, Run]) -> str:
    """A row of the table of faults."""
    by = "<br>".join(f"`{test.removeprefix('tests/')}`" for test in promise.tests)
    return f"| {promise.fault} | {promise.promised} | {shown(promise, total, runs)} | {by} |"


def shown(promise: Promise, total: Total, runs: Mapping[str, Run]) -> str:
    """What chaos and the tests have shown of a fault."""
    passed, failed = (sum(getattr(runs[t], name) for t in promise.tests) for name in ("passed", "failed"))
    words = [f"{passed} of {passed + failed} {'test' if passed + failed == 1 else 'tests'} passed"]
    for kind in promise.kinds:
        chaos = (
            f"{kind}: {total.faults[kind]} times, all invariants held in {total.held[kind]} of {total.with_fault[kind]} rounds"
        )
        if times := total.timed.get(kind):
            chaos += f"; work went on after {statistics.median(times):.1f} s, at most {max(times):.1f} s"
        words.append(chaos)
    return "<br>".join(words)


def peers(bench: Faults) -> str:
    """The measured rows beside the peers' figures."""

    def times(seconds: Sequence[float]) -> str:
        return f"**{statistics.median(seconds):.1f}** ({min(seconds):.1f}–{max(seconds):.1f})"

    def ended(runs: Sequence[Stalled]) -> str:
        complete = "–".join(sorted({str(s.complete) for s in runs}))
        effective = "–".join(sorted({str(s.effective) for s in runs}))
        return f"**{effective} effective**, {complete} complete ({bench.stall:g} s)"

    name = f"Wavedeck, defaults (lease {bench.lease:g} s)"
    rows = [
        (f"{name}, a fresh worker at once", times(bench.kill_fresh), ""),
        (f"{name}, the second worker idled before", times(bench.kill_idle), ""),
        (f"{name}, a job that works when it is woken", "", ended(bench.stall_at_work)),
        (f"{name}, a job whose sleep is over when it is woken", "", ended(bench.stall_asleep)),
        *PEERS,
    ]
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
    return f"Wavedeck: {bench.date}, {bench.cores} shared cores, {len(bench.kill_fresh)} runs each.\n\n{BENCH_HEAD}\n{table}"


def run_tests(tests: Sequence[str]) -> dict[str, Run]:
    """Runs tests by node id; a parametrised one counts each of its cases."""
    with tempfile.TemporaryDirectory(prefix="wd-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-n", "2", f"--junitxml={report}", *tests]
        subprocess.run(command, cwd=ROOT, check=False)
        passed: Counter[str] = Counter()
        failed: Counter[str] = Counter()
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 it is ours
            path = case.attrib["classname"].replace(".", "/") + ".py"
            name = f"{path}::{case.attrib['name'].partition('[')[0]}"
            (failed if [*case.iter("failure"), *case.iter("error")] else passed)[name] += 1
    return {test: Run(passed[test], failed[test]) for test in tests}
