"""Commands that show pipes: level by level, and one of them."""

from typing import TYPE_CHECKING, Any

import click

from console.commands.common import json_option, open_redis, show

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.browse import PipeListing
    from console.reports.pipes import Whole


_TABLES: "dict[str, tuple[tuple[str, ...], Callable[[Any], Sequence[Any]]]]" = {
    "versions": (("VERSION", "PIPES>", "LAST ACTIVE"), lambda r: (r.version, f"{r.pipes:,}", r.active or "–")),
    "names": (
        ("PIPE", "DATES>", "NEWEST", "ENTITIES>", "FORECAST"),
        lambda r: (r.name, f"{r.dates:,}", r.newest, f"{r.entities:,}", f"{r.horizon / 3600:g} h" if r.horizon else ""),
    ),
    "dates": (
        ("DATE", "ENTITIES>", "WAVES"),
        lambda r: (r.date, f"{'' if r.exact else '≤ '}{r.entities:,}", " ".join(r.waves)),
    ),
    "entities": (("ENTITY", "PARTITION", "WRITTEN BY"), lambda r: (r.entity, r.partition, r.writer)),
}


def _print_listing(listing: "PipeListing") -> None:
    from console import present

    heads, row = _TABLES[listing.level]
    present.table(heads, map(row, listing.facts))
    if listing.more:
        present.lines(f"… and more (--after {listing.after})")


def _verdict(found: "Whole") -> str:
    from console.screens.words import many

    if found.theirs is None:
        return "it has no such pipe"
    if found.equal:
        return "equal"
    number = many(len(found.differences), "difference")
    return f"{number}{', and more' if found.more else ''}" if found.differences else "other bytes"


def _print_pipe(found: "Whole") -> None:
    import msgspec

    from console import present

    d = found.detail
    present.lines(f"{d.key}   {d.bytes:,} bytes   expires {d.expires or 'never'}   written by {d.writer or 'nobody knows'}")
    for title, links in (("made from", found.up), ("used for", found.down)):
        if links:
            notes = [link.note or ("" if link.there else "missing") for link in links]
            told = ", ".join(f"{link.pipe}{f' ({note})' if note else ''}" for link, note in zip(links, notes, strict=True))
            present.lines(f"{title} {told}")
    present.block(msgspec.json.format(msgspec.json.encode(d.value), indent=2).decode() if d.json else d.value)
    if found.other:
        present.lines("", f"against {found.other}: {_verdict(found)}")
        present.lines(*(difference.words for difference in found.differences))


@click.command()
@click.argument("path", default="")
@click.argument("date", default=None, required=False)
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--after", default="", help="Where the page before ended, as it said.")
@json_option
def pipes(path: str, date: str | None, limit: int, after: str, as_json: bool) -> None:
    """The pipes, level by level: VERSION/NAME, then its dates, then the entities of a DATE."""
    from console import browse

    with open_redis() as (redis, _):
        show(browse.pipes(redis, path, date, limit=limit, after=after), as_json, _print_listing)


@click.command()
@click.argument("path")
@click.argument("key")
@click.argument("date")
@click.option("--versus", default="", metavar="VERSION", help="What is different in another version's.")
@json_option
def pipe(path: str, key: str, date: str, versus: str, as_json: bool) -> None:
    """One pipe: its value, where it comes from, what was made of it: VERSION/NAME KEY DATE."""
    from console import present
    from console.locator import Locator
    from console.reports.pipes import flat, whole

    with open_redis() as (redis, _):
        found = whole(redis, Locator("pipes", path=path, date=date, entity=key, other=versus))
    if as_json:
        present.as_json(flat(found))
    else:
        _print_pipe(found)


COMMANDS: tuple[click.Command, ...] = (pipes, pipe)
