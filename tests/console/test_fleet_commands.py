"""`wavedeck deploy`, `undeploy` and `fleet`, each a process of its own: against moto's server, and with local workers."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from servers import eventually, is_running

from engine.fleet.server import free_port
from engine.fleet.tether import spawn
from engine.store.acts import Act, Acts
from engine.store.workers import Workers

DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry/flows@{DIGEST}"
WAVEDECK = str(Path(sys.executable).with_name("wavedeck"))
FLOW = 'from engine import Flow\n\nflow = Flow("shop", every="1h", state="shops")\n\n@flow.task\ndef sales(entity):\n    return 1\n'


def client(service: str, url: str) -> Any:
    """For what a test needs of an account beside Wavedeck."""
    import boto3

    nobody = {"aws_access_key_id": "nobody", "aws_secret_access_key": "nothing"}
    return boto3.client(service, "eu-central-1", endpoint_url=url, **nobody)


class Desk:
    """Runs `wavedeck` in a folder; `environment` is what it finds."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, {**os.environ, **environment}

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [WAVEDECK, *words],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def prints(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def says(self, *words: str, **environment: str) -> str:
        """The sentence of a call that must fail."""
        done = self.run(*words, **environment)
        assert done.returncode == 1, (done.stdout, done.stderr)
        [line] = done.stderr.splitlines()
        return line

    def json(self, *words: str) -> Any:
        return json.loads(self.prints(*words))


@pytest.fixture(scope="module")
def moto_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of moto on loopback."""
    port, log = free_port(), tmp_path_factory.mktemp("moto") / "log"
    process = spawn([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log=log)
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=1) as page:  # noqa: S310
                return bool(page.status == 200)
        except OSError:
            assert process.poll() is None, log.read_text()
            return False

    eventually(answers, 60, what="moto answers")
    yield url
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def desk(moto_url: str, home: Path, redis_url: str, tmp_path: Path) -> Desk:
    """A desk with an account at moto, described in `wavedeck.toml`."""
    environment = {
        "AWS_ENDPOINT_URL": moto_url,
        "AWS_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "WAVEDECK_REDIS_URL": redis_url,
        "WAVEDECK_HOME": str(home),
    }
    with urllib.request.urlopen(urllib.request.Request(f"{moto_url}/moto-api/reset", method="POST"), timeout=5):  # noqa: S310
        pass
    ec2 = client("ec2", moto_url)
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    groups = [group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]]
    (tmp_path / "wavedeck.toml").write_text(
        f"""
[aws]
subnets = {json.dumps(subnets)}
security_groups = {json.dumps(groups)}
execution_role = "arn:aws:iam::123456789012:role/execution"
task_role = "arn:aws:iam::123456789012:role/task"
redis_url = "redis://10.0.0.1:6379/0"
memory = 2048
"""
    )
    return Desk(tmp_path, environment)


def acts(redis: Redis) -> list[Act]:
    return Acts(redis).recent()


def test_deploy_says_what_it_would_do_does_it_and_then_has_nothing_to_do(desk: Desk, redis: Redis) -> None:
    # When a version is planned, deployed, and deployed again
    plan = desk.prints("deploy", "--version", "feature/x", "--image", IMAGE, "--dry-run")
    done = desk.prints("deploy", "--version", "feature/x", "--image", IMAGE)
    again = desk.prints("deploy", "--version", "feature/x", "--image", IMAGE)

    # Then the plan was a diff, and the last call changed nothing and says so
    assert "+ cluster wavedeck-feature-x-217d2bf5" in plan
    assert f"    containerDefinitions[worker].image: {IMAGE}" in plan
    assert plan.endswith("feature/x: this would be done: 6 made\n")
    assert done.endswith("feature/x: 6 made\n")
    assert again.endswith("feature/x: nothing to do; 6 as they are\n")

    # And the fleet is there, with the memory that wavedeck.toml asks for, and it can be scaled
    [service] = desk.json("fleet", "--json")
    assert (service["version"], service["house"], service["desired"], service["state"]) == ("feature/x", "ecs", 0, "steady")
    assert (service["image"], service["cpu"], service["memory"], service["workers"]) == (IMAGE, 1.0, 2 << 30, [])
    assert (service["backlog"]["outstanding"], service["wave_costs"], service["hourly"]) == (0, [], None)
    assert desk.json("fleet", "scale", "3", "--version", "feature/x", "--json")["workers"] == 3
    told = [(act.verb, act.version, act.origin, act.detail) for act in acts(redis)]
    assert told == [("scale", "feature/x", "command", "3 workers"), ("deploy", "feature/x", "command", IMAGE)]


def test_a_fleet_is_shown_altered_and_taken_away(desk: Desk, redis: Redis) -> None:
    # Given a version that is deployed
    desk.prints("deploy", "--version", "feature/x", "--image", IMAGE)

    # Then it is shown, scaled within its bounds, altered and taken away
    assert "will have 100 workers (1000 is outside its bounds)" in desk.prints(
        "fleet", "scale", "1000", "--version", "feature/x"
    )
    assert "aaaaaaaaaaaa" in desk.prints("fleet")
    altered = desk.json("deploy", "--version", "feature/x", "--image", IMAGE, "--most", "7", "--json")
    assert [change["sign"] for change in altered["changes"]] == ["=", "=", "=", "=", "=", "~"]
    removed = desk.json("undeploy", "--version", "feature/x", "--json")
    assert [change["sign"] for change in removed["changes"]] == ["-", "-", "-", "-", "-", "!"]
    assert desk.json("fleet", "--json") == []
    assert [act.verb for act in acts(redis)] == ["undeploy", "deploy", "scale", "deploy"]


def test_what_cannot_be_deployed_is_said_in_a_sentence(desk: Desk, redis: Redis) -> None:
    deploy = ("deploy", "--image", IMAGE)

    assert "give it as flows@sha256:…" in desk.says("deploy", "--image", "flows:v1")
    assert "The subnet ID 'subnet-9' does not exist" in desk.says(*deploy, "--subnets", "subnet-9")
    assert "memory is 100 MiB" in desk.says(*deploy, "--memory", "100")
    assert "there is no stack nowhere in eu-central-1" in desk.says(*deploy, "--stack", "nowhere")
    assert "nothing is deployed for other; `wavedeck deploy --version other" in desk.says(
        "fleet", "scale", "1", "--version", "other"
    )
    assert "has no worker 'w1'" in desk.says("fleet", "stop", "w1", "--version", "other")
    (desk.folder / "wavedeck.toml").write_text("[aws]\nsubnet = 1\n")
    assert "nothing is called 'subnet'" in desk.says(*deploy)
    (desk.folder / "wavedeck.toml").write_text("[aws]\nsubnets = 1\n")
    assert "subnets is 1, which is no list of texts" in desk.says(*deploy)
    (desk.folder / "wavedeck.toml").write_text("[aws\n")
    assert "wavedeck.toml: " in desk.says(*deploy)
    assert acts(redis) == []


def test_read_only_refuses_every_act_and_shows_the_rest(desk: Desk) -> None:
    for words in (["deploy", "--image", IMAGE], ["undeploy"], ["fleet", "scale", "1"], ["fleet", "stop", "x"]):
        assert "read-only: " in desk.says("--read-only", *words)
    assert "6 made" in desk.prints("--read-only", "deploy", "--image", IMAGE, "--dry-run")
    assert desk.prints("--read-only", "fleet", "--json") == "[]\n"


def test_what_was_done_where_redis_cannot_be_reached_is_done_and_said(desk: Desk) -> None:
    done = desk.run("deploy", "--image", IMAGE, WAVEDECK_REDIS_URL="redis://127.0.0.1:1")

    assert done.returncode == 0
    assert "main: 6 made" in done.stdout
    assert "this is not in the log of acts" in done.stderr

    # And what is deployed is shown, without what Redis alone knows
    shown = desk.run("fleet", "--json", WAVEDECK_REDIS_URL="redis://127.0.0.1:1")
    assert "no backlog and no costs, for Redis cannot be reached" in shown.stderr
    [service] = json.loads(shown.stdout)
    assert (service["state"], service["backlog"], service["wave_costs"]) == ("steady", None, None)


def test_a_stack_says_what_the_settings_do_not(desk: Desk) -> None:
    # Given a stack with outputs and a table that names little more than it
    settings = (desk.folder / "wavedeck.toml").read_text().splitlines()
    kept = [line for line in settings if not line.startswith(("execution_role", "task_role"))]
    (desk.folder / "wavedeck.toml").write_text("\n".join([*kept, 'stack = "wavedeck"']))
    outputs = {"ExecutionRoleArn": "arn:aws:iam::123456789012:role/e", "TaskRoleArn": "arn:aws:iam::123456789012:role/t"}
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    client("cloudformation", desk.environment["AWS_ENDPOINT_URL"]).create_stack(
        StackName="wavedeck", TemplateBody=json.dumps(template)
    )

    # Then a deploy takes them from there
    plan = desk.prints("deploy", "--image", IMAGE, "--dry-run")
    assert "executionRoleArn: arn:aws:iam::123456789012:role/e" in plan


def test_local_workers_live_in_the_command_that_scales_them(redis: Redis, redis_url: str, home: Path, tmp_path: Path) -> None:
    # Given a command that keeps two workers
    (tmp_path / "shop.py").write_text(FLOW)
    desk = Desk(tmp_path, {"WAVEDECK_REDIS_URL": redis_url, "WAVEDECK_HOME": str(home), "WAVEDECK_FLOWS": "shop"})
    command = subprocess.Popen(
        [WAVEDECK, "fleet", "scale", "2", "--slots", "1"], cwd=tmp_path, env=desk.environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert command.stdout is not None
        assert command.stdout.readline() == "main will have 2 workers; ctrl-c ends them\n"
        eventually(lambda: len(Workers(redis).alive("main")) == 2, 30)

        # When another one looks, scales, stops and reads
        [service] = desk.json("fleet", "--json")
        pids = [worker["pid"] for worker in service["workers"]]
        assert (service["house"], service["running"], service["state"]) == ("local", 2, "steady")
        assert desk.prints("fleet", "scale", "1") == "main will have 1 worker\n"
        eventually(lambda: len(Workers(redis).alive("main")) == 1, 30)
        assert any("worker" in line for line in desk.prints("fleet", "logs", "--worker", "1").splitlines())
        assert desk.prints("fleet", "stop", "1", "--reason", "odd") == "worker 1 of main ends\n"
        eventually(lambda: desk.json("fleet", "--stopped", "--json")[0]["workers"][0]["reason"] == "odd", 30)
        assert [act.verb for act in acts(redis)] == ["stop", "scale", "scale"]
    finally:
        command.terminate()
        command.wait(30)

    # Then they end with the first
    eventually(lambda: not any(map(is_running, pids)), 30)
    assert desk.json("fleet", "--json") == []
