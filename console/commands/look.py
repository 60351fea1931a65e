"""Commands that show a wave, from the list of waves down to one entity."""

import sys

import click

from console.commands.common import json_option, open_redis, show, version_option


@click.command()
@json_option
@version_option
@click.option("--flow", default=None, help="Only this flow.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many.")
def waves(as_json: bool, version: str | None, flow: str | None, limit: int) -> None:
    """The newest waves."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.waves(redis, limit=limit, version=version, flow=flow), as_json, present.waves)


@click.command()
@click.argument("wave")
@json_option
def wave(wave: str, as_json: bool) -> None:
    """One wave: an id, the beginning of one, `last`, or 'flow@version date'."""
    from console import present, views

    with open_redis() as (redis, _):
        detail = views.wave(redis, wave)
    if as_json:
        present.as_json(views.flat(detail))
    else:
        present.wave(detail)


@click.command()
@click.argument("wave")
@json_option
def failures(wave: str, as_json: bool) -> None:
    """A wave's failures, grouped by what they have in common."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.failures(redis, wave), as_json, present.failures)


@click.command()
@click.argument("wave")
@click.argument("key")
@json_option
def entity(wave: str, key: str, as_json: bool) -> None:
    """One entity of a wave: its tasks, times, inputs, errors and logs."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.entity(redis, wave, key), as_json, present.entity)


@click.command()
@click.argument("wave")
@click.argument("key")
@click.option("--version", default=None, help="Write it for another version.")
@click.option("--base", default=None, help="Read from this version what the other has not.")
@json_option
def script(wave: str, key: str, version: str | None, base: str | None, as_json: bool) -> None:
    """The executable script of an entity: `wavedeck script ID KEY > s.sh; bash s.sh`."""
    from console import present, views

    with open_redis() as (redis, _):
        text = views.script_of(redis, wave, key, version=version, base=base)
    if as_json:
        present.as_json({"script": text})
    else:
        sys.stdout.buffer.write(text.encode())


COMMANDS: tuple[click.Command, ...] = (
    waves,
    wave,
    failures,
    entity,
    script,
)
