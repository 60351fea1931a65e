"""Builds the image of a branch and pushes it, by whichever of docker, podman and buildah is there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import NotFound, Refused
from engine.fleet.house import FleetError
from engine.fleet.names import slug
from engine.keys import check_version
from engine.plain import quoted

TOOLS = ("docker", "podman", "buildah")
"""In this order."""
PLATFORMS = ("linux/amd64", "linux/arm64")
ATTESTATIONS = "BUILDX_NO_DEFAULT_ATTESTATIONS"
"""Without them what docker pushes is the image itself, and its digest is what a worker is told to be; with them, an index of it."""
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.-]*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Source:
    """What is built: a folder with a Dockerfile, as git knows it. `revision`: the commit; `dirty`: there is more than it holds."""

    folder: Path
    version: str
    revision: str
    dirty: bool


@dataclass(frozen=True)
class Image:
    """What was built. `image`: what `deploy` wants, by digest; empty when it was not pushed. `reference`: its name with its tag."""

    image: str
    reference: str
    version: str
    revision: str
    dirty: bool
    tool: str


def find_source(folder: Path, version: str = "") -> Source:
    """The folder as it is; `version`, else the branch that is checked out.

    Raises:
        NotFound: it has no Dockerfile.
        Refused: no branch is checked out, and no version was given.
        BadKey: the branch's name cannot be a version.
    """
    folder = folder.resolve()
    if not (folder / "Dockerfile").is_file():
        raise NotFound(f"{folder} has no Dockerfile; three lines are one: FROM wavedeck, COPY your flows, ENV WAVEDECK_FLOWS")
    revision = _git(folder, "rev-parse", "HEAD")
    branch = _git(folder, "symbolic-ref", "--short", "HEAD")
    if not (version or branch):
        raise Refused(f"{folder}: no branch is checked out, so give the version: --version NAME")
    dirty = bool(_git(folder, "status", "--porcelain", "--", "."))
    return Source(folder, check_version(version or branch), revision or "unknown", dirty)


def find_tool(name: str = "") -> str:
    """The tool that builds: `name`, else the first that is there.

    Raises:
        NotFound: it is not installed; the text says what to do.
    """
    for tool in [name] if name else TOOLS:
        if shutil.which(tool):
            return tool
    if name:
        raise NotFound(f"{name} is not on the PATH: install it, or leave --tool out to take any of {', '.join(TOOLS)}")
    raise NotFound(
        "neither docker nor podman nor buildah is on the PATH: install one of them "
        "(docs.docker.com/get-docker; Debian and Ubuntu: apt-get install buildah), or build where there is one, such as CI"
    )


def build(
    source: Source,
    repository: str,
    *,
    tool: str,
    platform: str = PLATFORMS[0],
    arguments: Sequence[str] = (),
    push: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Image:
    """Builds the image and, with `push`, pushes it. The tool's own output goes to stderr.

    Each build has a tag of its own (version, commit, time): a repository may refuse to have a tag changed, and what is deployed is
    named by digest anyway.

    Parameters:
        arguments: `NAME=VALUE` of the Dockerfile's ARGs.
        say: told each command before it is run.

    Raises:
        Refused: `repository` is none.
        FleetError: the tool fails; the text says which step, and what may help.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise Refused(f"{quoted(repository)} names no repository: it is REGISTRY/NAME, without tag or digest")
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime())
    mark = "-dirty" if source.dirty else ""
    reference = f"{repository}:{slug(source.version)}-{source.revision[:12]}{mark}-{stamp}"
    given = {"VERSION": source.version, "GIT_SHA": source.revision + mark, "IMAGE": reference}
    labels = {"version": source.version, "revision": source.revision + mark, "ref.name": reference}
    command = [tool, "build", "--platform", platform, "--tag", reference]
    if tool != "docker":
        command += ["--format", "docker"]  # theirs has no HEALTHCHECK
    command += [word for name, value in given.items() for word in ("--build-arg", f"{name}={value}")]
    command += [word for argument in arguments for word in ("--build-arg", argument)]
    command += [word for name, value in labels.items() for word in ("--label", f"org.opencontainers.image.{name}={value}")]
    _run([*command, str(source.folder)], say, "the image was not built")
    digest = _push(tool, repository, reference, say) if push else ""
    image = f"{repository}@{digest}" if digest else ""
    return Image(image, reference, source.version, source.revision, source.dirty, tool)


def _push(tool: str, repository: str, reference: str, say: Callable[[str], None]) -> str:
    host = repository.partition("/")[0]
    advice = f"it was not pushed; if you are not logged in: {tool} login {host}"
    if found := _ECR.fullmatch(host):
        advice = (
            f"it was not pushed; if you are not logged in: aws ecr get-login-password --region {found[1]} | "
            f"{tool} login --username AWS --password-stdin {host}"
        )
    if tool == "docker":
        _run([tool, "push", reference], say, advice)
        return _digest_of(tool, repository, reference)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "digest"
        _run([tool, "push", "--digestfile", str(file), reference], say, advice)
        return _checked(file.read_text() if file.exists() else "", tool, reference)


def _digest_of(tool: str, repository: str, reference: str) -> str:
    """What docker calls an image that it has pushed to this repository."""
    done = subprocess.run(
        [tool, "image", "inspect", "--format", "{{json .RepoDigests}}", reference], capture_output=True, text=True, check=False
    )
    try:
        names = json.loads(done.stdout)
    except ValueError:
        names = []
    own = [name for name in names or () if isinstance(name, str) and name.startswith(f"{repository}@")]
    return _checked(own[-1].partition("@")[2] if own else "", tool, reference)


def _checked(digest: str, tool: str, reference: str) -> str:
    digest = digest.strip()
    if not _DIGEST.fullmatch(digest):
        raise FleetError(f"{reference} was pushed, but {tool} does not tell its digest; the registry does")
    return digest


def _run(command: Sequence[str], say: Callable[[str], None], otherwise: str) -> None:
    say(" ".join(command))
    try:
        environment = {ATTESTATIONS: "1", **os.environ}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno(), env=environment, check=False)
    except OSError as e:
        raise FleetError(f"{command[0]} cannot be run ({e.strerror}): {otherwise}") from None
    if done.returncode:
        raise FleetError(f"{' '.join(command[:2])} failed with exit status {done.returncode}: {otherwise}")


def _git(folder: Path, *words: str) -> str:
    """What git says; empty where there is none, or nothing that it could say."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
