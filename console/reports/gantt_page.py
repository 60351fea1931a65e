"""A wave's profile as a picture: SVG, or a page of HTML around it. Self-contained: no script, no font, nothing from elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from console.reports.gantt import COLUMNS, Cell, Gantt, Row
from console.reports.profile import IDLE, Profile, Spread
from console.widgets.text import clean, short_seconds

HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C6BB1", "#7F7F00")
"""Colours of tasks, told apart by people who do not see all of them (Okabe and Ito), in turn."""
LABEL, PLOT, LINE, TOP = 190, 800, 14, 64
"""Pixels: width of labels and of the drawing, height of a row, and of what stands above."""
FEW = 40
"""Rows up to which each is a line high."""
STEPS = 4
"""Shades of how busy a column was."""
_STYLE = "font: 11px ui-monospace, Menlo, Consolas, monospace"
_PAGE = """
body { background: #fff; color: #23262b; font: 14px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 1040px; padding: 0 1em }
table { border-collapse: collapse; margin: .6em 0 1.6em; font-variant-numeric: tabular-nums }
th, td { text-align: right; padding: .15em .9em .15em 0; white-space: nowrap } th { font-weight: 600; border-bottom: 1px solid #ccc }
.words { text-align: left } h2 { font-size: 1.1em; margin: 1.6em 0 .2em } p { margin: .2em 0 }
"""


def svg(profile: Profile, drawing: Gantt) -> str:
    """The Gantt chart alone."""
    parts = [*_head(profile, drawing)]
    y = TOP
    for title, rows in (("by slot", drawing.slots), ("by entity, in the order of the queue", drawing.entities)):
        y += LINE + 6
        parts.append(_text(0, y, title, bold=True))
        y += 6
        height = LINE if len(rows) <= FEW else LINE // 2  # every other row has its name then
        for number, row in enumerate(rows):
            parts.append(_row(row, y, drawing, height, named=height == LINE or not number % 2))
            y += height
    parts += _axis(drawing, y + 4)
    height = y + 26
    width = LABEL + PLOT + 10
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" style="{_STYLE}">\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def page(profile: Profile, drawing: Gantt) -> str:
    """The chart with the numbers."""
    title = _safe(f"{profile.locator} · where the time went")
    body = [f"<h1>{title}</h1>", *(f"<p>{_safe(line)}</p>" for line in words(profile)), svg(profile, drawing)]
    body += ["<h2>Tasks</h2>", _table(*tasks_table(profile)), "<h2>Idle slots</h2>", _table(*idle_table(profile))]
    body += ["<h2>With other numbers of workers</h2>", _table(*what_if_table(profile))]
    body += [
        "<h2>What ended last</h2>",
        _table(*last_table(profile)),
        "<h2>Slowest entities</h2>",
        _table(*slow_table(profile)),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_PAGE}</style></head>\n<body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


Table = tuple[Sequence[str], Sequence[Sequence[str]]]
"""Headings, those of numbers with `>` at their end, and rows."""


def words(profile: Profile) -> list[str]:
    """The wave in two lines."""
    if not profile.cells:
        return [f"{profile.entities:,} entities; nothing has run yet"]
    about = "about " if profile.guessed else ""
    told = [
        f"{profile.entities:,} entities, {profile.cells:,} cells ran in {short_seconds(profile.seconds)} on {about}{_count(profile.slots, 'slot')}"
        f" of {_count(profile.workers, 'worker')}, {profile.used:.0%} of their time; queued for {short_seconds(profile.queued)} before"
    ]
    one, *others = profile.what_if
    for other in others[:1]:
        gain = 1 - other.seconds / one.seconds if one.seconds else 0.0
        less = f"{gain:.0%} less" if gain >= 0.005 else f"{-gain:.0%} more" if gain <= -0.005 else "no sooner"
        told.append(
            f"with {other.times:g} times the workers ({other.slots:,} slots): {short_seconds(other.seconds)}, {less}; "
            f"in no order under {short_seconds(other.soonest)}"
        )
    return told


def tasks_table(profile: Profile) -> Table:
    """How long cells waited, queued and ran."""
    head = ("TASK", "CELLS>", "WAIT p50>", "p95>", "max>", "QUEUE p50>", "p95>", "max>", "RUN p50>", "p95>", "max>", "SHARE>")
    rows = [
        (t.task, f"{t.cells:,}", *_spread(t.wait), *_spread(t.queue), *_spread(t.run), f"{t.share:.0%}") for t in profile.tasks
    ]
    return head, rows


def idle_table(profile: Profile) -> Table:
    """Why slots were idle."""
    whole = profile.busy + sum(profile.idle.values()) or 1.0
    rows = [("busy", short_seconds(profile.busy), f"{profile.busy / whole:.1%}", "ran cells")]
    rows += [(why, short_seconds(own), f"{own / whole:.1%}", IDLE[why]) for why, own in profile.idle.items()]
    return ("SLOTS", "SECONDS>", "SHARE>", "WHY"), rows


def what_if_table(profile: Profile) -> Table:
    """What the simulation says, beside what was."""
    rows = [("as it ran", f"{profile.slots:,}", short_seconds(profile.seconds), "", "")] if profile.cells else []
    rows += [
        (
            f"× {w.times:g}, simulated",
            f"{w.slots:,}",
            short_seconds(w.seconds),
            short_seconds(w.soonest),
            short_seconds(w.latest),
        )
        for w in profile.what_if
    ]
    return ("WORKERS", "SLOTS>", "TOOK>", "AT LEAST>", "AT MOST>"), rows


def last_table(profile: Profile) -> Table:
    """The chain of cells that ended last."""
    rows = [(s.task, s.entity, short_seconds(s.waited), short_seconds(s.seconds), short_seconds(s.end)) for s in profile.last]
    return ("TASK", "ENTITY", "WAITED>", "RAN>", "ENDED AT>"), rows


def slow_table(profile: Profile) -> Table:
    """The slowest entities."""
    rows = [
        (s.entity, short_seconds(s.seconds), s.task, short_seconds(s.task_seconds), short_seconds(s.start))
        for s in profile.slowest
    ]
    return ("ENTITY", "TOOK>", "MOST OF IT", "RAN>", "TAKEN UP AT>"), rows


def _spread(spread: Spread) -> tuple[str, str, str]:
    return short_seconds(spread.p50), short_seconds(spread.p95), short_seconds(spread.max)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _safe(text: str) -> str:
    """Text from outside in a document: what a terminal would not show is spelled out, what markup is made of escaped."""
    return escape(clean(text))


def _text(x: float, y: float, text: str, *, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="#23262b"{weight}>{_safe(text)}</text>'


def _head(profile: Profile, drawing: Gantt) -> Iterator[str]:
    yield _text(0, 14, profile.locator, bold=True)
    yield _text(0, 30, words(profile)[0])
    x = 0.0
    for number, task in enumerate(drawing.tasks):
        yield f'<rect x="{x:g}" y="40" width="10" height="10" fill="{HUES[number % len(HUES)]}"/>'
        yield _text(x + 14, 49, task)
        x += 30 + 7 * len(clean(task))


def _row(row: Row, y: int, drawing: Gantt, height: int, *, named: bool) -> str:
    shown = clean(row.label)
    label = shown if len(shown) <= 26 else f"{shown[:25]}…"
    parts = [f"<g><title>{_safe(row.label)}</title>"]
    if named:
        parts.append(_text(LABEL - 8, y + 10, label, anchor="end"))
    step, at = PLOT / COLUMNS, 0
    for (task, shade), run in groupby(row.cells, key=_shaded):
        many = len(list(run))
        if task >= 0:
            hue = HUES[task % len(HUES)]
            begin = drawing.since + at * drawing.seconds / COLUMNS
            parts.append(
                f'<rect x="{LABEL + at * step:g}" y="{y}" width="{many * step:g}" height="{height - 2}" fill="{hue}" fill-opacity="{shade:g}">'
                f"<title>{_safe(drawing.tasks[task])} from {short_seconds(begin)}</title></rect>"
            )
        at += many
    return "".join(parts) + "</g>"


def _shaded(cell: Cell) -> tuple[int, float]:
    task, share = cell
    return task, -(-share * STEPS // 1) / STEPS


def _axis(drawing: Gantt, y: int) -> Iterator[str]:
    for quarter in range(5):
        x = LABEL + PLOT * quarter / 4
        yield f'<line x1="{x:g}" x2="{x:g}" y1="{TOP + 8}" y2="{y}" stroke="#000" stroke-opacity="0.12"/>'
        at = drawing.since + drawing.seconds * quarter / 4
        yield _text(x, y + 14, short_seconds(at), anchor="end" if quarter == 4 else "middle" if quarter else "start")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    sides = ["" if name.endswith(">") else ' class="words"' for name in head]
    top = "".join(f"<th{side}>{_safe(name.rstrip('>'))}</th>" for side, name in zip(sides, head, strict=True))
    lines = ("".join(f"<td{side}>{_safe(str(cell))}</td>" for side, cell in zip(sides, row, strict=True)) for row in rows)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f"<table><tr>{top}</tr>{body}</table>"
