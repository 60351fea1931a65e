"""`wavedeck build`: the image of a branch, from its Dockerfile to the digest that `wavedeck deploy` wants."""

from pathlib import Path

import click

from console.commands.common import json_option, refuse_read_only, show


@click.command()
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--repository",
    envvar="WAVEDECK_REPOSITORY",
    required=True,
    metavar="URI",
    help="Where it is pushed: REGISTRY/NAME (RepositoryUri of the stack).",
)
@click.option("--version", default=None, help="What it serves; default: the branch that is checked out.")
@click.option("--platform", default="linux/amd64", show_default=True, type=click.Choice(["linux/amd64", "linux/arm64"]))
@click.option(
    "--build-arg", "arguments", multiple=True, metavar="NAME=VALUE", help="An ARG of the Dockerfile; may be given again."
)
@click.option("--tool", default=None, type=click.Choice(["docker", "podman", "buildah"]), help="Default: the first there is.")
@click.option("--push/--no-push", default=True, show_default=True)
@json_option
def build(
    folder: Path,
    repository: str,
    version: str | None,
    platform: str,
    arguments: tuple[str, ...],
    tool: str | None,
    push: bool,
    as_json: bool,
) -> None:
    """Builds the image of FOLDER's branch and pushes it; prints it by digest, as `wavedeck deploy --image` wants it."""
    from engine.fleet import image

    if push:
        refuse_read_only("a build pushes to a registry")
    source = image.find_source(folder, version or "")
    if source.dirty:
        click.echo(f"{source.folder} holds changes that are not committed: the image is marked as dirty", err=True)
    made = image.build(
        source,
        repository,
        tool=image.find_tool(tool or ""),
        platform=platform,
        arguments=arguments,
        push=push,
        say=lambda command: click.echo(f"$ {command}", err=True),
    )
    show(made, as_json, lambda m: click.echo(m.image or m.reference))
    if made.image and not as_json:
        click.echo(f"next: wavedeck deploy --version {made.version} --image {made.image}", err=True)


COMMANDS: tuple[click.Command, ...] = (build,)
