"""`wavedeck serve`: the console on a web page."""

import os
import sys

import click

from console.commands.common import end_with_terminal, open_redis


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; beyond this machine a token is wanted.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535), help="The port.")
@click.option("--write", is_flag=True, help="Let visitors start and cancel waves.")
@click.option("--visitors", default=16, show_default=True, type=click.IntRange(1), help="How many may look at once.")
@click.option("--at", "place", default=None, metavar="PLACE", help="Where to open, as typed after `:` in the console.")
@click.pass_context
def serve(context: click.Context, host: str, port: int, write: bool, visitors: int, place: str | None) -> None:
    """The console on a web page: on this machine only and read-only, unless told otherwise."""
    try:
        from console.web.server import serve as serve_console
    except ImportError as missing:
        raise click.ClickException(f"{missing.name} is not installed: pip install 'wavedeck[serve]'") from None
    given = context.find_root().params
    end_with_terminal()
    with open_redis(start=True) as (_, url):
        os.environ["WAVEDECK_REDIS_URL"] = url  # not among the words of the command, which every user of the machine can read
        command = [sys.executable, "-P", "-m", "console.cli"]
        command += ["--read-only"] if given.get("read_only") or not write else []
        command += ["--slow-link"] if given.get("slow_link") else []
        command += ["--at", place] if place else []
        slow = {"TEXTUAL_FPS": "10"} if given.get("slow_link") else {}
        try:
            serve_console(
                command, host, port, lambda address: click.echo(f"wavedeck at {address}   ctrl-c ends it"), slow, visitors
            )
        except OSError as error:
            raise click.ClickException(f"cannot listen at {host}:{port}: {error.strerror or error}") from None


COMMANDS: tuple[click.Command, ...] = (serve,)
