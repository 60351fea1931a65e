"""Commands that make a version's fleet on Amazon ECS, and take it away."""

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import json_option, refuse_read_only, show
from console.commands.houses import aws_table, house_of, of_version, record, settings_option

if TYPE_CHECKING:
    from engine.fleet.house import Deployment


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
        record("deploy", version, image)
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
    done = house_of("ecs", settings).fleet(version).undeploy(dry_run=dry_run)
    if not dry_run and not done.unchanged:
        record("undeploy", version, "")
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


COMMANDS: tuple[click.Command, ...] = (deploy, undeploy)
