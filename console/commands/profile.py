"""Commands about time: where a wave's went, and how a flow's waves have done over months."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from console.commands.common import DEFAULT_VERSION, json_option, open_redis, show
from engine.keys import check_name, check_version

if TYPE_CHECKING:
    from console.reports.gantt import Gantt
    from console.reports.history import FlowHistory
    from console.reports.profile import Profile

WIDE = 78
"""Characters of a line of the drawing."""
MOST_LINES = 16


@click.command()
@click.argument("wave")
@click.option(
    "--workers-times", "times", multiple=True, type=click.FloatRange(0.01, 1000), default=(2.0,), show_default=True, metavar="N",
    help="Simulate N times the workers; may be repeated.",
)  # fmt: skip
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the Gantt chart there as SVG.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write all of it there as one page of HTML.")
@json_option
def profile(wave: str, times: tuple[float, ...], svg: Path | None, html: Path | None, as_json: bool) -> None:
    """Where a wave's time went: its tasks, idle slots and why, what ended last, and what more workers would have done."""
    from console.reports import gantt_page
    from console.reports.gantt import gantt
    from console.reports.profile import profile_of, read

    with open_redis() as (redis, _):
        reading = read(redis, wave)
    found = profile_of(reading, times)
    drawing = gantt(reading.timing, reading.names, reading.crew, reading.known)
    for path, text in ((svg, gantt_page.svg), (html, gantt_page.page)):
        if path is not None:
            path.write_text(text(found, drawing), encoding="utf-8")
            click.echo(f"written: {path}", err=True)
    show(found, as_json, lambda p: _print(p, drawing))


def _print(found: "Profile", drawing: "Gantt") -> None:
    from console import present
    from console.reports import gantt_page as tables

    present.lines(f"{found.locator}   wave {found.wave}   {found.phase}", *tables.words(found))
    if not found.cells:
        return
    for table in (tables.tasks_table, tables.idle_table, tables.what_if_table, tables.last_table, tables.slow_table):
        present.lines("")
        present.table(*table(found))
    if found.critical_path:
        present.lines("", f"critical path by medians: {' → '.join(found.critical_path)}")
    present.lines("", *_drawn(drawing))


def _drawn(drawing: "Gantt") -> list[str]:
    """The slots, as lines; those of the middle left out where there are many."""
    from console.reports.gantt import letters
    from console.widgets.gantt import columns, legend
    from console.widgets.text import fit

    rows = drawing.slots
    shown = rows if len(rows) <= MOST_LINES else (*rows[: MOST_LINES - 1], rows[-1])
    names = letters(drawing.tasks)
    label = min(max((len(row.label) for row in shown), default=0), 24)
    lines = [f"{fit(row.label, label)} {''.join(c for c, _ in columns(row, WIDE - label - 1, names))}" for row in shown]
    left = len(rows) - len(shown)
    return [*lines, *([f"… and {left} more; --html draws all"] if left else []), legend(drawing.tasks, names)]


@click.command()
@click.argument("flow")
@click.option("--version", default=DEFAULT_VERSION, envvar="WAVEDECK_VERSION", show_default=True, help="The version.")
@click.option("--limit", default=30, show_default=True, type=click.IntRange(1, 10_000), help="How many waves.")
@json_option
def history(flow: str, version: str, limit: int, as_json: bool) -> None:
    """A flow's waves over months, from the ledger: they are told of long after they themselves have expired."""
    from console.reports.history import history as read

    check_version(version)
    check_name(flow, "flow")
    with open_redis(write=True) as (redis, _):
        found = read(redis, flow, version, limit)
    show(found, as_json, _print_history)


def _print_history(found: "FlowHistory") -> None:
    from console import present
    from console.widgets.text import short_seconds

    if found.trends:
        present.table(
            ("TREND", "WAVES, OLDEST FIRST", "BEFORE>", "NOW>", "RATIO>"),
            (
                (t.what, t.line, _number(t.what, t.before), _number(t.what, t.now), f"{t.ratio:.2f}×" if t.ratio else "–")
                for t in found.trends
            ),
        )
        present.lines("")
    present.table(
        ("WAVE", "DATE", "PHASE", "ENTITIES>", "TOOK>", "FAILED>", "BLOCKED>", "COVERED>", "REUSED>", "SLOTS>", "BUSY>", "PRICE>", "CODE", "MOST FAILED"),
        (
            (
                w.wave, w.date, w.phase, f"{w.entities:,}", short_seconds(w.seconds), f"{w.failed:,}", f"{w.blocked:,}", f"{w.fallbacks:,}",
                f"{w.reused:,}", w.slots or "–", short_seconds(w.cost["busy"]), "–" if w.cost["price"] is None else f"{w.cost['price']:.4f}",
                ", ".join(w.code) or "–",
                f"{w.failures[0]['task']}: {w.failures[0]['type']}: {w.failures[0]['signature']}" if w.failures else "",
            )
            for w in found.waves
        ),
        empty=f"the ledger has no wave of {found.flow}@{found.version}",
    )  # fmt: skip


def _number(what: str, value: float | None) -> str:
    from console.widgets.text import short_seconds

    if value is None:
        return "–"
    if "seconds" in what:
        return short_seconds(value)
    return f"{value:.2%}" if "rate" in what else f"{value:,.0f}"


COMMANDS: tuple[click.Command, ...] = (profile, history)
