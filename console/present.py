"""How the headless commands print what they found: tables for people, JSON for programs. Text from outside is cleaned."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console import browse, views
from console.widgets.text import clean, short_seconds
from engine.status import Status
from engine.store.workers import Worker

LONGEST = 120
"""Characters of a cell of a table; `--json` has all of them."""


def as_json(value: Any) -> None:
    """Prints `value` (views, lists and dictionaries of them) as JSON on stdout."""
    try:
        data = msgspec.json.format(msgspec.json.encode(value), indent=2)
    except UnicodeEncodeError:  # a lone surrogate, such as in a key that is no UTF-8: JSON can only escape it
        data = json.dumps(msgspec.to_builtins(value), indent=2).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.flush()


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "none") -> None:
    """Prints rows under headings; headings that end in `>` are right-aligned. Nothing in a row is markup."""
    grid = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading.endswith(">") else "left"
        identity = heading in {"WAVE", "TASK", "WORKER"}  # never cut: people copy it
        grid.add_column(heading.rstrip(">"), justify=justify, overflow="fold" if identity else "ellipsis", no_wrap=not identity)
    count = 0
    for row in rows:
        grid.add_row(*(Text(_cut(clean(str(cell)))) for cell in row))
        count += 1
    width = None if sys.stdout.isatty() else 4000
    console = Console(highlight=False, markup=False, emoji=False, width=width)
    if count:
        console.print(grid)
    else:
        console.print(Text(empty))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def lines(*texts: str) -> None:
    """Prints lines, each cleaned."""
    for text in texts:
        sys.stdout.write(clean(text) + "\n")


def block(text: str) -> None:
    """Prints several lines as they are, but for control characters."""
    lines(*text.rstrip("\n").split("\n"))


def waves(rows: Sequence[views.WaveRow]) -> None:
    """The list of waves."""
    table(
        ("WAVE", "FLOW", "VERSION", "DATE", "PHASE", "ENTITIES>", "FINISHED>", "✗ FAILED>", "◌ BLOCKED>", "LEFT>", "TOOK>", "BY"),
        (
            (
                r.id, r.flow, r.version, r.date, r.phase, f"{r.entities:,}", f"{r.counts[Status.FINISHED]:,}",
                f"{r.counts[Status.FAILED]:,}", f"{r.counts[Status.BLOCKED]:,}", f"{r.left:,}", short_seconds(r.seconds), r.by,
            )
            for r in rows
        ),
        empty="no waves; `wavedeck trigger FLOW` starts one",
    )  # fmt: skip


def wave(detail: views.WaveDetail) -> None:
    """One wave."""
    w = detail.wave
    lines(
        f"{w.flow}@{w.version} {w.date}   wave {w.id}   {w.phase}" + (f" ({w.cancelled})" if w.cancelled else ""),
        f"{w.entities:,} entities × {w.tasks} tasks   {short_seconds(w.seconds)}   {w.left:,} left   "
        f"{detail.bytes_a_cell} bytes a cell in Redis   by {w.by} ({w.trigger})",
        "",
    )
    table(
        ("TASK", *(f"{s.value.upper()}>" for s in Status), "REUSED>", "FALLBACK>", "P50>", "P95>"),
        (
            (
                task, *(f"{counts[s]:,}" for s in Status), detail.marks[task]["reused"], detail.marks[task]["fallback"],
                short_seconds(detail.durations[task].p50), short_seconds(detail.durations[task].p95),
            )
            for task, counts in detail.counts.items()
        ),
    )  # fmt: skip


def failures(families: Sequence[views.Family]) -> None:
    """Failures by signature."""
    table(
        ("COUNT>", "STATUS", "TASK", "WHAT", "WHERE", "FOR EXAMPLE"),
        (
            (
                f"{f.count:,}",
                f.status,
                f.task,
                f.signature if f.type == f.status else f"{f.type}: {f.signature}",
                f.where,
                ", ".join(f.examples[:3]),
            )
            for f in families
        ),
        empty="nothing failed",
    )


def entity(detail: views.EntityDetail) -> None:
    """One entity of a wave."""
    lines(f"{detail.locator}   {detail.entity}   partition {detail.partition}   worker {detail.worker or '–'}", "")
    table(
        ("TASK", "STATUS", "MARK", "WAITED>", "RAN>", "WHY"),
        (
            (t.task, t.status, t.mark, short_seconds(t.waited), short_seconds(t.seconds), t.error["message"] if t.error else "")
            for t in detail.tasks
        ),
    )
    for task in detail.tasks:
        old = [i for i in task.inputs if i.get("missing") or i.get("age")]
        if not (task.error and task.error["traceback"]) and not task.log and not old:
            continue
        lines("", f"── {task.task}")
        for i in old:
            lines(f"input {i['name']}: " + ("missing" if i.get("missing") else f"{i['key']} ({i['age'] / 3600:g} h old)"))
        if task.error and task.error["traceback"]:
            block(task.error["traceback"])
        if task.log:
            block(task.log)


def flows(rows: Sequence[browse.FlowRow]) -> None:
    """Published flows."""
    table(
        ("FLOW", "VERSION", "EVERY>", "STATE", "PLAN", "TASKS"),
        ((f.flow, f.version, short_seconds(f.every), f.state, f.sha, " ".join(f.tasks)) for f in rows),
        empty="no flows published; a worker publishes its version's flows",
    )


def state(view: browse.StateView) -> None:
    """A state by partition."""
    lines(f"state {view.state}: {view.total:,} entities", "")
    table(("PARTITION", "ENTITIES>"), ((p, f"{n:,}") for p, n in view.partitions.items()))
    lines("")
    table(("ENTITY", "PARTITION", "LAST SEEN"), ((e, p, seen or "–") for e, p, seen in view.entities[:20]))
    if view.total > 20:
        lines(f"… and {view.total - 20:,} more (--json has them)")


def workers(rows: Sequence[Worker]) -> None:
    """Workers that are alive."""
    table(
        ("WORKER", "VERSION", "HOST", "PID>", "SLOTS>", "BUSY>", "SERVED>", "MEMORY>", "RUNS"),
        (
            (
                w.name, w.version, w.host, w.pid, len(w.slots), sum(s.task is not None for s in w.slots), f"{w.served:,}",
                f"{w.memory / 1e6:.0f} MB", ", ".join(f"{s.task} of {s.entity}" for s in w.slots if s.task),
            )
            for w in rows
        ),
        empty="no worker is alive; `wavedeck worker` starts one",
    )  # fmt: skip


def pipes(listing: browse.PipeListing) -> None:
    """A level of the pipes' tree."""
    if listing.level == "entities":
        table(("ENTITY", "WRITTEN BY"), zip(listing.items, listing.writers, strict=True))
    else:
        table((listing.level.upper(),), ((i,) for i in listing.items))
    if listing.more:
        lines("… and more (--limit)")


def pipe(detail: browse.PipeDetail) -> None:
    """One pipe."""
    lines(
        f"{detail.key}   {detail.bytes:,} bytes   expires {detail.expires or 'never'}   written by {detail.writer or 'nobody knows'}"
    )
    block(msgspec.json.format(msgspec.json.encode(detail.value), indent=2).decode() if detail.json else detail.value)
