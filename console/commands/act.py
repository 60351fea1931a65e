"""Commands that change something: start a wave, cancel one."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator
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
    from engine.launch import Launched
    from engine.overlay import Overlay
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
workers_option = click.option(
    "--workers", default="", metavar="auto|N|LOW..HIGH|none",
    help="Have the workers that it needs to end in time, before it is queued; default: auto for a version deployed to ECS, else none. "
    "Local ones that nobody keeps yet are this command's, until the wave has ended.",
)  # fmt: skip
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
@click.option("--base", default="", help="Run only what is different from this version, over its wave; read the rest from it.")
@click.option("--whole", is_flag=True, help="With --base: run all tasks, over the state; what is not there is read from it.")
@click.option(
    "--like", default="", metavar="WAVE", help="With --base: over the entities and date of this wave; else its newest."
)
@only_option
@sample_option
@plan_option
@click.option("--partition", multiple=True, help="Only this partition of the state; may be repeated.")
@click.option("--entity", multiple=True, help="Only this entity, in the state or not; may be repeated.")
@workers_option
def trigger(
    flow: str, version: str, date: str | None, state: str | None, config: tuple[str, ...], deadline: float | None, force: bool,
    as_json: bool, base: str, whole: bool, like: str, only: tuple[str, ...], share: float, plan_only: bool,
    partition: tuple[str, ...], entity: tuple[str, ...], workers: str,
) -> None:  # fmt: skip
    """Starts a wave by hand; with --base an overlay wave."""
    from console.staffed import staffed
    from console.start import parse_config, start_overlay, start_wave

    over = bool(base) and not whole
    if not over and (like or only or plan_only):
        raise click.UsageError(
            "--like, --only and --plan say more of an overlay wave: they go with --base, and not with --whole"
        )
    if over and state:
        raise click.UsageError("an overlay wave has the entities of the base's wave; --state goes with --whole")
    staffing = "none" if plan_only else workers
    with (
        open_redis(write=not plan_only) as (redis, url),
        staffed(redis, url, version, staffing) as crew,
        _progress() as tell,
    ):
        if over:
            launched = start_overlay(
                redis, flow, version=version, base=base, date=date, like=like, only=only, share=share, partitions=partition,
                entities=entity, config=parse_config(config), deadline=deadline, force=force, staff=crew.staff,
                before=lambda what: _plan_told(what, as_json=as_json, last=plan_only), on_progress=tell,
            )  # fmt: skip
        else:
            launched = start_wave(
                redis, flow, version=version, date=date, base=base, state=state, partitions=partition, entities=entity,
                config=parse_config(config), deadline=deadline, force=force, share=share, staff=crew.staff,
                on_progress=tell,
            )  # fmt: skip
        if launched is not None:
            _launched(redis, launched, as_json)
            crew.see_out(launched.wave)


def _plan_told(what: "Overlay", *, as_json: bool, last: bool) -> bool:
    """Says what an overlay wave will do; JSON only when nothing else comes. Whether to go on."""
    from console.reports.overlay import lines, view

    if last or not as_json:
        show(view(what), as_json, lambda v: click.echo("\n".join(lines(v))))
    return not last


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
@workers_option
def init(
    flow: str, version: str, date: str | None, state: str | None, config: tuple[str, ...], deadline: float | None, force: bool,
    as_json: bool, scheduled: float | None, workers: str,
) -> None:  # fmt: skip
    """What the scheduler runs: starts the wave of a date, once, however often it is called."""
    from console.staffed import staffed
    from console.start import choose_plan, parse_config, start_wave, this_date

    if scheduled is not None:
        if date or state or config or deadline is not None or workers:
            raise click.UsageError(
                "--scheduled goes by the schedule's spec: no --date, --state, --config, --deadline or --workers"
            )
        _fire(flow, version, scheduled, force, as_json)
        return
    with open_redis(write=True) as (redis, url), staffed(redis, url, version, workers) as crew, _progress() as tell:
        about = date or str(this_date(choose_plan(redis, version, flow)[0]))
        launched = start_wave(
            redis, flow, version=version, date=about, state=state, config=parse_config(config), trigger=f"schedule:{about}" + (f" {state}" if state else ""),
            by="schedule", origin="schedule", deadline=deadline, force=force, staff=crew.staff, on_progress=tell,
        )  # fmt: skip
        _launched(redis, launched, as_json)
        crew.see_out(launched.wave)


def _fire(flow: str, version: str, due: float, force: bool, as_json: bool) -> None:
    """The firing of a schedule. One that is left out is no failure: nobody is to try it again."""
    from console.reports.schedules import fired_row
    from console.staffed import staffed
    from console.start import choose_plan, source_of
    from engine.firing import fire
    from engine.schedule import Schedule
    from engine.store.schedules import Schedules

    with open_redis(write=True) as (redis, url), _progress() as tell:
        plan, code = choose_plan(redis, version, flow)
        spec = Schedules(redis).find(version, flow) or Schedule(flow, version, every=plan.every)
        with staffed(redis, url, version, spec.workers) as crew:
            firing = fire(
                redis, spec, plan, due, source=source_of(code, spec.state or plan.state),
                staff=crew.staff, force=force, on_progress=tell,
            )  # fmt: skip
            if firing.launched is not None:
                _launched(redis, firing.launched, as_json)
                crew.see_out(firing.launched.wave)
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
    from console.staffed import staffed
    from console.start import choose_plan, choose_rerun
    from engine.errors import NotFound
    from engine.rerun import rerun as rerun_wave
    from engine.store.waves import Waves

    with open_redis(write=True) as (redis, url), _progress() as tell:
        w = Waves(redis).get(wave)
        numbers = choose_rerun(redis, w, entities=entity, tasks=task, family=family, failed=failed)
        plan = None
        if version and version != w.version:
            with contextlib.suppress(NotFound):  # the engine says what the version has
                plan = choose_plan(redis, version, w.flow)[0]
        with staffed(redis, url, version or w.version, "") as crew:
            launched = rerun_wave(
                redis, w, by=whoami(), entities=numbers, version=version, plan=plan, origin="command", force=force,
                staff=crew.staff, on_progress=tell,
            )  # fmt: skip
        _launched(redis, launched, as_json)


COMMANDS: tuple[click.Command, ...] = (
    trigger,
    init,
    cancel,
    rerun,
)
