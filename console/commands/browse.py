"""Commands that show what else there is: flows, states, workers, pipes."""

import click

from console.commands.common import json_option, open_redis, show, version_option


@click.command()
@json_option
@version_option
def flows(as_json: bool, version: str | None) -> None:
    """The flows that versions have published."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.flows(redis, version), as_json, present.flows)


@click.command()
@click.argument("flow")
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many entities.")
@click.option("--state", "by_name", is_flag=True, help="FLOW is the name of a state.")
@json_option
def state(flow: str, limit: int, by_name: bool, as_json: bool) -> None:
    """The entities of a flow's state, by partition."""
    from console import browse, present

    with open_redis() as (redis, _):
        names = {} if by_name else {f.flow: f.state for f in browse.flows(redis)}
        show(browse.state(redis, names.get(flow, flow), limit=limit), as_json, present.state)


@click.command()
@json_option
@version_option
def workers(as_json: bool, version: str | None) -> None:
    """The workers that are alive, and what they run."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.workers(redis, version), as_json, present.workers)


@click.command()
@click.argument("path", default="")
@click.argument("date", default=None, required=False)
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many.")
@json_option
def pipes(path: str, date: str | None, limit: int, as_json: bool) -> None:
    """The pipes, level by level: VERSION/NAME, then its dates, then the entities of a DATE."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.pipes(redis, path, date, limit=limit), as_json, present.pipes)


@click.command()
@click.argument("path")
@click.argument("key")
@click.argument("date")
@json_option
def pipe(path: str, key: str, date: str, as_json: bool) -> None:
    """One pipe's value: VERSION/NAME KEY DATE."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.pipe(redis, path, key, date), as_json, present.pipe)


COMMANDS: tuple[click.Command, ...] = (
    flows,
    state,
    workers,
    pipes,
    pipe,
)
