"""`wavedeck coverage`: which coming hours are served, by how old a forecast, and for whom they are dark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from console.commands.common import DEFAULT_VERSION, json_option, open_redis
from engine import durations
from engine.errors import WavedeckError
from engine.keys import Date, check_version

if TYPE_CHECKING:
    from engine.coverage import Coverage

BEYOND, UNSEEN = 2, 3
"""Exit codes of a monitor: a threshold is crossed; it could not look. As monitoring plugins have them: CRITICAL and UNKNOWN."""


def _share(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value)
    if not found or float(found[1]) > 100:
        raise click.BadParameter(f"{value[:20]!r} is no share: write 1% or 0.5%")
    return float(found[1]) / 100


def _seconds(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else durations.seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("flow")
@click.option("--version", default=DEFAULT_VERSION, show_default=True, help="Which version's forecasts.")
@click.option(
    "--base", default=None, help="A version whose forecasts serve where it has none; default: that of its newest wave."
)
@click.option("--task", default=None, help="Only this task; default: all that have a horizon.")
@click.option(
    "--at",
    default=None,
    metavar="HOUR",
    help="The hour (or day) to look from; default: the one it is for the flow; `now`: the clock's.",
)
@click.option(
    "--hours", type=click.IntRange(1, 24 * 366), help="How many hours (or days); default: as far as a fresh forecast reaches."
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(0), help="How many entities to list; 0: all.")
@click.option(
    "--fail-if-dark",
    callback=_share,
    metavar="SHARE",
    help="Exit 2 when more than so many entities (1%) are dark in one of the hours.",
)
@click.option(
    "--fail-if-older",
    callback=_seconds,
    metavar="AGE",
    help="Exit 2 when one of the hours is served by a forecast more than so much (3h) older.",
)
@json_option
def coverage(
    flow: str, version: str, base: str | None, task: str | None, at: str | None, hours: int | None, limit: int,
    fail_if_dark: float | None, fail_if_older: float | None, as_json: bool,
) -> None:  # fmt: skip
    """For each coming hour: how many entities a fresh forecast serves, how many an older one, and how many none.

    With a threshold it is a monitor's check: exit 0 within, 2 beyond, 3 when it could not look. The first line says all.
    """
    from redis.exceptions import RedisError

    check_version(version)
    date = Date(at) if at not in (None, "now") else None
    try:
        found = _found(flow, version, base, task, date, hours, by_clock=at == "now")
    except (WavedeckError, RedisError, OSError) as error:
        if fail_if_dark is None and fail_if_older is None:
            raise
        from console.widgets.text import clean

        click.echo(f"could not look: {clean(str(error))}")
        raise click.exceptions.Exit(UNSEEN) from None
    beyond = [words for c in found for words in _beyond(c, fail_if_dark, fail_if_older)]
    _print(found, limit, beyond, as_json=as_json)
    if beyond:
        raise click.exceptions.Exit(BEYOND)


def _found(
    flow: str, version: str, base: str | None, task: str | None, at: Date | None, hours: int | None, *, by_clock: bool
) -> list[Coverage]:
    from datetime import UTC, datetime

    from console.reports.coverage import loudest
    from engine.errors import NotFound
    from engine.store.catalog import Catalog
    from engine.store.connect import clock
    from engine.store.coverage import Forecasts, forecasting

    with open_redis() as (redis, _):
        plan = Catalog(redis).plan(version, flow)
        names = [task] if task else [t.name for t in forecasting(plan)]
        if not names:
            raise NotFound(f"no task of flow {flow!r} forecasts: none has a horizon")
        if at is not None and at.hourly != plan.hourly:
            raise click.BadParameter(f"the waves of {flow!r} are about {'hours' if plan.hourly else 'days'}", param_hint="--at")
        now, reader = clock(redis), Forecasts(redis, version, plan)
        if by_clock:
            at = Date.of(datetime.fromtimestamp(now, UTC), hourly=plan.hourly)
        return loudest([reader.coverage(name, at=at, hours=hours, base=base, now=now) for name in names])


def _beyond(c: Coverage, dark: float | None, older: float | None) -> list[str]:
    """What is beyond its threshold, in words."""
    from console.reports.coverage import ago, clock, percent

    found = []
    if dark is not None and c.worst > dark:
        hour = max(c.hours, key=lambda h: h.dark)
        found.append(f"{c.task}: {percent(hour.dark, c.n)} dark at {clock(hour.date, c.at)}, more than {dark * 100:g} %")
    if older is not None and c.oldest * c.at.step.total_seconds() > older:
        found.append(f"{c.task}: served by what is {ago(c.at, c.oldest)} older, more than {durations.text(older)}")
    return found


def _print(found: Sequence[Coverage], limit: int, beyond: Sequence[str], *, as_json: bool) -> None:
    from console import present
    from console.reports.coverage import row

    if as_json:
        present.as_json({"beyond": list(beyond), "tasks": [row(c, limit) for c in found]})
        return
    if beyond:
        present.lines("; ".join(beyond))
    for c in found:
        _print_task(c, limit)


def _print_task(c: Coverage, limit: int) -> None:
    from console import present
    from console.reports.coverage import ages, bar, by_partition, clock, entities, lost_row, sentence
    from console.widgets.text import short_seconds
    from engine.keys import decode_entity

    lost = c.lost()
    present.lines(
        f"{c.flow}@{c.version} {c.task}: {sentence(c)}",
        f"{entities(c.n)} active at {c.at}; the newest wave due is that of {c.due}",
        "",
    )
    present.table(
        ("HOUR", "█ FRESH ▓▒░ OLDER × DARK", "FRESH>", "OLDER>", "AGES>", "DARK>"),
        ((clock(h.date, c.at), bar(h, c.n), f"{h.fresh:,}", f"{h.covered:,}", ages(c.at, h), f"{h.dark:,}") for h in c.hours),
    )
    hit = [(p, n, dark, at) for p, (n, dark, at) in by_partition(c, lost).items() if dark and at]
    if hit:
        present.lines("")
        present.table(
            ("PARTITION", "ENTITIES>", "GO DARK>", "FIRST>"),
            ((decode_entity(p), f"{n:,}", f"{dark:,}", clock(at, c.at)) for p, n, dark, at in hit[: limit or None]),
        )
    if lost:
        present.lines("")
        rows = [lost_row(c, one) for one in (lost[:limit] if limit else lost)]
        present.table(
            ("ENTITY", "PARTITION", "DARK FROM>", "SERVED BY", "OLDER>", ""),
            (
                (r.entity, r.partition, clock(Date(r.dark_from), c.at) if r.dark_from else "–", r.served_by or "nothing",
                 short_seconds(r.age) if r.age else "", "its wave runs" if r.awaited else "")
                for r in rows
            ),
        )  # fmt: skip
        if len(lost) > len(rows):
            present.lines(f"… and {entities(len(lost) - len(rows))} more; --limit 0 lists all")
    present.lines("")


COMMANDS: tuple[click.Command, ...] = (coverage,)
