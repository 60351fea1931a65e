"""Commands that show a wave, from the list of waves down to one entity."""

import sys
from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, open_redis, show, version_option

if TYPE_CHECKING:
    from console.views import WaveDetail


@click.command()
@json_option
@version_option
@click.option("--flow", default=None, help="Only this flow.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many.")
def waves(as_json: bool, version: str | None, flow: str | None, limit: int) -> None:
    """The newest waves, each against the last ten of its flow."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.waves(redis, limit=limit, version=version, flow=flow), as_json, present.waves)


@click.command()
@click.argument("wave")
@click.option("--at", default="", help="As it was then: 03:12, an ISO 8601 moment, or -10m before its end or now.")
@json_option
def wave(wave: str, at: str, as_json: bool) -> None:
    """One wave: an id, the beginning of one, `last`, or 'flow@version date'."""
    from console import present, views

    with open_redis() as (redis, _):
        try:
            detail = views.wave(redis, wave, at)
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="--at") from None
    if as_json:
        present.as_json(views.flat(detail))
    else:
        _tell(detail)


def _tell(detail: "WaveDetail") -> None:
    """Prints a wave: when it was so, its tasks, and which of them stand out."""
    from console import present

    if detail.at:
        present.lines(f"as it was at {detail.at}")
    present.wave(detail)
    told = [f"slowest          {detail.slowest}"] if detail.slowest else []
    told += [f"critical path    {' → '.join(detail.critical_path)}"] if detail.critical_path else []
    told += [f"workers          {detail.foreseen.words}"] if detail.foreseen else []
    if red := detail.first_red:
        told.append(f"first red        {red['at'] or ''}  {red['task']} of {red['entity']}: {red['error'].get('message', '')}")
    if told:
        present.lines("", *told)


@click.command()
@click.argument("wave")
@click.argument("key")
@json_option
def entity(wave: str, key: str, as_json: bool) -> None:
    """One entity of a wave: its tasks, times, inputs, errors and logs."""
    from console import entity_view, present

    with open_redis() as (redis, _):
        show(entity_view.entity(redis, wave, key), as_json, present.entity)


@click.command()
@click.argument("wave")
@click.argument("key")
@click.option("--version", default=None, help="Write it for another version.")
@click.option("--base", default=None, help="Read from this version what the other has not.")
@click.option("--task", default=None, help="Only this task; what it takes is read from the pipes.")
@json_option
def script(wave: str, key: str, version: str | None, base: str | None, task: str | None, as_json: bool) -> None:
    """The executable script of an entity: `wavedeck script ID KEY > s.sh; bash s.sh`."""
    from console import entity_view, present

    with open_redis() as (redis, _):
        text = entity_view.script_of(redis, wave, key, version=version, base=base, task=task)
    if as_json:
        present.as_json({"script": text})
    else:
        sys.stdout.buffer.write(text.encode())


COMMANDS: tuple[click.Command, ...] = (
    waves,
    wave,
    entity,
    script,
)
