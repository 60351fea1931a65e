"""The command that runs one cell of a wave again, here."""

from dataclasses import replace as with_
from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, open_redis, show

if TYPE_CHECKING:
    from console.reports.replay import Ran
    from engine.store.connect import Client


@click.command()
@click.argument("wave")
@click.argument("key")
@click.argument("task")
@click.option("--version", default="", help="As this version would: its config, and its code, which must be what is here.")
@click.option("--local", is_flag=True, help="The code that is here, whatever the wave or --version ran.")
@click.option("--profile", is_flag=True, help="Where the time goes: functions by what they took (cProfile).")
@click.option("--pdb", "debug", is_flag=True, help="Stop at an error, in the debugger.")
@click.option(
    "--write",
    "write_to",
    default="",
    metavar="VERSION",
    help="Write the value as this version's pipe; else nothing is written.",
)
@json_option
def replay(
    wave: str, key: str, task: str, version: str, local: bool, profile: bool, debug: bool, write_to: str, as_json: bool
) -> None:
    """Runs a task of an entity once more, here, with the inputs that it had, and compares what comes of it."""
    from console.reports.replay import lines
    from console.reports.replay import replay as run
    from engine.keys import check_version

    if debug and as_json:
        raise click.UsageError("--pdb talks to a person, --json to a program")
    for name in (version, write_to):
        if name:
            check_version(name)
    with open_redis(write=bool(write_to)) as (redis, url):
        ran = run(redis, url, wave, key, task, version=version, local=local, profile=profile, debug=debug)
        found = ran.replay
        if write_to:
            found = with_(found, written=_write(redis, ran, write_to))
    show(found, as_json, lambda r: click.echo("\n".join(lines(r))))


def _write(redis: "Client", ran: "Ran", version: str) -> str:
    """Writes the value, once, as a pipe is; its key.

    Raises:
        Refused: there is no value, or this user may not write.
        PipeConflict: the version has another value there; it stays.
    """
    from console.by import whoami
    from engine.errors import Refused
    from engine.keys import PipeKey
    from engine.store.catalog import Catalog
    from engine.store.connect import clock, must_write
    from engine.store.pipes import Pipes, expiry

    must_write(redis)
    if ran.value is None:
        raise Refused(f"there is no value to write: {ran.replay.task} {ran.replay.outcome}")
    at = PipeKey.parse(ran.replay.pipe)
    key = PipeKey(version, at.pipe, at.entity, at.date)
    writer = f"a replay of wave {ran.replay.wave} by {whoami()}"
    Pipes(redis).put(key, ran.value, expiry(at.date, ran.keep, clock(redis)), writer)
    Catalog(redis).touch(version)
    return str(key)


COMMANDS: tuple[click.Command, ...] = (replay,)
