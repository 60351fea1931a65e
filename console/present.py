"""How the headless commands print what they found: tables for people, JSON for programs. Text from outside is cleaned."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from console import browse, entity_view, views
from console.reports.used import Used
from console.widgets.text import clean, short_seconds
from engine.status import Status

LONGEST = 120
"""Characters of a cell of a table; `--json` has all of them."""


def as_json(value: Any) -> None:
    """Prints `value` (views, lists and dictionaries of them) as JSON on stdout. What a terminal would obey is escaped, the value is the same."""
    try:
        data = msgspec.json.format(msgspec.json.encode(value), indent=2)
    except UnicodeEncodeError:  # a lone surrogate, such as in a key that is no UTF-8: JSON can only escape it
        data = json.dumps(msgspec.to_builtins(value), indent=2).encode()
    if not data.isascii() or b"\x7f" in data:
        data = _SUSPECT.sub(_escaped, data.decode()).encode()
    sys.stdout.buffer.write(data + b"\n")
    sys.stdout.flush()


_SUSPECT = re.compile("[^\n -~]+")


def _escaped(found: re.Match[str]) -> str:
    return "".join(char if char.isprintable() else json.dumps(char)[1:-1] if char != "\x7f" else "\\u007f" for char in found[0])


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
        ("WAVE", "FLOW", "VERSION", "DATE", "PHASE", "ENTITIES>", "FINISHED>", "✗ FAILED>", "◌ BLOCKED>", "LEFT>", "TOOK>", "VS LAST 10", "BY"),
        (
            (
                r.id, r.flow, r.version, r.date, r.phase, f"{r.entities:,}", f"{r.counts[Status.FINISHED]:,}",
                f"{r.counts[Status.FAILED]:,}", f"{r.counts[Status.BLOCKED]:,}", f"{r.left:,}", short_seconds(r.seconds), r.normal.words if r.normal else "", r.by,
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


def entity(detail: entity_view.EntityDetail) -> None:
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
        telling = any(i.state not in ("fresh", "there", "awaited") for i in task.inputs)
        if not (task.error and task.error["traceback"]) and not task.log and not telling and not task.serves:
            continue
        lines("", f"── {task.task}")
        for i in task.inputs:
            lines(f"input {i.name}: {_input(i)}")
        if task.serves:
            lines(f"meanwhile {task.serves.key} serves until {task.serves.until[:16].replace('T', ' ')}")
        if task.error and task.error["traceback"]:
            block(task.error["traceback"])
        if task.log:
            block(task.log)


def _input(i: Used) -> str:
    """Whose an input is, how old and how large; the last good one where it is missing."""
    if i.missing:
        good = f"last good: {i.good} ({short_seconds(i.good_age)} older)" if i.good else "no earlier one either"
        return f"missing{', not waited for any longer' if i.timed_out else ''}; {good}"
    if i.state == "history":
        return f"{i.count:,} of {i.of:,} earlier values, {i.bytes or 0:,} bytes"
    size = f", {i.bytes:,} bytes" if i.bytes is not None else ""
    return f"{f'{short_seconds(i.age)} older' if i.age else i.state}: {i.key}{size}"


def flows(rows: Sequence[browse.FlowRow]) -> None:
    """Published flows."""
    table(
        ("FLOW", "VERSION", "EVERY>", "STATE", "PLAN", "TASKS"),
        ((f.flow, f.version, short_seconds(f.every), f.state, f.sha, " ".join(f.tasks)) for f in rows),
        empty="no flows published; a worker publishes its version's flows",
    )
