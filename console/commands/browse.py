"""Commands that show what else there is: flows and pipes."""

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


COMMANDS: tuple[click.Command, ...] = (flows,)
