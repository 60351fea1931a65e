"""Commands that change something: start a wave, cancel one."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from console.commands.common import DEFAULT_VERSION, json_option, open_redis, show

if TYPE_CHECKING:
    from engine.launch import Launched
    from engine.store.connect import Client


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Says on a terminal how many entities are queued, when that takes longer than a second."""
    began, said = time.monotonic(), False

    def tell(done: int) -> None:
        nonlocal said
        if sys.stderr.isatty() and time.monotonic() - began > 1:
            click.echo(f"\r{done:,} entities queued", nl=False, err=True)
            said = True

    yield tell
    if said:
        click.echo("\r\033[K", nl=False, err=True)


def _launch_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.argument("flow"),
        click.option(
            "--version", default=DEFAULT_VERSION, envvar="WAVEDECK_VERSION", show_default=True, help="The code to run."
        ),
        click.option("--date", default=None, help="The hour or day it is about, UTC; default: now."),
        click.option("--state", default=None, help="The state to run over; default: the flow's."),
        click.option("--config", multiple=True, metavar="K=V", help="Override config: key=value or task.key=value."),
        deadline_option,
        force_option,
        json_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _deadline(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    from engine import durations

    if text is None:
        return None
    if text == "none":
        return math.inf
    try:
        return durations.seconds(text)
    except ValueError as e:
        raise click.BadParameter(f"{e}, or none") from None


deadline_option = click.option(
    "--deadline",
    default=None,
    metavar="DURATION",
    callback=_deadline,
    help="After it nothing of the wave starts, such as 90m, or none; default: the flow's, which is its interval.",
)
force_option = click.option("--force", is_flag=True, help="Also when Redis seems to have no room for it.")


def _launched(redis: "Client", launched: "Launched", as_json: bool) -> None:
    from console import present, views
    from console.widgets.text import clean

    w, memory, fit = launched.wave, views.bytes_a_cell(redis, launched.wave), launched.fit
    for warning in (fit.room.warning if fit.room is not None else "", fit.warning if launched.created else ""):
        if warning:
            click.echo(f"wavedeck: {warning}", err=True)
    if as_json:
        present.as_json({**views.launched(w, new=launched.created), "bytes_a_cell": memory, "memory": views.memory(fit)})
        return
    word = f"queued in {launched.seconds:.2f} s, {memory} bytes a cell" if launched.created else "there already"
    click.echo(f"{w.id}  {clean(w.locator)}  {w.n:,} entities × {len(w.tasks)} tasks, {word}")
    if launched.created:
        click.echo(f"needs {fit.words} in Redis ({fit.details})")


@click.command()
@_launch_options
@click.option("--base", default="", help="Read from this version what the other has not.")
@click.option("--partition", multiple=True, help="Only this partition of the state; may be repeated.")
@click.option("--entity", multiple=True, help="Only this entity, in the state or not; may be repeated.")
@click.option(
    "--workers", default="", metavar="auto|N|LOW..HIGH",
    help="Have the workers that it needs to end in time, before it is queued. Where nobody keeps local ones, this command does, until it ends.",
)  # fmt: skip
def trigger(
    flow: str, version: str, date: str | None, state: str | None, config: tuple[str, ...], deadline: float | None, force: bool,
    as_json: bool, base: str, partition: tuple[str, ...], entity: tuple[str, ...], workers: str,
) -> None:  # fmt: skip
    """Starts a wave by hand."""
    from console.staffed import staffed
    from console.start import parse_config, start_wave

    with open_redis(write=True) as (redis, url), staffed(redis, url, version, workers) as crew, _progress() as tell:
        launched = start_wave(
            redis, flow, version=version, date=date, base=base, state=state, partitions=partition, entities=entity,
            config=parse_config(config), deadline=deadline, force=force, staff=None if crew is None else crew.staff, on_progress=tell,
        )  # fmt: skip
        _launched(redis, launched, as_json)
        if crew is not None:
            crew.see_out(launched.wave)


def _moment(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    from datetime import UTC, datetime

    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text[:40]!r} is no moment such as 2013-07-01T14:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


@click.command()
@_launch_options
@click.option(
    "--scheduled", default=None, metavar="MOMENT", callback=_moment,
    help="The moment for which the flow's schedule planned this: its wave is about that hour or day, by the schedule's spec.",
)  # fmt: skip
def init(
    flow: str, version: str, date: str | None, state: str | None, config: tuple[str, ...], deadline: float | None, force: bool,
    as_json: bool, scheduled: float | None,
) -> None:  # fmt: skip
    """What the scheduler runs: starts the wave of a date, once, however often it is called."""
    from console.start import choose_plan, parse_config, start_wave, this_date

    if scheduled is not None:
        if date or state or config or deadline is not None:
            raise click.UsageError("--scheduled goes by the schedule's spec: no --date, --state, --config or --deadline")
        _fire(flow, version, scheduled, force, as_json)
        return
    with open_redis(write=True) as (redis, _), _progress() as tell:
        about = date or str(this_date(choose_plan(redis, version, flow)[0]))
        launched = start_wave(
            redis, flow, version=version, date=about, state=state, config=parse_config(config), trigger=f"schedule:{about}" + (f" {state}" if state else ""),
            by="schedule", origin="schedule", deadline=deadline, force=force, on_progress=tell,
        )  # fmt: skip
        _launched(redis, launched, as_json)


def _fire(flow: str, version: str, due: float, force: bool, as_json: bool) -> None:
    """The firing of a schedule. One that is left out is no failure: nobody is to try it again."""
    from console.commands.schedule import staff_of
    from console.reports.schedules import fired_row
    from console.start import choose_plan, source_of
    from engine.firing import fire
    from engine.schedule import Schedule
    from engine.store.schedules import Schedules

    with open_redis(write=True) as (redis, url), _progress() as tell:
        plan, code = choose_plan(redis, version, flow)
        spec = Schedules(redis).find(version, flow) or Schedule(flow, version, every=plan.every)
        firing = fire(
            redis, spec, plan, due, source=source_of(code, spec.state or plan.state), staff=staff_of(redis, url, spec, plan),
            force=force, on_progress=tell,
        )  # fmt: skip
        if firing.launched is not None:
            _launched(redis, firing.launched, as_json)
            return
    row = fired_row(firing.fired)
    show(row, as_json, lambda r: click.echo(f"{flow}@{version} {r.date}  {r.outcome}: {r.detail}"))


@click.command()
@click.argument("wave")
@json_option
def cancel(wave: str, as_json: bool) -> None:
    """Ends a wave: nothing of it starts any more."""
    from console.by import whoami
    from engine.cancel import cancel as cancel_wave
    from engine.store.waves import Waves

    with open_redis(write=True) as (redis, _):
        w = Waves(redis).get(wave)
        done = cancel_wave(redis, w, by=whoami(), origin="command")
    show(
        {"id": w.id, "cancelled_cells": done.cells, "held_entities": done.held},
        as_json,
        lambda _: click.echo(f"{w.id} cancelled: {done.cells:,} cells at once, {done.held:,} entities still with workers"),
    )


@click.command()
@click.argument("wave")
@click.option("--entity", multiple=True, metavar="KEY", help="Only this entity; may be repeated.")
@click.option("--task", multiple=True, help="Only entities in which this task did not finish; may be repeated.")
@click.option("--family", default=None, metavar="KEY", help="Only entities of this family of failures (`wavedeck failures`).")
@click.option(
    "--failed",
    is_flag=True,
    help="Only entities that failed, were blocked or were cancelled: the default when nothing says which.",
)
@click.option("--version", default="", help="With another version's code; default: the wave's.")
@force_option
@json_option
def rerun(
    wave: str, entity: tuple[str, ...], task: tuple[str, ...], family: str | None, failed: bool, version: str, force: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """Runs entities of a wave again, as a new wave of the same date. What had finished is reused."""
    from console.by import whoami
    from console.start import choose_plan, choose_rerun
    from engine.errors import NotFound
    from engine.rerun import rerun as rerun_wave
    from engine.store.waves import Waves

    with open_redis(write=True) as (redis, _), _progress() as tell:
        w = Waves(redis).get(wave)
        numbers = choose_rerun(redis, w, entities=entity, tasks=task, family=family, failed=failed)
        plan = None
        if version and version != w.version:
            with contextlib.suppress(NotFound):  # the engine says what the version has
                plan = choose_plan(redis, version, w.flow)[0]
        launched = rerun_wave(
            redis, w, by=whoami(), entities=numbers, version=version, plan=plan, origin="command", force=force,
            on_progress=tell,
        )  # fmt: skip
        _launched(redis, launched, as_json)


COMMANDS: tuple[click.Command, ...] = (
    trigger,
    init,
    cancel,
    rerun,
)
