"""What the Dockerfile promises, as far as it can be read: building and running it needs an engine."""

import fnmatch
import json
import re
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from console.commands.run import worker
from worker import health

ROOT = Path(__file__).parents[2]


@dataclass
class Stage:
    """A stage: what it begins from, its name, and its instructions in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        """The arguments of every instruction of a kind."""
        return [rest for kind, rest in self.steps if kind == word]

    def one(self, word: str) -> str:
        [rest] = self.all(word)
        return rest

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for rest in self.all("ENV") for pair in shlex.split(rest))

    @property
    def labels(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for rest in self.all("LABEL") for pair in shlex.split(rest))


def read(text: str) -> tuple[list[tuple[str, str]], list[Stage]]:
    """What stands before the first stage, and the stages."""
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    before: list[tuple[str, str]] = []
    stages: list[Stage] = []
    for line in filter(str.strip, joined.splitlines()):
        kind, _, rest = line.strip().partition(" ")
        rest = " ".join(rest.split())
        if kind == "FROM":
            base, _, name = rest.partition(" AS ")
            stages.append(Stage(base, name))
        else:
            (stages[-1].steps if stages else before).append((kind, rest))
    return before, stages


@pytest.fixture(scope="module")
def text() -> str:
    return (ROOT / "Dockerfile").read_text()


@pytest.fixture(scope="module")
def stages(text: str) -> list[Stage]:
    return read(text)[1]


@pytest.fixture(scope="module")
def final(stages: list[Stage]) -> Stage:
    return stages[-1]


def test_what_builds_is_left_behind(stages: list[Stage], final: Stage) -> None:
    assert len(stages) >= 2
    assert all(re.fullmatch(r"python:\$\{PYTHON\}-slim", stage.base) for stage in stages)
    assert final.all("COPY") == ["--from=build /opt/venv /opt/venv"]
    assert not final.all("ADD")
    for command in final.all("RUN"):
        assert not re.search(r"\b(apt-get|apk|gcc|make|git|pip|curl|wget)\b", command)


def test_it_runs_as_a_user_that_is_a_number_and_not_root(final: Stage) -> None:
    user = final.one("USER")
    uid, _, gid = user.partition(":")
    assert int(uid) >= 1000
    assert int(gid) >= 1000
    kinds = [kind for kind, _ in final.steps]
    assert kinds.index("USER") > max(i for i, kind in enumerate(kinds) if kind in ("COPY", "RUN")), "nothing it runs is its own"


def test_the_worker_is_process_1(final: Stage) -> None:
    # No shell stands between: both are lists, and `wavedeck worker` becomes the worker by exec.
    assert json.loads(final.one("ENTRYPOINT")) == ["wavedeck"]
    assert json.loads(final.one("CMD")) == [worker.name]
    assert final.one("STOPSIGNAL") == "SIGTERM"


def test_its_health_asks_nobody_and_cannot_take_long(final: Stage) -> None:
    options, _, command = final.one("HEALTHCHECK").partition("CMD ")
    assert json.loads(command) == ["python", "-P", "-m", health.__name__]
    told = dict(re.findall(r"--([a-z-]+)=(\d+)", options))
    assert int(told["timeout"]) < int(told["interval"]) <= health.PATIENCE
    source = (ROOT / "worker" / "health.py").read_text()
    assert set(re.findall(r"^(?:import|from) (\S+)", source, re.MULTILINE)) == {"os", "sys", "time", "contextlib"}


def test_nothing_is_written_but_below_tmp(final: Stage) -> None:
    assert json.loads(final.one("VOLUME")) == ["/tmp"]  # what a platform mounts there is then as open as /tmp is
    environment = final.environment
    for name in ("HOME", "WAVEDECK_HOME", health.ENVIRONMENT):
        assert Path(environment[name]).is_relative_to("/tmp")
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_it_says_what_it_is_and_speaks_json(final: Stage) -> None:
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in final.labels.items()}
    assert (labels["version"], labels["revision"], labels["ref.name"]) == ("${VERSION}", "${GIT_SHA}", "${IMAGE}")
    assert (final.environment["WAVEDECK_IMAGE"], final.environment["WAVEDECK_VERSION"]) == ("${IMAGE}", "${VERSION}")
    assert final.environment["WAVEDECK_LOG_FORMAT"] == "json"
    license_ = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license"]
    assert labels["licenses"] == license_


def test_nothing_secret_has_a_place_in_it(text: str) -> None:
    before, stages = read(text)
    for kind, rest in [*before, *(step for stage in stages for step in stage.steps)]:
        if kind in ("ARG", "ENV", "LABEL"):
            assert not re.search(r"password|passwd|secret|token|credential|_key|redis_url", rest, re.IGNORECASE), rest
        assert "://" not in rest


def test_only_what_it_copies_is_sent_to_the_engine(stages: list[Stage]) -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    copied = {name for stage in stages for rest in stage.all("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert lines[0] == "*", "all is left out but what is named"
    assert {line[1:] for line in lines if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)
    left_out = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    for name in (".env", ".env.local", "key.pem", "id.key", "x.pyc", "__pycache__"):
        assert any(fnmatch.fnmatch(name, pattern) for pattern in left_out), name


def test_every_package_is_in_it_and_every_extra_exists(stages: list[Stage]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = {name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    copied = {name for rest in stages[0].all("COPY") for name in rest.split()[:-1]}
    assert packages <= copied
    [extras] = [rest.partition("=")[2].split(",") for rest in stages[0].all("ARG") if rest.startswith("EXTRAS=")]
    assert set(extras) <= set(project["project"]["optional-dependencies"])


def test_three_lines_are_an_image_with_ones_own_flows(text: str) -> None:
    """As the head of the file and docs/deploy.md say."""
    example = re.search(r"^#     FROM wavedeck\n#     COPY (\S+) /app/\n#     ENV WAVEDECK_FLOWS=(\S+)$", text, re.MULTILINE)
    assert example is not None
    assert example[1] == f"{example[2]}.py"
    told = "\n".join(line[6:] for line in example[0].splitlines())
    assert told in (ROOT / "docs" / "deploy.md").read_text()
