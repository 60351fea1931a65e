"""The `wavedeck` command: the console, and a headless twin of every screen."""

import contextlib
import gc
import io
import os
import sys
from pathlib import Path

import click

from console.commands.common import end_with_terminal, open_redis, prepare
from engine.errors import BadKey, WavedeckError


def main() -> None:
    """The command's entry point. 0: done; 1: it failed; 2: wrong use. What is wrong goes to stderr in a sentence."""
    if sys.argv[1:2] == ["task"]:
        os.execv(sys.executable, [sys.executable, "-P", "-m", "worker.standalone", *sys.argv[2:]])  # noqa: S606
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 closed by whoever called us
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal of another encoding cannot show is spelled out
    try:
        status = cli(standalone_mode=False)
        sys.stdout.flush()
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
    except BrokenPipeError:  # nobody reads what we print, as in `| head`; SIGPIPE stays ignored, a socket would send it too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the interpreter's own last flush
        status = 1
    except (WavedeckError, OSError) as e:
        status = _complain(getattr(e, "strerror", None) or str(e), 1)
    except Exception as e:
        from redis.exceptions import RedisError  # not before there is one: the console's first frame would wait for it

        if not isinstance(e, RedisError):
            raise
        status = _complain(f"redis: {e}", 1)
    sys.exit(status if isinstance(status, int) else 0)


def _complain(text: str, status: int) -> int:
    from console.widgets.text import clean

    click.echo(f"wavedeck: {clean(text)}", err=True)
    return status


class _Commands(click.Group):
    """The commands, read in when one of them is asked for: the console itself is there sooner without."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        self._read()
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._read()
        return super().list_commands(ctx)

    def _read(self) -> None:
        if self.commands:
            return
        from console.commands import (
            acl,
            act,
            backfill,
            backlog,
            browse,
            build,
            compare,
            coverage,
            crew,
            deploy,
            doctor,
            evidence,
            failures,
            fleet,
            look,
            pipes,
            profile,
            replay,
            run,
            schedule,
            serve,
        )

        for module in (
            look,
            evidence,
            failures,
            profile,
            browse,
            pipes,
            compare,
            crew,
            fleet,
            deploy,
            build,
            backlog,
            doctor,
            act,
            backfill,
            replay,
            schedule,
            run,
            serve,
            acl,
            coverage,
        ):
            for command in module.COMMANDS:
                self.add_command(command)


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--redis", "url", envvar="WAVEDECK_REDIS_URL", help="URL of Redis; default: the embedded one.")
@click.option("--read-only", is_flag=True, help="A console that can change nothing.")
@click.option("--slow-link", is_flag=True, help="A console that sends little: for a Redis or a terminal far away.")
@click.option("--at", "place", default=None, metavar="PLACE", help="Where to open, as typed after `:` in the console.")
@click.pass_context
def cli(context: click.Context, url: str | None, read_only: bool, slow_link: bool, place: str | None) -> None:
    """Runs machine-learning flows over tens of thousands of entities. Without a command it opens the console."""
    if url:
        os.environ["WAVEDECK_REDIS_URL"] = url
    if context.invoked_subcommand is None:
        if not sys.stdout.isatty() and "TEXTUAL_DRIVER" not in os.environ:
            raise click.UsageError("the console needs a terminal; `wavedeck --help` lists the commands that do not")
        end_with_terminal()
        settings = prepare(slow_link=slow_link)
        from console.quick import listening

        gc.disable()  # the console lets it go on when its first frame is there
        with contextlib.ExitStack() as stack:
            at = listening() or stack.enter_context(open_redis(start=True))[1]
            from console.app import run_console

            run_console(at, read_only=read_only, locator=place, settings=settings)


if __name__ == "__main__":
    main()
