"""FakeEcs is as strict as AWS, and its tasks live and die as AWS' do: what the tests on it stand on."""

import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from ecs_rig import ACCOUNT, IMAGE, a_house, ecs
from fake_ecs.server import FakeEcs
from fake_ecs.task import Task
from servers import eventually, is_running

from engine.fleet.ecs import wanted
from engine.fleet.ecs.house import EcsFleet
from engine.fleet.ecs.names import names
from engine.fleet.house import Spec

__all__ = ["ecs"]

STUBBORN = "#!/bin/sh\ntrap 'echo no' TERM\necho ready\nwhile :; do sleep 0.02; done\n"
OBEDIENT = "#!/bin/sh\ntrap 'exit 0' TERM\necho ready\nwhile :; do sleep 0.02; done\n"


def a_fleet(ecs: FakeEcs, folder: Path, program: str) -> EcsFleet:
    """One worker that is this program."""
    (folder / "wavedeck").write_text(program)
    (folder / "wavedeck").chmod(0o755)
    image = ecs.push("registry/stand-in", folder, PATH=f"{folder}:/usr/bin:/bin")
    fleet = a_house().fleet("main")
    fleet.deploy(Spec(image))
    fleet.scale(1)
    return fleet


def ready(ecs: FakeEcs) -> Task:
    [task] = eventually(lambda: [t for t in ecs.tasks() if not t.is_leaving and "ready" in t.log.read_text()], 10)
    return task


DEFINITION = wanted.worker_definition(names("main"), ACCOUNT, Spec(IMAGE), "eu-central-1")
CONTAINER = DEFINITION["containerDefinitions"][0]


@pytest.mark.parametrize(
    ("operation", "request_", "why"),
    [
        ("create_cluster", {"clusterName": "feature/x"}, "letters, numbers, hyphens"),
        ("create_cluster", {"clusterName": "x", "tags": [{"key": "v", "value": "#12"}]}, "a tag's value"),
        ("register_task_definition", {**DEFINITION, "memory": "1000"}, "No Fargate configuration"),
        (
            "register_task_definition",
            {**DEFINITION, "containerDefinitions": [{**CONTAINER, "stopTimeout": 500}]},
            "between 0 and 120",
        ),
        ("run_task", {"taskDefinition": "x", "count": 50}, "between 1 and 10"),
        ("describe_services", {"cluster": "none", "services": ["x"]}, "Cluster not found"),
    ],
)
def test_it_refuses_what_aws_refuses(ecs: FakeEcs, operation: str, request_: dict[str, Any], why: str) -> None:
    with pytest.raises(ClientError, match=why):
        getattr(boto3.client("ecs", "eu-central-1"), operation)(**request_)


def test_it_refuses_what_the_model_of_the_service_does_not_have(ecs: FakeEcs) -> None:
    body = json.dumps({"cluster": "x", "colour": "red"}).encode()
    headers = {"X-Amz-Target": "AmazonEC2ContainerServiceV20141113.ListTasks"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(ecs.url, body, headers), timeout=5)  # noqa: S310
    assert 'Unknown parameter in input: "colour"' in json.loads(refused.value.read())["message"]


def test_a_task_that_does_not_listen_is_killed_after_its_stop_timeout(ecs: FakeEcs, tmp_path: Path) -> None:
    # Given one that has 120 s to end, which are 2.4 here
    fleet = a_fleet(ecs, tmp_path, STUBBORN)
    task = ready(ecs)

    # When it is told to
    fleet.stop(task.id, "enough")
    eventually(lambda: task.stopped is not None, 20)

    # Then it had that time, and was killed
    assert task.stopping is not None
    assert task.stopped is not None
    assert task.stopped - task.stopping >= 2.3
    assert task.exit_code == 128 + signal.SIGKILL
    assert task.process is not None
    assert not is_running(task.process.pid)


@pytest.mark.parametrize("how", [FakeEcs.interrupt, FakeEcs.lose])
def test_a_service_replaces_what_spot_takes(ecs: FakeEcs, tmp_path: Path, how: Callable[[FakeEcs, Task], None]) -> None:
    a_fleet(ecs, tmp_path, OBEDIENT)
    first = ready(ecs)

    how(ecs, first)

    eventually(lambda: first.stopped is not None)
    assert first.exit_code == (0 if how is FakeEcs.interrupt else 137)
    assert first.describe()["stopCode"] == "SpotInterruption"
    assert ready(ecs).id != first.id


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, method="GET" if body is None else "PUT")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as e:
        return e.code, json.loads(e.read())


def test_a_task_finds_its_metadata_and_its_protection(ecs: FakeEcs, tmp_path: Path) -> None:
    # Given a worker and an init
    fleet = a_fleet(ecs, tmp_path, OBEDIENT + "env | grep ECS_\n")
    task = ready(ecs)
    fleet.run_init(["shop"], token="t")  # noqa: S106
    [init] = [one for one in ecs.tasks() if not one.service]
    agent, metadata = f"{ecs.url}/agent/{task.id}/task-protection/v1/state", f"{ecs.url}/v4/{task.id}"

    # Then the worker is told who it is, and may be protected
    assert ask(f"{metadata}/task")[1]["TaskARN"] == task.arn
    assert ask(metadata)[1]["ImageID"] == task.container["image"].partition("@")[2]
    assert ask(agent) == (200, {"protection": {"ProtectionEnabled": False, "TaskArn": task.arn}})
    assert ask(agent, {"ProtectionEnabled": True, "ExpiresInMinutes": 5})[1]["protection"]["ProtectionEnabled"]
    assert task.protected_until == pytest.approx(time.time() + 300, abs=30)
    assert fleet.workers()[0].protected

    # And what is no task of a service may not
    status, told = ask(agent.replace(task.id, init.id), {"ProtectionEnabled": True})
    assert (status, told["failure"]["Reason"]) == (400, "TASK_NOT_VALID")


def test_a_schedule_is_kept_fires_and_is_checked(ecs: FakeEcs) -> None:
    a_house().fleet("main").deploy(Spec(IMAGE))
    scheduler, of = boto3.client("scheduler", "eu-central-1"), names("main")
    arn = f"arn:aws:ecs:eu-central-1:123456789012:cluster/{of.cluster}"
    override = {"containerOverrides": [{"name": "init", "command": ["init", "shop", "<aws.scheduler.scheduled-time>"]}]}
    request: dict[str, Any] = {
        "Name": "shop",
        "GroupName": of.cluster,
        "ScheduleExpression": "cron(0 * * * ? *)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": arn,
            "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "Input": json.dumps(override),
            "EcsParameters": {
                "TaskDefinitionArn": f"arn:aws:ecs:eu-central-1:123456789012:task-definition/{of.init_family}",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}},
            },
        },
    }
    with pytest.raises(ClientError, match=r"Schedule group .* does not exist"):
        scheduler.create_schedule(**request)
    scheduler.create_schedule_group(Name=of.cluster)
    with pytest.raises(ClientError, match="Invalid Schedule Expression"):
        scheduler.create_schedule(**{**request, "ScheduleExpression": "cron(banana)"})
    scheduler.create_schedule(**request)
    assert scheduler.get_schedule(Name="shop", GroupName=of.cluster)["ScheduleExpression"] == "cron(0 * * * ? *)"
    assert [s["Name"] for s in scheduler.list_schedules(GroupName=of.cluster)["Schedules"]] == ["shop"]

    ecs.plane.start_seconds = 1e9
    ecs.scheduler.fire(of.cluster, "shop", "2026-01-02T03:00:00Z")

    [task] = ecs.tasks()
    assert task.overrides["containerOverrides"][0]["command"][-1] == "2026-01-02T03:00:00Z"
    scheduler.delete_schedule(Name="shop", GroupName=of.cluster)
    assert scheduler.list_schedules()["Schedules"] == []
