"""`wavedeck compare`: two versions of a pipe, and which of them forecasts better."""

import sys
import textwrap
from typing import TYPE_CHECKING

import click

from console.commands.common import json_option, open_redis

if TYPE_CHECKING:
    from console.reports.compare import Report


def _print(report: "Report") -> None:
    from console import present
    from console.reports.compare import headline
    from console.reports.compare_text import blocks, title

    present.lines(title(report.found), headline(report.found))
    for block in blocks(report):
        present.lines("", f"── {block.title}")
        if block.rows:
            present.table(block.heads, block.rows)
        present.lines(*(line for note in block.notes for line in textwrap.wrap(note, 120)))


@click.command()
@click.argument("a")
@click.argument("b")
@click.argument("pipe")
@click.option("--date", default="", metavar="DATE", help="Of this hour or day; default: the newest that both have.")
@click.option("--from", "first", default="", metavar="DATE", help="From this date on.")
@click.option("--to", "last", default="", metavar="DATE", help="To this date, which is included.")
@click.option("--truth", default="", metavar="PIPE", help="The pipe that says what really happened: NAME or VERSION/NAME.")
@click.option("--curve", default="", help="Which curve of the values is held against the truth; default: the one of both.")
@click.option("--worst", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many entities are named.")
@click.option("--markdown", is_flag=True, help="Print a report in Markdown.")
@json_option
def compare(
    a: str,
    b: str,
    pipe: str,
    date: str,
    first: str,
    last: str,
    truth: str,
    curve: str,
    worst: int,
    markdown: bool,
    as_json: bool,
) -> None:
    """Two versions of a pipe: what is different in B, and with --truth which of both forecasts better."""
    from console import present
    from console.reports.compare import Reporting, flat
    from console.reports.compare_text import markdown as in_markdown
    from engine.compare import Asked
    from engine.errors import NotFound

    if date and (first or last):
        raise click.UsageError("--date is one date; --from and --to are a span of them")
    if markdown and as_json:
        raise click.UsageError("--markdown or --json, not both")
    with open_redis() as (redis, _):
        reporting = Reporting(redis, Asked(a, b, pipe, first or date, last or date, truth, curve, worst))
        for done in reporting.steps():
            if sys.stderr.isatty():
                click.echo(f"\r{done:,} of {reporting.comparison.total:,} entities\x1b[K", nl=False, err=True)
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
        report = reporting.report()
    if report.found.no_truth:
        raise NotFound(f"{report.found.no_truth}; --curve names the one that both have, --from and --to the dates")
    if as_json:
        present.as_json(flat(report))
    elif markdown:
        sys.stdout.write(in_markdown(report))
    else:
        _print(report)


COMMANDS: tuple[click.Command, ...] = (compare,)
