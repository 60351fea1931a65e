"""Commands that run something here: a worker, a Redis, the demo."""

import contextlib
import os
import signal
import sys

import click

from console.commands.common import end_with_terminal, json_option, open_redis, refuse_read_only, show


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def worker(arguments: tuple[str, ...]) -> None:
    """Collects entities of a version and runs them (--version, --slots, --until-idle; -h for all)."""
    wants_help = {"-h", "--help"} & set(arguments)
    if not wants_help:
        refuse_read_only("a worker writes pipes and boards")
    if not wants_help and not os.environ.get("WAVEDECK_REDIS_URL"):  # else it looks for itself
        with open_redis() as (_, url):
            os.environ["WAVEDECK_REDIS_URL"] = url
    sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])  # until it has its handlers: it may be process 1
    os.execv(sys.executable, [sys.executable, "-P", "-m", "worker", *arguments])  # noqa: S606


@click.command()
@json_option
def redis(as_json: bool) -> None:
    """Starts the embedded Redis and keeps it until ctrl-c; or says where the one is that runs."""
    from engine.fleet.embedded import find_running, redis_server

    running = find_running()
    if running is not None:
        show(running, as_json, lambda s: click.echo(f"{s.kind} {s.version} runs at {s.url}"))
        return
    with redis_server(persist=True) as server:
        show(server, as_json, lambda s: click.echo(f"{s.kind} {s.version} at {s.url}; ctrl-c ends it"))
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


@click.command()
@click.option("--headless", is_flag=True, help="Without a console: run the waves, print a summary.")
@click.option("--waves", "count", default=None, type=click.IntRange(1), help="How many waves (headless: 3).")
@click.option("--state", default=None, help="`flights` for all 12,075 flights; default: the routes.")
@click.option("--workers", "workers_", default=2, show_default=True, type=click.IntRange(1), help="Local workers.")
@json_option
def demo(headless: bool, count: int | None, state: str | None, workers_: int, as_json: bool) -> None:
    """Replays New York's flights of 2013, a wave an hour, with local workers and an embedded Redis."""
    from console.demo import run_demo

    refuse_read_only("the demo starts waves and workers")
    end_with_terminal()
    alone = headless or as_json or not (sys.stdout.isatty() and sys.stdin.isatty())
    raise click.exceptions.Exit(run_demo(headless=alone, count=count, state=state, workers=workers_, as_json=as_json))


@click.command()
def task() -> None:
    """One line of a script that `wavedeck script` prints; runs one task as a process of its own."""
    raise click.UsageError("`wavedeck task` takes the words of a script's line")


COMMANDS: tuple[click.Command, ...] = (
    worker,
    redis,
    demo,
    task,
)
