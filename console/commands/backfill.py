"""The command that runs a flow over past dates."""

import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from console.commands.common import (
    DEFAULT_VERSION,
    json_option,
    only_option,
    open_redis,
    plan_option,
    sample_option,
    show,
)

if TYPE_CHECKING:
    from engine.backfill import Start, Step
    from engine.store.connect import Client


@dataclass(frozen=True)
class WaveRow:
    """A wave of a back-fill. `new`: whether this call started it; `counts`: cells by status."""

    id: str
    date: str
    new: bool
    entities: int
    tasks: int
    counts: dict[str, int]
    cancelled: str


@dataclass(frozen=True)
class Summary:
    """What a back-fill came to. `complete`: whether all its waves have ended; `notes`: what is to be known of single dates."""

    flow: str
    version: str
    base: str
    first: str
    last: str
    dates: int
    ended: int
    complete: bool
    counts: dict[str, int]
    waves: list[WaveRow]
    notes: list[str]


@click.command()
@click.argument("flow")
@click.option("--version", default=DEFAULT_VERSION, envvar="WAVEDECK_VERSION", show_default=True, help="The code to run.")
@click.option("--base", default="", help="Run only what is different from this version; read the rest from it.")
@click.option("--from", "first", required=True, metavar="DATE", help="The first hour or day, UTC.")
@click.option("--to", "last", required=True, metavar="DATE", help="The last one, included.")
@only_option
@sample_option
@click.option("--config", multiple=True, metavar="K=V", help="Override config: key=value or task.key=value.")
@click.option("--concurrency", default=2, show_default=True, type=click.IntRange(1, 100), help="Waves open at once.")
@click.option("--force", is_flag=True, help="Also when Redis seems to have no room for a wave.")
@plan_option
@json_option
def backfill(
    flow: str, version: str, base: str, first: str, last: str, only: tuple[str, ...], share: float, config: tuple[str, ...],
    concurrency: int, force: bool, plan_only: bool, as_json: bool,
) -> None:  # fmt: skip
    """A wave for each date of a span, in order, a few at a time. The same call again goes on where it was; ctrl-c leaves what runs."""
    from console.start import choose_plan
    from engine import backfill as engine
    from engine.keys import Date, check_version

    if only and not base:
        raise click.UsageError("--only says what runs of an overlay wave: it goes with --base")
    with open_redis(write=not plan_only) as (redis, _):
        plan, _ = choose_plan(redis, check_version(version), flow)
        dates = engine.dates_of(plan, Date(first), Date(last))
        trigger = engine.trigger_of(base, only, share, config)
        told = _Told(flow, version, base, len(dates), quiet=as_json)
        start = _starter(redis, flow, version, base, only, share, config, force, told.note)
        if plan_only:
            _show_plan(redis, flow, version, base, only, share, config, [str(d) for d in dates], as_json=as_json)
            return
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            for step in engine.backfill(redis, flow, version, dates, trigger, start, concurrency=concurrency):
                told.step(step)
        except KeyboardInterrupt:
            told.stopped = True
        show(told.summary(str(dates[0]), str(dates[-1])), as_json, told.end)
        if told.stopped:
            raise click.exceptions.Exit(130)


def _starter(
    redis: "Client", flow: str, version: str, base: str, only: tuple[str, ...], share: float, config: tuple[str, ...],
    force: bool, note: Callable[[str], None],
) -> "Start":  # fmt: skip
    from console.reports.overlay import lines, view
    from console.start import parse_config, start_overlay, start_wave
    from engine.backfill import NO_DEADLINE
    from engine.errors import Refused
    from engine.keys import Date
    from engine.launch import Launched
    from engine.overlay import Overlay

    said: set[tuple[str, ...]] = set()

    def before(what: Overlay) -> bool:
        told = tuple(lines(view(what)))
        if told[1:] not in said:
            said.add(told[1:])
            note("\n".join(told))
        elif what.like is None:
            note(f"{what.date}: {base} has no wave of it; over the state as it is now")
        return True

    def start(date: Date, trigger: str) -> Launched:
        overridden = parse_config(config)
        if not base:
            return start_wave(
                redis, flow, version=version, date=date, share=share, config=overridden, trigger=trigger,
                deadline=NO_DEADLINE, force=force,
            )  # fmt: skip
        launched = start_overlay(
            redis, flow, version=version, base=base, date=date, only=only, share=share, before=before, config=overridden,
            trigger=trigger, deadline=NO_DEADLINE, force=force,
        )  # fmt: skip
        if launched is None:
            raise Refused(f"{date}: not started")
        return launched

    return start


def _show_plan(
    redis: "Client", flow: str, version: str, base: str, only: tuple[str, ...], share: float, config: tuple[str, ...],
    dates: list[str], *, as_json: bool,
) -> None:  # fmt: skip
    from console.reports.overlay import lines, view
    from console.start import parse_config, start_overlay
    from engine.overlay import Overlay

    found: list[Overlay] = []

    def keep(what: Overlay) -> bool:
        found.append(what)
        return False

    for date in dates if base else ():
        start_overlay(
            redis, flow, version=version, base=base, date=date, only=only, share=share, config=parse_config(config),
            before=keep,
        )  # fmt: skip

    def tell(_: object) -> None:
        click.echo(f"{len(dates):,} waves, {dates[0]} to {dates[-1]}" + ("" if base else ": all tasks, over the state of each"))
        last: list[str] = []
        for what in found:
            head, *rest = lines(view(what))
            click.echo("\n".join([head, *(rest if rest != last else [])]))
            last = rest

    show([view(what) for what in found] if base else [{"date": date} for date in dates], as_json, tell)


class _Told:
    """What a back-fill has told so far: a line a wave that ends; on a terminal one that says what goes on."""

    def __init__(self, flow: str, version: str, base: str, dates: int, *, quiet: bool) -> None:
        self._who, self._dates = (flow, version, base), dates
        self._quiet, self._live = quiet, sys.stderr.isatty()
        self._rows: dict[str, WaveRow] = {}
        self._new: set[str] = set()
        self._open: set[str] = set()
        self._notes: list[str] = []
        self._done = 0
        self.stopped = False

    def note(self, text: str) -> None:
        """Something to be known."""
        self._notes.append(text)
        if not self._quiet:
            self._say(text)

    def step(self, step: "Step") -> None:
        """Something has happened."""
        wave, self._done = step.progress.wave, step.done
        if step.what == "started":
            self._new.add(wave.id)
        counts = {str(status): n for status, n in step.progress.total.items() if n}
        self._rows[wave.id] = WaveRow(
            wave.id, str(wave.date), wave.id in self._new, wave.n, len(wave.tasks), counts, wave.cancelled
        )
        over = not wave.running
        (self._open.discard if over else self._open.add)(wave.id)
        if self._quiet:
            return
        if over:
            found = "" if wave.id in self._new else " (was there)"
            self._say(f"{step.done:>5,} of {step.dates:,}  {wave.date}  {wave.id}  {_words(counts)}{found}")
        if self._live:
            running = [row for name, row in self._rows.items() if name in self._open]
            click.echo(
                f"\r\033[K{self._done:,} of {self._dates:,} dates; open: "
                + ", ".join(f"{r.date} {_words(r.counts)}" for r in running)[:100],
                nl=False,
                err=True,
            )

    def summary(self, first: str, last: str) -> Summary:
        """All of it."""
        rows = sorted(self._rows.values(), key=lambda row: row.date)
        total: Counter[str] = Counter()
        for row in rows:
            total.update(row.counts)
        flow, version, base = self._who
        return Summary(
            flow, version, base, first, last, self._dates, self._done, self._done == self._dates, dict(total), rows, self._notes
        )

    def end(self, summary: Summary) -> None:
        """The last lines."""
        self._say(f"{summary.ended:,} of {summary.dates:,} waves have ended: {_words(summary.counts)}")
        if not summary.complete:
            self._say("what runs goes on; the same call goes on with the rest")

    def _say(self, text: str) -> None:
        from console.widgets.text import clean

        if self._live:
            click.echo("\r\033[K", nl=False, err=True)
        click.echo("\n".join(clean(one) for one in text.split("\n")))


def _words(counts: dict[str, int]) -> str:
    ordered: Iterable[tuple[str, int]] = sorted(counts.items(), key=lambda pair: -pair[1])
    return ", ".join(f"{n:,} {status.lower()}" for status, n in ordered) or "nothing"


COMMANDS: tuple[click.Command, ...] = (backfill,)
