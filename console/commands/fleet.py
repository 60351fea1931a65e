"""Commands about where workers run: what there is, how many, their logs."""

import contextlib
import math
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import end_with_terminal, json_option, open_redis, refuse_read_only, show
from console.commands.houses import checked, house_of, house_option, of_version, record, settings_option
from engine.errors import WavedeckError

if TYPE_CHECKING:
    from console.reports.fleet import Around, FleetRow
    from engine.fleet.house import FleetWorker, LogLine


def _print_fleets(found: "Sequence[FleetRow]") -> None:
    from console import present
    from console.moment import now
    from console.reports.fleet import money
    from console.widgets.text import short_seconds

    services = [(row.service, row) for row in found]
    present.table(
        ("VERSION", "HOUSE", "STATE", "DESIRED>", "RUNNING>", "PENDING>", "BOUNDS>", "BACKLOG>", "IMAGE", "SAID"),
        (
            (
                s.version, s.house, s.state, s.desired, s.running, s.pending, f"{s.least}–{s.most}",
                f"{row.outstanding:,}" if row.around else "?", _digest(s.image), s.detail,
            )
            for s, row in services
        ),
        empty="no version has workers here; `wavedeck deploy` makes a fleet on ECS, `wavedeck fleet scale N` a local one",
    )  # fmt: skip
    costs = [(s.version, cost) for s, row in services for cost in (row.around.costs if row.around else ())]
    if costs:
        present.lines("")
        present.table(
            ("VERSION", "A WAVE OF", "PRICE>", "VCPU-S>", "GB-S>", "MEDIAN OF>"),
            ((v, c.flow, money(c.price), f"{c.vcpu:,.0f}", f"{c.gb:,.0f}", c.waves) for v, c in costs),
        )
    workers = [worker for _, row in services for worker in row.seen.workers]
    if workers:
        present.lines("")
        present.table(
            ("WORKER", "VERSION", "STATE", "KIND", "FOR>", "PROTECTED", "IMAGE", "EXIT>", "WHY"),
            (
                (
                    w.name, w.version, w.state, w.kind,
                    short_seconds((w.stopped or now()) - (w.started or w.created)) if w.created else "–",
                    {True: "yes", False: "no", None: "–"}[w.protected], _digest(w.image), "–" if w.exit is None else w.exit,
                    w.reason,
                )
                for w in workers
            ),
        )  # fmt: skip
    present.lines(*(f"{s.version}: {row.seen.error}" for s, row in services if row.seen.error))


def _digest(image: str) -> str:
    from console.reports.fleet import digest

    return digest(image) or "–"


def _as_json(found: "Sequence[FleetRow]") -> list[dict[str, Any]]:
    import msgspec

    from console.reports.fleet import as_told
    from console.views import iso

    def times(worker: "FleetWorker") -> dict[str, Any]:
        told = msgspec.to_builtins(worker)
        return {**told, **{n: iso(told[n] * 1000) if told[n] else None for n in ("created", "started", "stopped")}}

    return [
        {
            **msgspec.to_builtins(row.service),
            **as_told(row),
            "workers": [times(w) for w in row.seen.workers],
            "error": row.seen.error,
        }
        for row in found
    ]


def _around(versions: "Sequence[str]") -> "dict[str, Around]":
    """What Redis knows of these versions; nothing, and why, where it cannot be reached: a house can be looked at all the same."""
    from redis.exceptions import RedisError

    from console.reports.fleet import read_around
    from console.widgets.text import clean

    if not versions:
        return {}
    try:
        with open_redis() as (redis, _):
            return read_around(redis, versions)
    except (WavedeckError, RedisError, OSError) as e:
        click.echo(clean(f"wavedeck: no backlog and no costs, for Redis cannot be reached from here: {e}"), err=True)
        return {}


@click.group(invoke_without_command=True)
@click.option("--version", default=None, callback=checked, help="Only this version.")
@click.option("--stopped", is_flag=True, help="Also workers that ended lately.")
@house_option
@settings_option
@json_option
@click.pass_context
def fleet(
    context: click.Context, version: str | None, stopped: bool, house: str | None, settings: Path | None, as_json: bool
) -> None:
    """Which versions have workers, how many there should be, how many there are, and why some ended."""
    if context.invoked_subcommand is not None:
        return
    from dataclasses import replace

    from console.reports.fleet import look, rows

    seen = look(house_of(house, settings), version or "")
    if not stopped:
        seen = tuple(replace(one, workers=tuple(w for w in one.workers if w.state != "stopped")) for one in seen)
    found = rows(seen, _around([one.service.version for one in seen]))
    show(_as_json(found) if as_json else found, as_json, _print_fleets)


@fleet.command()
@click.argument("count", type=click.IntRange(0))
@of_version
@click.option("--slots", default=None, type=click.IntRange(1), help="Slots of each local worker.")
@house_option
@settings_option
@json_option
def scale(count: int, version: str, slots: int | None, house: str | None, settings: Path | None, as_json: bool) -> None:
    """Has COUNT workers. Local ones live in this command until ctrl-c, unless another one keeps them already."""
    refuse_read_only("scaling starts and ends workers")
    end_with_terminal()
    with contextlib.ExitStack() as stack:
        there = house_of(house, settings)
        if there.name == "local":
            url = stack.enter_context(open_redis())[1]
            there = house_of("local", settings, url=url, keep=True, slots=slots)
        stack.callback(there.close)
        will = there.fleet(version).scale(count)
        record("scale", version, _workers(will))
        told = {"version": version, "house": there.name, "asked": count, "workers": will, "kept": there.keeps(version)}
        show(told, as_json, _print_scaled)
        if there.keeps(version):
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()


def _print_scaled(told: Mapping[str, Any]) -> None:
    asked = "" if told["asked"] == told["workers"] else f" ({told['asked']} is outside its bounds)"
    ends = "; ctrl-c ends them" if told["kept"] else ""
    click.echo(f"{told['version']} will have {_workers(told['workers'])}{asked}{ends}")


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count:,} workers"


@fleet.command()
@click.argument("worker")
@of_version
@click.option("--reason", default="stopped by hand", show_default=True, help="Why; it is kept with the worker.")
@house_option
@settings_option
def stop(worker: str, version: str, reason: str, house: str | None, settings: Path | None) -> None:
    """Has one worker end, in order. Another takes its place as long as so many are wanted."""
    refuse_read_only("stopping ends a worker")
    house_of(house, settings).fleet(version).stop(worker, reason)
    record("stop", version, f"worker {worker}: {reason}")
    click.echo(f"worker {worker} of {version} ends")


def _ago(_context: click.Context, _option: click.Parameter, text: str) -> float:
    from engine import durations

    if text == "all":
        return math.inf
    try:
        return durations.seconds(text)
    except ValueError as e:
        raise click.BadParameter(f"{e}, or all") from None


@fleet.command()
@of_version
@click.option("--worker", default="", help="Only of this worker.")
@click.option("--wave", default="", metavar="ID", help="Only about this wave, by its whole id.")
@click.option("--entity", default="", metavar="KEY", help="Only about this entity.")
@click.option("--task", default="", help="Only about this task.")
@click.option("--since", default="1h", show_default=True, callback=_ago, help="How far back, such as 10m, or all.")
@click.option("--follow", "-f", is_flag=True, help="Go on with what comes.")
@house_option
@settings_option
@json_option
def logs(
    version: str, worker: str, wave: str, entity: str, task: str, since: float, follow: bool, house: str | None,
    settings: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """What the workers wrote, by time; with --json a line of JSON for each."""
    from engine.fleet.house import About
    from engine.keys import encode_entity

    about = About(worker, wave, encode_entity(entity) if entity else "", task)
    start = max(0.0, time.time() - since) if math.isfinite(since) else 0.0
    with contextlib.suppress(KeyboardInterrupt):
        for line in house_of(house, settings).fleet(version).logs(about, since=start, follow=follow):
            _print_line(line, as_json)


def _print_line(line: "LogLine", as_json: bool) -> None:
    import json

    import msgspec

    from console.views import iso
    from console.widgets.text import clean

    at = iso(line.at * 1000) if line.at else None
    if as_json:
        click.echo(json.dumps({**msgspec.to_builtins(line), "at": at}))
        return
    where = " ".join(filter(None, (line.wave, line.entity, line.task)))
    click.echo(clean(" ".join(filter(None, ((at or "–")[:19], line.worker[:12], line.level, where, line.text)))))


COMMANDS: tuple[click.Command, ...] = (fleet,)
