"""What commands about fleets share: which version's, in which house, by which settings; and the record of what was done."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import DEFAULT_VERSION, open_redis
from engine.errors import Refused, WavedeckError
from engine.keys import check_version

if TYPE_CHECKING:
    from engine.fleet.house import House
    from engine.store.acts import Verb

PROJECT = "wavedeck.toml"
"""The settings of a folder: its `[aws]` table goes before a person's own."""


def checked(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    return value if value is None else check_version(value)


of_version = click.option(
    "--version",
    default=DEFAULT_VERSION,
    envvar="WAVEDECK_VERSION",
    show_default=True,
    callback=checked,
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


def house_of(
    name: str | None, settings: Path | None, *, url: str = "", keep: bool = False, slots: int | None = None
) -> "House":
    from engine.fleet.choose import open_house

    return open_house(url, name=name or "", aws=aws_table(settings), keep=keep, slots=slots)


def record(verb: "Verb", version: str, detail: str) -> None:
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
