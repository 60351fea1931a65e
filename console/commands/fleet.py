"""Commands about where workers run: what there is, how many, their logs; deploying a version to Amazon ECS."""

import contextlib
import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import DEFAULT_VERSION, end_with_terminal, json_option, open_redis, refuse_read_only, show
from engine.errors import Refused, WavedeckError
from engine.keys import check_version

if TYPE_CHECKING:
    from engine.fleet.house import Deployment, FleetWorker, House, LogLine, Service
    from engine.store.acts import Verb

PROJECT = "wavedeck.toml"
"""The settings of a folder: its `[aws]` table goes before a person's own."""


def _checked(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    return value if value is None else check_version(value)


of_version = click.option(
    "--version",
    default=DEFAULT_VERSION,
    envvar="WAVEDECK_VERSION",
    show_default=True,
    callback=_checked,
    help="Whose workers.",
)
house_option = click.option(
    "--house", type=click.Choice(["local", "ecs"]), default=None, help="Where; default: ecs with an [aws] table, else local."
)
settings_option = click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    default=None,
    help=f"A TOML file with an [aws] table; default: {PROJECT} here, else your config.toml.",
)


def aws_table(file: Path | None) -> dict[str, Any]:
    """The `[aws]` table of `file`, else of `wavedeck.toml` here, else of the person's settings.

    Raises:
        Refused: the file is no TOML, or `aws` is no table.
    """
    import tomllib

    from console.settings import load

    here = file or (Path(PROJECT) if Path(PROJECT).is_file() else None)
    if here is None:
        return load().aws
    try:
        table = tomllib.loads(here.read_text("utf-8")).get("aws", {})
    except ValueError as e:
        raise Refused(f"{here}: {e}") from None
    if not isinstance(table, dict):
        raise Refused(f"{here}: aws is no table; it begins with a line [aws]")
    return table


def _house(name: str | None, settings: Path | None, *, url: str = "", keep: bool = False, slots: int | None = None) -> "House":
    from engine.fleet.choose import open_house

    return open_house(url, name=name or "", aws=aws_table(settings), keep=keep, slots=slots)


def _record(verb: "Verb", version: str, detail: str) -> None:
    """Tells the log of acts what was done to a fleet. From where Redis cannot be reached, as outside its network, a fleet can be
    acted upon all the same; that it was not recorded is said."""
    from redis.exceptions import RedisError

    from console.by import whoami
    from console.widgets.text import clean
    from engine.store.acts import Act, Acts

    try:
        with open_redis(write=True) as (redis, _):
            Acts(redis).record(Act(0, verb, whoami(), "command", version, "", "", "", 0, detail))
    except (WavedeckError, RedisError, OSError) as e:
        told = f"wavedeck: this is not in the log of acts, for Redis cannot be reached from here: {e}"
        click.echo(clean(told), err=True)


def _print_fleets(found: "list[tuple[Service, list[FleetWorker]]]") -> None:
    from console import present
    from console.moment import now
    from console.widgets.text import short_seconds

    present.table(
        ("VERSION", "HOUSE", "STATE", "DESIRED>", "RUNNING>", "PENDING>", "BOUNDS>", "IMAGE", "SAID"),
        (
            (s.version, s.house, s.state, s.desired, s.running, s.pending, f"{s.least}–{s.most}", _digest(s.image), s.detail)
            for s, _ in found
        ),
        empty="no version has workers here; `wavedeck deploy` makes a fleet on ECS, `wavedeck fleet scale N` a local one",
    )
    workers = [worker for _, some in found for worker in some]
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


def _digest(image: str) -> str:
    """What is short of an image's digest and long enough to tell it from others."""
    return image.rpartition("sha256:")[2][:12] or "–"


def _as_json(found: "list[tuple[Service, list[FleetWorker]]]") -> list[dict[str, Any]]:
    import msgspec

    from console.views import iso

    def times(worker: "FleetWorker") -> dict[str, Any]:
        told = msgspec.to_builtins(worker)
        return {**told, **{n: iso(told[n] * 1000) if told[n] else None for n in ("created", "started", "stopped")}}

    return [{**msgspec.to_builtins(service), "workers": [times(w) for w in workers]} for service, workers in found]


@click.group(invoke_without_command=True)
@click.option("--version", default=None, callback=_checked, help="Only this version.")
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
    from engine.fleet.house import Service

    there = _house(house, settings)
    services: list[Service] = [there.fleet(version).desired()] if version else list(there.services())
    found = [(service, there.fleet(service.version).workers(stopped=stopped)) for service in services]
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
        there = _house(house, settings)
        if there.name == "local":
            url = stack.enter_context(open_redis())[1]
            there = _house("local", settings, url=url, keep=True, slots=slots)
        stack.callback(there.close)
        will = there.fleet(version).scale(count)
        _record("scale", version, _workers(will))
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
    _house(house, settings).fleet(version).stop(worker, reason)
    _record("stop", version, f"worker {worker}: {reason}")
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
        for line in _house(house, settings).fleet(version).logs(about, since=start, follow=follow):
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


def _aws_options(command: Callable[..., None]) -> Callable[..., None]:
    """An option for every setting of the `[aws]` table."""
    from engine.fleet.ecs.settings import Account
    from engine.fleet.house import Spec

    for usual in (Spec(""), Account()):
        for f in reversed(fields(usual)):
            if f.name in ("image", "profile", "region"):
                continue
            value = getattr(usual, f.name)
            kind = int if isinstance(value, int) or value is None else str
            option = f"--{f.name.replace('_', '-')}"
            if isinstance(value, bool):
                command = click.option(f"{option}/--no-{option[2:]}", f.name, default=None, help=HELP[f.name])(command)
            else:
                command = click.option(option, f.name, type=kind, default=None, help=HELP[f.name])(command)
    return command


HELP = {
    "cpu": "CPU units of a worker, 1024 a vCPU (1024).",
    "memory": "MiB of a worker (4096).",
    "arch": "X86_64 or ARM64 (X86_64).",
    "slots": "Slots of a worker; default: its vCPUs.",
    "least": "Fewest workers (0).",
    "most": "Most workers (100).",
    "base": "Workers that run on demand (1).",
    "spot": "Share of Spot among the others (4).",
    "on_demand": "Share of on-demand among the others (1).",
    "flows": "Import path of the flows in the image.",
    "stack": "CloudFormation stack whose outputs say the rest.",
    "subnets": "Subnets of the tasks, with commas.",
    "security_groups": "Security groups of the tasks, with commas.",
    "execution_role": "ARN of the role that starts tasks.",
    "task_role": "ARN of the role that workers have.",
    "scheduler_role": "ARN of the role by which EventBridge runs init, for `wavedeck schedule`.",
    "redis_secret": "ARN of the secret that holds the URL of Redis.",
    "redis_url": "URL of Redis, if it holds no password.",
    "public_ip": "Give tasks a public address, in subnets without NAT.",
    "log_days": "Days for which logs are kept (30).",
}


@click.command()
@of_version
@click.option("--image", required=True, help="The image by digest: registry/name@sha256:….")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_aws_options
@settings_option
@json_option
def deploy(version: str, image: str, dry_run: bool, settings: Path | None, as_json: bool, **given: Any) -> None:
    """Makes or alters the version's fleet on Amazon ECS. A second time it changes nothing."""
    from engine.fleet.choose import open_house
    from engine.fleet.ecs.settings import read
    from engine.fleet.house import Spec

    if not dry_run:
        refuse_read_only("a deploy changes things on AWS")
    lists = ("subnets", "security_groups")
    told = {n: v.split(",") if n in lists else v for n, v in given.items() if v is not None}
    table = {**aws_table(settings), **told}
    spec = Spec(image, **read(table)[1])
    done = open_house(name="ecs", aws=table).fleet(version).deploy(spec, dry_run=dry_run)
    if not dry_run and not done.unchanged:
        _record("deploy", version, image)
    show(_flat(done) if as_json else done, as_json, _print_deployment)


@click.command()
@of_version
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@settings_option
@json_option
def undeploy(version: str, dry_run: bool, settings: Path | None, as_json: bool) -> None:
    """Lets the version's workers on Amazon ECS end, and removes what deploy made. Its pipes and waves stay."""
    if not dry_run:
        refuse_read_only("undeploy removes things on AWS")
    done = _house("ecs", settings).fleet(version).undeploy(dry_run=dry_run)
    if not dry_run and not done.unchanged:
        _record("undeploy", version, "")
    show(_flat(done) if as_json else done, as_json, _print_deployment)


def _flat(done: "Deployment") -> dict[str, Any]:
    import msgspec

    flat: dict[str, Any] = msgspec.to_builtins(done)
    return {**flat, "unchanged": done.unchanged}


COLOURS = {"+": "green", "~": "yellow", "-": "red", "!": "cyan", "=": None}


def _print_deployment(done: "Deployment") -> None:
    from console.widgets.text import clean

    for text, sign in _lines(done):
        click.secho(clean(text), fg=COLOURS[sign])
    counts = {word: sum(c.sign == sign for c in done.changes) for sign, word in WORDS.items()}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    if done.unchanged:
        click.echo(f"{done.version}: nothing to do" + (f"; {told}" if told else ""))
    else:
        click.echo(f"{done.version}: {'this would be done: ' if done.dry_run else ''}{told}")


WORDS = {"+": "made", "~": "altered", "-": "removed", "=": "as they are", "!": "left behind"}


def _lines(done: "Deployment") -> Iterator[tuple[str, str]]:
    for change in done.changes:
        yield f"{change.sign} {change.kind} {change.name}", change.sign
        for line in change.lines:
            yield f"    {line}", change.sign


COMMANDS: tuple[click.Command, ...] = (fleet, deploy, undeploy)
