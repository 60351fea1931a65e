"""The `wavedeck` command: the console, and a headless twin of every screen."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine.errors import BadKey, WavedeckError
from engine.keys import check_version

if TYPE_CHECKING:
    from engine.store.connect import Client

DEFAULT_VERSION = "main"


def main() -> None:
    """The command's entry point. 0: done; 1: it failed; 2: wrong use. What is wrong goes to stderr in a sentence."""
    if sys.argv[1:2] == ["task"]:
        os.execv(sys.executable, [sys.executable, "-P", "-m", "worker.standalone", *sys.argv[2:]])  # noqa: S606
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 closed by whoever called us
    with contextlib.suppress(AttributeError, ValueError):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from redis.exceptions import RedisError

    try:
        status = cli(standalone_mode=False)
    except click.exceptions.Abort:
        status = _complain("stopped", 130)
    except click.exceptions.Exit as e:
        status = e.exit_code
    except click.ClickException as e:
        status = _complain(e.format_message(), 2 if isinstance(e, click.UsageError) else 1)
    except BadKey as e:
        status = _complain(str(e), 2)
    except UnicodeError:
        status = _complain("an argument is not UTF-8", 2)
    except WavedeckError as e:
        status = _complain(str(e), 1)
    except RedisError as e:
        status = _complain(f"redis: {e}", 1)
    except OSError as e:
        status = _complain(f"{e.strerror or e}", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(text: str, status: int) -> int:
    from console.widgets.text import clean

    click.echo(f"wavedeck: {clean(text)}", err=True)
    return status


@contextlib.contextmanager
def open_redis(*, start: bool = False) -> "Iterator[tuple[Client, str]]":
    """A client of the Redis that runs (or, with `start`, of one that is started), and its URL."""
    from engine.fleet.embedded import redis_server
    from engine.store.connect import check, connect

    with redis_server(start=start) as server:
        client = connect(server.url)
        check(client, server.url)
        try:
            yield client, server.url
        finally:
            client.close()


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


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--redis", "url", envvar="WAVEDECK_REDIS_URL", help="URL of Redis; default: the embedded one.")
@click.option("--read-only", is_flag=True, help="A console that can change nothing.")
@click.pass_context
def cli(context: click.Context, url: str | None, read_only: bool) -> None:
    """Runs machine-learning flows over tens of thousands of entities. Without a command it opens the console."""
    if url:
        os.environ["WAVEDECK_REDIS_URL"] = url
    if context.invoked_subcommand is None:
        if not sys.stdout.isatty():
            raise click.UsageError("the console needs a terminal; `wavedeck --help` lists the commands that do not")
        from console.app import run_console

        end_with_terminal()
        with open_redis(start=True) as (_, at):
            run_console(at, read_only=read_only)


@cli.command()
@json_option
@version_option
@click.option("--flow", default=None, help="Only this flow.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many.")
def waves(as_json: bool, version: str | None, flow: str | None, limit: int) -> None:
    """The newest waves."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.waves(redis, limit=limit, version=version, flow=flow), as_json, present.waves)


@cli.command()
@click.argument("wave")
@json_option
def wave(wave: str, as_json: bool) -> None:
    """One wave: an id, the beginning of one, `last`, or 'flow@version date'."""
    from console import present, views

    with open_redis() as (redis, _):
        detail = views.wave(redis, wave)
    if as_json:
        present.as_json(views.flat(detail))
    else:
        present.wave(detail)


@cli.command()
@click.argument("wave")
@json_option
def failures(wave: str, as_json: bool) -> None:
    """A wave's failures, grouped by what they have in common."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.failures(redis, wave), as_json, present.failures)


@cli.command()
@click.argument("wave")
@click.argument("key")
@json_option
def entity(wave: str, key: str, as_json: bool) -> None:
    """One entity of a wave: its tasks, times, inputs, errors and logs."""
    from console import present, views

    with open_redis() as (redis, _):
        show(views.entity(redis, wave, key), as_json, present.entity)


@cli.command()
@click.argument("wave")
@click.argument("key")
@click.option("--version", default=None, help="Write it for another version.")
@click.option("--base", default=None, help="Read from this version what the other has not.")
@json_option
def script(wave: str, key: str, version: str | None, base: str | None, as_json: bool) -> None:
    """The executable script of an entity: `wavedeck script ID KEY > s.sh; bash s.sh`."""
    from console import present, views

    with open_redis() as (redis, _):
        text = views.script_of(redis, wave, key, version=version, base=base)
    if as_json:
        present.as_json({"script": text})
    else:
        sys.stdout.buffer.write(text.encode())


@cli.command()
@json_option
@version_option
def flows(as_json: bool, version: str | None) -> None:
    """The flows that versions have published."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.flows(redis, version), as_json, present.flows)


@cli.command()
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


@cli.command()
@json_option
@version_option
def workers(as_json: bool, version: str | None) -> None:
    """The workers that are alive, and what they run."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.workers(redis, version), as_json, present.workers)


@cli.command()
@click.argument("path", default="")
@click.argument("date", default=None, required=False)
@click.option("--limit", default=1000, show_default=True, type=click.IntRange(1), help="How many.")
@json_option
def pipes(path: str, date: str | None, limit: int, as_json: bool) -> None:
    """The pipes, level by level: VERSION/NAME, then its dates, then the entities of a DATE."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.pipes(redis, path, date, limit=limit), as_json, present.pipes)


@cli.command()
@click.argument("path")
@click.argument("key")
@click.argument("date")
@json_option
def pipe(path: str, key: str, date: str, as_json: bool) -> None:
    """One pipe's value: VERSION/NAME KEY DATE."""
    from console import browse, present

    with open_redis() as (redis, _):
        show(browse.pipe(redis, path, key, date), as_json, present.pipe)


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[int], None]]:
    """Says on a terminal how many entities are queued, when that takes longer than a second."""
    began, said = time.monotonic(), False

    def tell(done: int) -> None:
        nonlocal said
        if sys.stderr.isatty() and time.monotonic() - began > 1:
            click.echo(f"\r{done:,} entities queued", nl=False, err=True)
            said = True

    yield tell
    if said:
        click.echo("\r\033[K", nl=False, err=True)


def _launch_options(command: Callable[..., None]) -> Callable[..., None]:
    options = [
        click.argument("flow"),
        click.option(
            "--version", default=DEFAULT_VERSION, envvar="WAVEDECK_VERSION", show_default=True, help="The code to run."
        ),
        click.option("--date", default=None, help="The hour or day it is about, UTC; default: now."),
        click.option("--state", default=None, help="The state to run over; default: the flow's."),
        click.option("--config", multiple=True, metavar="K=V", help="Override config: key=value or task.key=value."),
        json_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _launched(redis: "Client", launched: Any, as_json: bool) -> None:
    from console import present, views
    from console.widgets.text import clean

    w, memory = launched.wave, views.bytes_a_cell(redis, launched.wave)
    if as_json:
        present.as_json({**views.launched(w, new=launched.created), "bytes_a_cell": memory})
        return
    word = f"queued in {launched.seconds:.2f} s, {memory} bytes a cell" if launched.created else "there already"
    click.echo(f"{w.id}  {clean(w.locator)}  {w.n:,} entities × {len(w.tasks)} tasks, {word}")


@cli.command()
@_launch_options
@click.option("--base", default="", help="Read from this version what the other has not.")
@click.option("--partition", multiple=True, help="Only this partition of the state; may be repeated.")
@click.option("--entity", multiple=True, help="Only this entity, in the state or not; may be repeated.")
def trigger(
    flow: str, version: str, date: str | None, state: str | None, config: tuple[str, ...], as_json: bool,
    base: str, partition: tuple[str, ...], entity: tuple[str, ...],
) -> None:  # fmt: skip
    """Starts a wave by hand."""
    from console.start import parse_config, start_wave

    with open_redis() as (redis, _), _progress() as tell:
        launched = start_wave(
            redis, flow, version=version, date=date, base=base, state=state, partitions=partition, entities=entity,
            config=parse_config(config), on_progress=tell,
        )  # fmt: skip
        _launched(redis, launched, as_json)


@cli.command()
@_launch_options
def init(flow: str, version: str, date: str | None, state: str | None, config: tuple[str, ...], as_json: bool) -> None:
    """What the scheduler runs: starts the wave of a date, once, however often it is called."""
    from console.start import choose_plan, parse_config, start_wave, this_date

    with open_redis() as (redis, _), _progress() as tell:
        about = date or str(this_date(choose_plan(redis, version, flow)[0]))
        launched = start_wave(
            redis, flow, version=version, date=about, state=state, config=parse_config(config), trigger=f"schedule:{about}" + (f" {state}" if state else ""),
            by="schedule", on_progress=tell,
        )  # fmt: skip
        _launched(redis, launched, as_json)


@cli.command()
@click.argument("wave")
@json_option
def cancel(wave: str, as_json: bool) -> None:
    """Ends a wave: nothing of it starts any more."""
    from console.by import whoami
    from engine.cancel import cancel as cancel_wave
    from engine.store.waves import Waves

    with open_redis() as (redis, _):
        w = Waves(redis).get(wave)
        done = cancel_wave(redis, w, by=whoami())
    show(
        {"id": w.id, "cancelled_cells": done.cells, "held_entities": done.held},
        as_json,
        lambda _: click.echo(f"{w.id} cancelled: {done.cells:,} cells at once, {done.held:,} entities still with workers"),
    )


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def worker(arguments: tuple[str, ...]) -> None:
    """Collects entities of a version and runs them (--version, --slots, --until-idle; -h for all)."""
    wants_help = {"-h", "--help"} & set(arguments)
    with contextlib.nullcontext(None) if wants_help else open_redis() as opened:
        if opened is not None:
            os.environ["WAVEDECK_REDIS_URL"] = opened[1]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-P", "-m", "worker", *arguments])  # noqa: S606


@cli.command()
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


@cli.command()
@click.option("--headless", is_flag=True, help="Without a console: run the waves, print a summary.")
@click.option("--waves", "count", default=None, type=click.IntRange(1), help="How many waves (headless: 3).")
@click.option("--state", default=None, help="`flights` for all 12,075 flights; default: the routes.")
@click.option("--workers", "workers_", default=2, show_default=True, type=click.IntRange(1), help="Local workers.")
@json_option
def demo(headless: bool, count: int | None, state: str | None, workers_: int, as_json: bool) -> None:
    """Replays New York's flights of 2013, a wave an hour, with local workers and an embedded Redis."""
    from console.demo import run_demo

    end_with_terminal()
    alone = headless or as_json or not (sys.stdout.isatty() and sys.stdin.isatty())
    raise click.exceptions.Exit(run_demo(headless=alone, count=count, state=state, workers=workers_, as_json=as_json))


@cli.command()
def task() -> None:
    """One line of a script that `wavedeck script` prints; runs one task as a process of its own."""
    raise click.UsageError("`wavedeck task` takes the words of a script's line")


if __name__ == "__main__":
    main()
