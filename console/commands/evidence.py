"""Commands that say why an entity is where it is: what it waits for, and how its inputs differ from those of one that went well."""

from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, open_redis, show

if TYPE_CHECKING:
    from console.reports.inputs import InputsDiff
    from console.reports.why import WhyView


def _print_why(found: "WhyView") -> None:
    from console import present

    present.lines(f"{found.locator}   {found.entity}   {found.text or 'all its tasks have ended'}", "")
    present.table(("TASK", "STATUS", "WHY"), ((t.task, t.status, t.text) for t in found.tasks))


def _print_diff(found: "InputsDiff") -> None:
    from console import present
    from console.reports.told import told

    for text in told(found):
        present.lines(text)


@click.command()
@click.argument("wave")
@click.argument("key")
@json_option
def why(wave: str, key: str, as_json: bool) -> None:
    """Why an entity of a wave, and each of its tasks, is pending."""
    from console import entity_view
    from console.reports.why import why as find
    from engine.store.waves import Waves

    with open_redis() as (redis, _):
        store = Waves(redis)
        found = store.progress(store.get(wave)).wave
        show(find(redis, found, entity_view.number_of(store, found, key)), as_json, _print_why)


@click.command()
@click.argument("wave")
@click.argument("key")
@click.option("--task", default=None, help="Whose inputs; else the first task that failed, was blocked, or has not ended.")
@click.option("--neighbour", is_flag=True, help="Against a healthy entity of this wave, not the last wave that went well.")
@json_option
def diff(wave: str, key: str, task: str | None, neighbour: bool, as_json: bool) -> None:
    """A task's inputs, field by field, against those of the last wave in which it finished for this entity."""
    from console import entity_view
    from console.reports.inputs import diff as compare
    from console.reports.inputs import flat
    from console.reports.told import most_telling
    from engine.store.waves import Waves

    with open_redis() as (redis, _):
        store = Waves(redis)
        found = store.get(wave)
        detail = entity_view.entity_by_number(redis, found, entity_view.number_of(store, found, key), logs=False)
        compared = compare(
            redis, found, detail.number, task or most_telling(detail, ""), "neighbour" if neighbour else "last success"
        )
        show(flat(compared) if as_json else compared, as_json, _print_diff)


COMMANDS: tuple[click.Command, ...] = (why, diff)
