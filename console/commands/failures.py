"""Commands about what went wrong: families of failures, the first of them, what changed, an incident block."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, open_redis, show

if TYPE_CHECKING:
    from console.reports.changes import Changes
    from console.reports.failures import Family, FirstRed


def _print_families(families: "Sequence[Family]") -> None:
    from console import present

    present.table(
        ("KEY", "COUNT>", "STATUS", "TASK", "WHAT", "WHERE", "BLOCKED BY", "NEWS", "FIRST", "FOR EXAMPLE"),
        (
            (
                f.key, f"{f.count:,}", f.status, f.task, f.title, f.where, ", ".join(f"{t} {n:,}" for t, n in f.blocked_by.items()),
                f.news, (f.first or "")[11:19], ", ".join(f.examples[:3]),
            )
            for f in families
        ),
        empty="nothing failed",
    )  # fmt: skip


def _print_first(found: "FirstRed | None") -> None:
    from console import present

    if found is None:
        present.lines("nothing failed")
        return
    present.lines(f"{found.locator}   {found.entity}   {found.task}   ended {found.at or 'at an unknown time'}")
    present.block(found.error.get("traceback") or f"{found.error.get('type', '')}: {found.error.get('message', '')}")


def _print_changes(changes: "Changes") -> None:
    from console import present
    from console.reports.changes import SECTIONS

    if not changes.before:
        present.lines(f"{changes.locator}: there is no earlier wave of this flow and version to compare with")
        return
    present.lines(f"{changes.locator} against {changes.before} ({changes.why})", "")
    present.table(
        ("", "WHAT", "BEFORE>", "NOW>", "WHICH"),
        (("!" if line.loud else "", line.what, line.before, line.now, line.which) for line in changes.lines),
        empty="nothing is different",
    )
    if changes.lines and changes.same:
        present.lines("", f"as before: {', '.join(SECTIONS[section] for section in changes.same)}")


@click.command()
@click.argument("wave")
@json_option
def failures(wave: str, as_json: bool) -> None:
    """A wave's failures, grouped by what they have in common; new ones and known ones."""
    from console.reports.failures import families
    from engine.store.waves import Waves

    with open_redis() as (redis, _):
        found = families(redis, Waves(redis).get(wave))
        import msgspec

        plain = [{k: v for k, v in msgspec.to_builtins(f).items() if k != "numbers"} for f in found]
        show(plain if as_json else found, as_json, _print_families)


@click.command("first-red")
@click.argument("wave")
@json_option
def first_red(wave: str, as_json: bool) -> None:
    """The earliest failure of a wave that no failure of the same entity came before."""
    from console.reports.failures import first_red as find
    from engine.store.waves import Waves

    with open_redis() as (redis, _):
        show(find(redis, Waves(redis).get(wave)), as_json, _print_first)


@click.command()
@click.argument("wave")
@json_option
def changes(wave: str, as_json: bool) -> None:
    """What is different in a wave from the one before it."""
    from console.reports.changes import changes as compare
    from engine.store.waves import Waves

    with open_redis() as (redis, _):
        show(compare(redis, Waves(redis).get(wave)), as_json, _print_changes)


@click.command()
@click.argument("wave")
@click.argument("key", default="")
@json_option
def incident(wave: str, key: str, as_json: bool) -> None:
    """An incident block in Markdown, about a wave or one of its entities."""
    from console.locator import Locator
    from console.reports.incident import incident as write

    with open_redis() as (redis, _):
        text = write(redis, Locator("entity" if key else "wave", name=wave, entity=key))
        show({"markdown": text} if as_json else text, as_json, lambda block: click.echo(block, nl=False))


COMMANDS: tuple[click.Command, ...] = (failures, first_red, changes, incident)
