"""`wavedeck acl`: what the Redis users of a version must be allowed."""

import click

from console.commands.common import json_option, show


@click.command()
@click.argument("version")
@click.option("--base", "bases", multiple=True, help="A version whose pipes it reads where it has none; may be given again.")
@click.option("--pipe", "pipes", multiple=True, help="The worker writes this pipe and no other; may be given again.")
@json_option
def acl(version: str, bases: tuple[str, ...], pipes: tuple[str, ...], as_json: bool) -> None:
    """Prints ACL SETUSER lines for a version's worker, console and read-only console (Redis 7 or later). They hold no password."""
    from engine.store.acl import users

    made = users(version, bases, pipes)
    told = {kind: {"user": user.name, "rules": list(user.rules), "command": user.command()} for kind, user in made.items()}
    show(told, as_json, lambda _: click.echo("\n".join(user.command() for user in made.values())))
    if not as_json:
        click.echo("Nobody can log in as them yet. Give each a password: ACL SETUSER NAME >PASSWORD; then ACL SAVE.", err=True)


COMMANDS: tuple[click.Command, ...] = (acl,)
