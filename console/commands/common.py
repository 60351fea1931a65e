"""What the commands have in common: a Redis, and printing for a person or a program."""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from engine.errors import Refused
from engine.keys import check_version

if TYPE_CHECKING:
    from console.settings import Settings
    from engine.store.connect import Client

DEFAULT_VERSION = "main"


@contextlib.contextmanager
def open_redis(*, start: bool = False, write: bool = False) -> "Iterator[tuple[Client, str]]":
    """A client of the Redis that runs (or, with `start`, of one that is started), and its URL. Only if it is to `write` can it
    change anything, and not even then with `--read-only`."""
    from engine.fleet.embedded import redis_server
    from engine.store.connect import check, connect

    with redis_server(start=start) as server:
        client = connect(server.url, read_only=_read_only() or not write)
        check(client, server.url)
        try:
            yield client, server.url
        finally:
            client.close()


def _read_only() -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.find_root().params.get("read_only"))


def refuse_read_only(why: str) -> None:
    """For a command that cannot run without writing.

    Raises:
        Refused: it was called with `--read-only`.
    """
    if _read_only():
        raise Refused(f"read-only: {why}, and --read-only changes nothing")


def prepare(*, slow_link: bool = False) -> "Settings":
    """A person's settings, and what of them must be in the environment before Textual and the console are imported."""
    from dataclasses import replace

    from console.settings import load

    settings = load()
    settings = replace(settings, slow_link=slow_link or settings.slow_link)
    os.environ.setdefault("WAVEDECK_GLYPHS", settings.glyphs)
    calm = {"TEXTUAL_FPS": "10", "TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0"}
    for name, value in calm.items() if settings.slow_link else [("TEXTUAL_FPS", "120")]:
        os.environ.setdefault(name, value)
    return settings


def end_with_terminal() -> None:
    """SIGTERM and SIGHUP end this command in order, so that what it started ends with it, even where they came in ignored."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def show(value: Any, as_json: bool, printer: Callable[[Any], None]) -> None:
    """Prints a view for a person or a program."""
    from console import present

    (present.as_json if as_json else printer)(value)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
version_option = click.option(
    "--version",
    default=None,
    callback=lambda _context, _option, value: value if value is None else check_version(value),
    help="Only this version.",
)


def _share(_context: click.Context, _parameter: click.Parameter, text: str) -> float:
    """`5%` or `0.05`."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100 if number.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text!r} is no share: 5% or 0.05, over 0 and up to 100%")
    return share


sample_option = click.option(
    "--sample",
    "share",
    default="100%",
    metavar="SHARE",
    callback=_share,
    help="A share of the entities, such as 5%: the same ones in each wave.",
)
only_option = click.option(
    "--only",
    multiple=True,
    metavar="TASK",
    help="Run this task and what is downstream of it, as if only it were different; may be repeated.",
)
plan_option = click.option("--plan", "plan_only", is_flag=True, help="Say what would run, and why; start nothing.")
