"""`wavedeck backlog`: units outstanding by version."""

import json
import sys
from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, open_redis, show, version_option

if TYPE_CHECKING:
    from engine.store.backlog import Backlog


def _print(rows: "list[Backlog]") -> None:
    from console import present

    present.table(
        ("VERSION", "OUTSTANDING>", "PENDING>", "RUNNING>", "WAVES>"),
        ((r.version, f"{r.outstanding:,}", f"{r.pending:,}", f"{r.running:,}", r.waves) for r in rows),
        empty="no version has run anything yet",
    )


@click.command()
@click.option("--emf", is_flag=True, help="A line a version in CloudWatch's embedded metric format.")
@json_option
@version_option
def backlog(emf: bool, as_json: bool, version: str | None) -> None:
    """Entities that are outstanding: pending and running, by version."""
    import msgspec

    from engine.store.backlog import backlog as read
    from engine.store.backlog import metric
    from engine.store.catalog import Catalog

    with open_redis() as (redis, _):
        rows = read(redis, [version] if version else Catalog(redis).versions())
    if emf:
        for row in rows:
            sys.stdout.write(json.dumps(metric(row)) + "\n")
        return
    show([{**msgspec.to_builtins(r), "outstanding": r.outstanding} for r in rows] if as_json else rows, as_json, _print)


COMMANDS: tuple[click.Command, ...] = (backlog,)
