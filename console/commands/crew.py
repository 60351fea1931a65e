"""Commands about who is active, who works and who did what."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import json_option, open_redis, show, version_option

if TYPE_CHECKING:
    from console.reports.acts import ActRow
    from console.reports.crew import WorkerRow
    from console.reports.state import StateRow, StateView

SHOWN = 20
"""Entities of a state that are printed for a person."""


def _print_states(rows: "Sequence[StateRow]") -> None:
    from console import present

    present.table(
        ("STATE", "ENTITIES>", "PARTITIONS>", "LAST SEEN", "FLOWS"),
        ((r.state, f"{r.entities:,}", f"{r.partitions:,}", r.seen or "–", ", ".join(r.flows)) for r in rows),
        empty="no state yet; a flow's source fills it",
    )


def _print_state(view: "StateView") -> None:
    from console import present
    from console.theme import look

    present.lines(f"state {view.state}: {view.total:,} entities", "")
    present.table(
        ("PARTITION", "ENTITIES>", "LAST SEEN"),
        ((p, f"{n:,}", view.partitions_seen.get(p) or "–") for p, n in view.partitions.items()),
    )
    present.lines("")
    present.table(
        ("ENTITY", "PARTITION", "LAST SEEN", "LAST WAVES"),
        (
            (e, p, seen or "–", "".join("·" if c == "-" else look(ord(c)).glyph for c in view.how.get(e, "")))
            for e, p, seen in view.entities[:SHOWN]
        ),
    )
    if view.total > SHOWN:
        present.lines(f"… and {view.total - SHOWN:,} more (--json has them)")
    if view.waves:
        present.lines("", f"last waves, the newest right: {view.waves[0].locator} … {view.waves[-1].locator}")


@click.command()
@click.argument("flow", default="")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many entities.")
@click.option("--state", "by_name", is_flag=True, help="FLOW is the name of a state.")
@json_option
def state(flow: str, limit: int, by_name: bool, as_json: bool) -> None:
    """The entities of a flow's state, by partition, and how their last waves went; without FLOW all states."""
    from console import browse
    from console.reports import state as report

    with open_redis() as (redis, _):
        if not flow:
            show(report.states(redis), as_json, _print_states)
            return
        names = {} if by_name else {f.flow: f.state for f in browse.flows(redis)}
        show(report.state(redis, names.get(flow, flow), limit=limit), as_json, _print_state)


def _print_workers(rows: "Sequence[WorkerRow]") -> None:
    from console import present
    from console.moment import now
    from console.reports.crew import holding
    from console.reports.judge import percent
    from console.widgets.text import short_seconds

    reasons = any(r.reason for r in rows)
    ended = ("ENDED",) if reasons else ()
    present.table(
        ("WORKER", "STATE", "VERSION", "HOST", "PID>", "IMAGE", "BUSY>", "SERVED>", "MEMORY>", "FAIL>", "RUNS IN>", "ODD", "RUNS", *ended),
        (
            (
                r.name, r.state, r.version, r.host, r.pid, r.image or "–", f"{len(r.busy)}/{len(r.slots)}", f"{r.served:,}",
                f"{r.memory / 1e6:.0f} MB", percent(r.verdict.rate) if r.verdict else "–",
                short_seconds(r.verdict.median) if r.verdict else "–",
                holding(r, now()) or (r.verdict.words if r.verdict else ""),
                ", ".join(f"{s.task} of {s.entity}" for s in r.busy or r.ran), *([r.reason or "–"] if reasons else []),
            )
            for r in rows
        ),
        empty="no worker is alive; `wavedeck worker` starts one",
    )  # fmt: skip


@click.command()
@click.option("--dead", is_flag=True, help="Also those that are gone, for a day.")
@json_option
@version_option
def workers(dead: bool, as_json: bool, version: str | None) -> None:
    """The workers that are alive, what they run, and which of them is bad."""
    from console.reports.crew import workers as report

    with open_redis() as (redis, _):
        rows = report(redis, version or "", dead=dead)
    show([_flat(row) for row in rows] if as_json else rows, as_json, _print_workers)


def _flat(row: "WorkerRow") -> dict[str, Any]:
    import msgspec

    fields: dict[str, Any] = msgspec.to_builtins(row)
    if row.verdict is not None:
        fields["verdict"] |= {"loud": row.verdict.loud, "words": row.verdict.words}
    return fields


def _print_acts(rows: "Sequence[ActRow]") -> None:
    from console import present

    present.table(
        ("WHEN", "WHAT", "WHO", "FROM", "FLOW", "VERSION", "DATE", "WAVE", "ENTITIES>", "WITH"),
        ((r.at, r.did, r.by, r.origin, r.flow, r.version, r.date, r.wave, f"{r.entities:,}", r.detail) for r in rows),
        empty="nobody has done anything yet",
    )


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--wave", default="", metavar="ID", help="Only what was done to this wave.")
@json_option
def acts(limit: int, wave: str, as_json: bool) -> None:
    """Who started, re-ran and cancelled what, when, from where; the newest first."""
    from console.reports.acts import acts as report

    with open_redis() as (redis, _):
        show(report(redis, limit=limit, wave=wave), as_json, _print_acts)


COMMANDS: tuple[click.Command, ...] = (state, workers, acts)
