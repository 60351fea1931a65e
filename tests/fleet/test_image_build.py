"""`wavedeck build` against tools that record what they are asked: what is built, pushed, and printed."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from console.cli import cli
from engine.fleet.image import TOOLS

REPOSITORY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/wavedeck"
DIGEST = "sha256:" + "0123456789abcdef" * 4
TOOL = """#!/bin/sh
{
  printf '%s' "${0##*/}"
  printf '\\tattestations=%s' "$BUILDX_NO_DEFAULT_ATTESTATIONS"
  for word in "$@"; do printf '\\t%s' "$word"; done
  echo
} >> "$RECORD"
[ "$1" = image ] || echo "noise on stdout"
case "$1 $2" in
  "$FAILS"*) [ -n "$FAILS" ] && exit 7 ;;
esac
case "$1 $2" in
  "image inspect") echo "[\\"elsewhere/wavedeck@sha256:00\\",\\"$REPO@$DIGEST\\"]" ;;
  "push --digestfile") printf '%s' "$DIGEST" > "$3" ;;
esac
exit 0
"""
Build = Callable[..., Result]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A branch `feature/x` with a Dockerfile, committed."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM wavedeck\n")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q", "-b", "feature/x"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return folder


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts tools on the PATH, beside git and nothing else."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("git", "sh", "env"):
        found = next(p for p in map(Path, (f"/usr/bin/{name}", f"/bin/{name}")) if p.exists())
        (bin_ / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(bin_))
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("REPO", REPOSITORY)
    monkeypatch.setenv("DIGEST", DIGEST)
    monkeypatch.setenv("FAILS", "nothing")

    def put(*names: str, **environment: str) -> None:
        for name in names:
            (bin_ / name).write_text(TOOL)
            (bin_ / name).chmod(0o755)
        for key, value in environment.items():
            monkeypatch.setenv(key, value)

    return put


def build(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["build", str(folder), "--repository", REPOSITORY, *words])


def main(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """As a shell runs it, for what is said when it fails, and where."""
    import sys

    code = "import sys; from console.cli import main; main()"
    command = [sys.executable, "-c", code, "build", str(folder), "--repository", REPOSITORY, *words]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )


def recorded() -> list[list[str]]:
    path = Path(os.environ["RECORD"])
    if not path.exists():
        return []
    words = [line.split("\t") for line in path.read_text().splitlines()]
    assert all(said[1] == "attestations=1" for said in words if said[2] in ("build", "push"))
    return [[tool, *rest] for tool, _, *rest in words]


def test_a_branch_is_built_pushed_and_named_by_digest(checkout: Path, tools: Callable[..., None]) -> None:
    # Given a committed branch, and docker
    tools("docker")
    sha = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True).stdout.strip()

    # When it is built
    done = main(checkout, "--build-arg", "EXTRAS=aws")

    # Then stdout is what deploy wants and nothing else
    assert (done.returncode, done.stdout) == (0, f"{REPOSITORY}@{DIGEST}\n"), done.stderr
    assert f"wavedeck deploy --version feature/x --image {REPOSITORY}@{DIGEST}" in done.stderr
    built, pushed, inspected = recorded()
    assert built[:4] == ["docker", "build", "--platform", "linux/amd64"]
    reference = built[built.index("--tag") + 1]
    repository, _, tag = reference.rpartition(":")
    assert repository == REPOSITORY
    assert tag.startswith("feature-x-")
    assert f"-{sha[:12]}-20" in tag
    for word in ("VERSION=feature/x", f"GIT_SHA={sha}", f"IMAGE={reference}", "EXTRAS=aws"):
        assert built[built.index(word) - 1] == "--build-arg"
    for word in ("version=feature/x", f"revision={sha}", f"ref.name={reference}"):
        assert built[built.index(f"org.opencontainers.image.{word}") - 1] == "--label"
    assert built[-1] == str(checkout)
    assert pushed == ["docker", "push", reference]
    assert inspected[-1] == reference


@pytest.mark.parametrize("tool", ["podman", "buildah"])
def test_without_docker_another_tool_does_it_in_a_format_that_has_health_checks(
    checkout: Path, tools: Callable[..., None], tool: str
) -> None:
    tools(tool)
    done = main(checkout, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["image"] == f"{REPOSITORY}@{DIGEST}"
    assert (told["tool"], told["version"], told["dirty"]) == (tool, "feature/x", False)
    built, pushed = recorded()
    assert built[built.index("--format") + 1] == "docker"
    assert pushed[:3] == [tool, "push", "--digestfile"]
    assert pushed[-1] == told["reference"]


def test_docker_goes_before_the_others_and_another_can_be_asked_for(checkout: Path, tools: Callable[..., None]) -> None:
    tools(*TOOLS)
    assert main(checkout, "--no-push").returncode == 0
    assert main(checkout, "--no-push", "--tool", "buildah").returncode == 0
    assert [words[0] for words in recorded()] == ["docker", "buildah"]


def test_without_a_tool_it_says_what_to_install(checkout: Path, tools: Callable[..., None]) -> None:
    del tools
    done = main(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "neither docker nor podman nor buildah is on the PATH: install one of them" in done.stderr
    assert "podman is not on the PATH" in main(checkout, "--tool", "podman").stderr


def test_changes_that_are_not_committed_are_said_in_tag_and_labels(checkout: Path, tools: Callable[..., None]) -> None:
    tools("docker")
    (checkout / "Dockerfile").write_text("FROM other\n")
    done = main(checkout, "--no-push")
    assert "holds changes that are not committed" in done.stderr
    [built] = recorded()
    assert "-dirty-" in built[built.index("--tag") + 1]
    assert any(word.startswith("org.opencontainers.image.revision=") and word.endswith("-dirty") for word in built)
    assert done.stdout.strip() == built[built.index("--tag") + 1]


def test_a_push_that_is_refused_says_how_to_log_in(checkout: Path, tools: Callable[..., None]) -> None:
    tools("docker", FAILS="push")
    done = main(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "docker push failed with exit status 7: it was not pushed; if you are not logged in: aws ecr get-login-password "
        "--region eu-central-1 | docker login --username AWS --password-stdin 123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    ) in done.stderr


def test_a_build_that_fails_pushes_nothing(checkout: Path, tools: Callable[..., None]) -> None:
    tools("docker", FAILS="build")
    assert "docker build failed with exit status 7: the image was not built" in main(checkout).stderr
    assert [words[1] for words in recorded()] == ["build"]


def test_a_digest_that_is_none_is_not_printed(checkout: Path, tools: Callable[..., None]) -> None:
    tools("docker", DIGEST="sha256:short")
    done = main(checkout)
    assert (done.returncode, done.stdout) == (1, "")
    assert "was pushed, but docker does not tell its digest" in done.stderr


def test_a_commit_without_a_branch_needs_a_version(checkout: Path, tools: Callable[..., None]) -> None:
    tools("docker")
    subprocess.run(["git", "checkout", "-q", "--detach"], cwd=checkout, check=True)
    assert "no branch is checked out, so give the version" in main(checkout).stderr
    assert main(checkout, "--version", "v1", "--no-push").returncode == 0
    assert "VERSION=v1" in recorded()[0]


def test_what_is_no_repository_or_has_no_dockerfile_is_refused(
    checkout: Path, tools: Callable[..., None], tmp_path: Path
) -> None:
    tools("docker")
    for bad in ("x", "--help/x", f"{REPOSITORY}:tag", f"{REPOSITORY}@{DIGEST}", "UPPER/case"):
        done = CliRunner().invoke(cli, ["build", str(checkout), f"--repository={bad}"])
        assert "names no repository" in str(done.exception)
    assert "has no Dockerfile; three lines are one" in str(build(tmp_path / "bin").exception)
    assert recorded() == []


def test_read_only_pushes_nothing(checkout: Path, tools: Callable[..., None]) -> None:
    tools("docker")
    words = ["--read-only", "build", str(checkout), "--repository", REPOSITORY]
    assert "read-only: a build pushes to a registry" in str(CliRunner().invoke(cli, words).exception)
    assert recorded() == []
