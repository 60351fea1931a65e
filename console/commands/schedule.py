"""`wavedeck schedule`: when waves start by themselves, and a scheduler for machines that have none."""

import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, cast

import click

from console.commands.common import DEFAULT_VERSION, end_with_terminal, json_option, open_redis, show, version_option

if TYPE_CHECKING:
    from console.reports.schedules import ScheduleRow
    from engine.fleet.ecs.house import EcsHouse
    from engine.schedule import Schedule
    from engine.store.connect import Client

of_version = click.option(
    "--version", default=DEFAULT_VERSION, envvar="WAVEDECK_VERSION", show_default=True, help="The version whose flow it is."
)


@click.group()
def schedule() -> None:
    """When waves start by themselves."""


def _print(rows: "list[ScheduleRow]") -> None:
    from console import present

    present.table(
        ("FLOW", "VERSION", "WHEN", "OVERLAP", "WORKERS", "BY", "NEXT", "LAST", "WHAT BECAME OF IT"),
        (
            (
                r.flow, r.version, r.when, r.overlap, r.workers or "–", r.house, (r.next or "pauses")[:16], r.last.date if r.last else "–",
                f"{r.last.outcome}{f': {r.last.detail}' if r.last.detail else ''}" if r.last else "",
            )
            for r in rows
        ),
        empty="no schedule; `wavedeck schedule set FLOW --every 1h` makes one",
    )  # fmt: skip


@schedule.command("list")
@version_option
@json_option
def list_(version: str | None, as_json: bool) -> None:
    """All schedules, when each is due next, and what became of its last firing."""
    from console.reports.schedules import schedules

    with open_redis() as (redis, _):
        show(schedules(redis, version), as_json, _print)


@schedule.command("set")
@click.argument("flow")
@of_version
@click.option(
    "--every", default="", metavar="DURATION", help="An interval: 1h, 6h, 1d; counted from 1970, UTC. Default: the flow's."
)
@click.option("--cron", default="", metavar="FIELDS", help="Five fields, UTC: '5 * * * *'.")
@click.option(
    "--overlap", type=click.Choice(["skip", "queue", "replace"]), default="queue", show_default=True,
    help="While an earlier wave has not ended: leave this one out, queue it, or end that one.",
)  # fmt: skip
@click.option("--deadline", default="", metavar="DURATION", help="After it nothing of a wave starts; default: the flow's.")
@click.option(
    "--workers", default="", metavar="auto|N|LOW..HIGH", help="Have the workers that each wave needs, and let them go after."
)
@click.option("--state", default="", help="The state to run over; default: the flow's.")
@click.option(
    "--house", type=click.Choice(["local", "ecs"]), default=None,
    help="Who fires it: `wavedeck schedule serve`, or EventBridge; default: where the version's workers are.",
)  # fmt: skip
@json_option
def set_(
    flow: str, version: str, every: str, cron: str, overlap: Any, deadline: str, workers: str, state: str, house: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Sets when waves of FLOW start by themselves."""
    from console.by import whoami
    from console.start import choose_plan
    from engine import durations
    from engine.capacity import Bounds
    from engine.keys import check_name, check_version
    from engine.schedule import Schedule, check

    try:
        spans = {name: durations.seconds(text) if text else 0.0 for name, text in (("every", every), ("deadline", deadline))}
    except ValueError as e:
        raise click.UsageError(str(e)) from None
    if workers:
        Bounds.parse(workers, 1)
    if state:
        check_name(state, "state")
    with open_redis(write=True) as (redis, _):
        plan = choose_plan(redis, check_version(version), flow)[0]
        now = time.time()
        wanted = Schedule(
            flow=flow, version=version, every=spans["every"] or (0.0 if cron else plan.every), cron=cron, overlap=overlap,
            deadline=spans["deadline"], workers=workers, state=state, since=now, by=whoami(), changed=now,
            house=house or _house_name(),  # type: ignore[arg-type]
        )  # fmt: skip
        _put(redis, check(wanted, hourly=plan.hourly))
        _tell(redis, version, flow, as_json)


@schedule.command()
@click.argument("flow")
@of_version
@json_option
def pause(flow: str, version: str, as_json: bool) -> None:
    """Fires no more until it is resumed. Waves that run go on."""
    _change(flow, version, as_json, paused=True)


@schedule.command()
@click.argument("flow")
@of_version
@json_option
def resume(flow: str, version: str, as_json: bool) -> None:
    """Fires again, from now on: what was due meanwhile is not made up for."""
    _change(flow, version, as_json, paused=False)


@schedule.command()
@click.argument("flow")
@of_version
def remove(flow: str, version: str) -> None:
    """Forgets a schedule. Waves that run go on."""
    from engine.store.schedules import Schedules

    with open_redis(write=True) as (redis, _):
        there = Schedules(redis).get(version, flow)
        if there.house == "ecs":
            _eventbridge().remove(there)
        Schedules(redis).remove(version, flow)
    click.echo(f"{flow}@{version} has no schedule any more")


@schedule.command("run-now")
@click.argument("flow")
@of_version
@click.option("--force", is_flag=True, help="Also when Redis seems to have no room for it.")
@json_option
def run_now(flow: str, version: str, force: bool, as_json: bool) -> None:
    """Starts the schedule's wave of this hour (or day) now, by its spec. If it has been started, nothing happens."""
    from console.by import whoami
    from console.reports.schedules import fired_row
    from console.start import choose_plan, source_of
    from engine.firing import fire
    from engine.store.schedules import Schedules

    with open_redis(write=True) as (redis, url):
        spec = Schedules(redis).get(version, flow)
        plan, code = choose_plan(redis, version, flow)
        firing = fire(
            redis, spec, plan, time.time(), source=source_of(code, spec.state or plan.state), staff=staff_of(redis, url, spec, plan),
            by_hand=True, by=whoami(), origin="command", force=force,
        )  # fmt: skip
    fired = firing.fired
    words = {"started": f"wave {fired.wave} is queued", "there": f"wave {fired.wave} was there already"}
    show(
        fired_row(fired),
        as_json,
        lambda _: click.echo(
            f"{flow}@{version} {fired.date}: {words.get(fired.outcome) or f'{fired.outcome}: {fired.detail}'}"
        ),
    )


@schedule.command()
@click.option("--slots", default=None, type=click.IntRange(1), help="Of each local worker; default: the CPUs it may use.")
def serve(slots: int | None) -> None:
    """Fires the schedules of this Redis until ctrl-c, and keeps local workers for those that ask for workers."""
    from console.scheduler import Scheduler
    from console.widgets.text import clean
    from engine.fleet.choose import open_house

    end_with_terminal()
    over = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    with open_redis(start=True, write=True) as (redis, url):
        house = open_house(url, name="local", keep=True, slots=slots)
        try:
            click.echo("schedules are fired here until ctrl-c", err=True)
            Scheduler(
                redis,
                house,
                slots=slots,
                tell=lambda line: click.echo(f"{time.strftime('%H:%M:%S', time.gmtime())}  {clean(line)}"),
            ).serve(lambda seconds: sys.stdout.flush() or over.wait(seconds))
        finally:
            house.close()


def staff_of(redis: "Client", url: str, spec: "Schedule", plan: Any) -> Any:
    """Who sees to the workers of a schedule's wave; None when it does not ask for any."""
    if not spec.workers:
        return None
    from console.house import house
    from engine.fleet.scaling import Staffing

    return Staffing(
        redis, house(url).fleet(spec.version), plan, workers=spec.workers, tell=lambda line: click.echo(line, err=True)
    )


def _change(flow: str, version: str, as_json: bool, *, paused: bool) -> None:
    from dataclasses import replace

    from console.by import whoami
    from engine.store.schedules import Schedules

    with open_redis(write=True) as (redis, _):
        before, now = Schedules(redis).get(version, flow), time.time()
        since = now if before.paused and not paused else before.since
        _put(redis, replace(before, paused=paused, since=since, by=whoami(), changed=now))
        _tell(redis, version, flow, as_json)


def _put(redis: "Client", wanted: "Schedule") -> None:
    """First where it is fired, so that what is in Redis is true; a pause the other way round."""
    from engine.store.schedules import Schedules

    before = Schedules(redis).find(wanted.version, wanted.flow)
    if wanted.paused:
        Schedules(redis).put(wanted)
    if wanted.house == "ecs":
        _eventbridge().put(wanted)
    elif before is not None and before.house == "ecs":
        _eventbridge().remove(before)
    Schedules(redis).put(wanted)


def _tell(redis: "Client", version: str, flow: str, as_json: bool) -> None:
    from console.reports.schedules import schedules

    [row] = schedules(redis, version, flow)
    show(row, as_json, lambda r: _print([r]))


def _house_name() -> str:
    from console.house import house

    return house("").name


def _eventbridge() -> Any:
    from console.house import house
    from engine.fleet.ecs.eventbridge import EventBridge

    return EventBridge(cast("EcsHouse", house(name="ecs")))


COMMANDS: tuple[click.Command, ...] = (schedule,)
