"""What must exist on AWS first: the template is sound, its users are those of `wavedeck acl`, and its policies hold every call and
no more."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from servers import RedisServer

from engine.store.acl import COMMANDS

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "deploy" / "stack.yaml"
USERS = {"FleetUser": ("worker", "console"), "ConsoleUser": ("console",), "ReaderUser": ("reader",)}
CALL = re.compile(r"\.(?:call|find|pages)\(\s*\"([a-z-]+)\", \"([a-z_]+)\"")


@pytest.fixture(scope="module")
def stack() -> dict[str, Any]:
    """The template as cfn-lint reads it: functions as `{"Fn::Sub": …}`."""
    from cfnlint.decode import decode

    read, problems = decode(str(TEMPLATE))
    assert not problems
    assert read is not None
    found: dict[str, Any] = json.loads(json.dumps(read))
    return found


def of_type(stack: dict[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: r["Properties"] for name, r in stack["Resources"].items() if r["Type"] == kind}


def statements(stack: dict[str, Any], name: str) -> list[dict[str, Any]]:
    properties = stack["Resources"][name]["Properties"]
    documents = [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
    documents += [policy["PolicyDocument"] for policy in properties.get("Policies", ())]
    return [statement for document in documents for statement in document["Statement"]]


def actions(stack: dict[str, Any], *names: str) -> set[str]:
    return {action for name in names for statement in statements(stack, name) for action in statement["Action"]}


def every_statement(stack: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in stack["Resources"].items():
        if resource["Type"] in ("AWS::IAM::Role", "AWS::IAM::ManagedPolicy"):
            for statement in statements(stack, name):
                yield name, statement


def test_cfn_lint_has_nothing_to_say() -> None:
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--include-checks", "I", "--", str(TEMPLATE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


@pytest.mark.parametrize("name", USERS)
def test_a_user_may_do_what_wavedeck_acl_says_and_no_more(stack: dict[str, Any], name: str) -> None:
    words = of_type(stack, "AWS::ElastiCache::User")[name]["AccessString"].split()
    wanted = set(" ".join(COMMANDS[kind] for kind in USERS[name]).split())
    has = {word[1:] for word in words if word.startswith("+")}
    assert has == wanted, f"deploy/stack.yaml, {name}: missing {sorted(wanted - has)}, too much {sorted(has - wanted)}"
    assert [w for w in words if not w.startswith(("+", "~", "%"))] == ["on", "resetchannels", "-@all"]


@pytest.mark.parametrize("name", USERS)
def test_redis_takes_a_user_s_rules_and_holds_to_them(stack: dict[str, Any], name: str) -> None:
    words = of_type(stack, "AWS::ElastiCache::User")[name]["AccessString"].split()
    with RedisServer() as server, server.client() as admin:
        assert admin.execute_command("ACL", "SETUSER", name, *words) in (True, b"OK")

        def may(*command: str) -> bool:
            return bool(admin.execute_command("ACL", "DRYRUN", name, *command) == b"OK")

        pipe, board = "main/sales shop-1 2026-01-02T03", "wd:{main#w0123456789ab}:board"
        assert may("GET", pipe)
        assert may("GETRANGE", board, "0", "1")
        assert may("SET", pipe, "1") is (name == "FleetUser")
        assert may("SET", board, "1") is (name != "ReaderUser")
        assert not may("GET", "somebody's")
        assert not may("FLUSHALL")
        assert not may("CONFIG", "GET", "*")


def test_whoever_has_no_name_may_nothing(stack: dict[str, Any], redis: Redis) -> None:
    del redis
    users = of_type(stack, "AWS::ElastiCache::User")
    [nobody] = [user for user in users.values() if user["UserName"] == "default"]
    assert nobody["AccessString"] == "off -@all"
    assert all(user["AuthenticationMode"]["Type"] == "password" for user in users.values())
    [group] = of_type(stack, "AWS::ElastiCache::ReplicationGroup").values()
    assert group["TransitEncryptionMode"] == "required"
    assert group["UserGroupIds"] == [{"Ref": "RedisUsers"}]


def test_redis_deletes_nothing_by_itself(stack: dict[str, Any]) -> None:
    [group] = of_type(stack, "AWS::ElastiCache::ParameterGroup").values()
    assert group["Properties"] == {"maxmemory-policy": "noeviction"}


def test_no_statement_has_wildcards_where_iam_knows_a_resource(stack: dict[str, Any]) -> None:
    without = {
        "ecr:GetAuthorizationToken", "ecs:CreateCluster", "ecs:RegisterTaskDefinition", "ecs:DeregisterTaskDefinition",
        "ecs:ListTaskDefinitions", "ecs:DescribeTaskDefinition", "ecs:ListClusters", "ecs:ListTasks",
        "application-autoscaling:RegisterScalableTarget", "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:DescribeScalableTargets", "logs:DescribeLogGroups", "scheduler:GetScheduleGroup",
    }  # fmt: skip
    for name, statement in every_statement(stack):
        assert all("*" not in action for action in statement["Action"]), name
        if statement["Resource"] == "*":
            assert set(statement["Action"]) <= without, name


def test_roles_are_passed_to_one_service_and_assumed_for_this_account(stack: dict[str, Any]) -> None:
    for name, statement in every_statement(stack):
        if "iam:PassRole" in statement["Action"]:
            assert statement["Action"] == ["iam:PassRole"], name
            service = statement["Condition"]["StringEquals"]["iam:PassedToService"]
            assert service in ("ecs-tasks.amazonaws.com", "scheduler.amazonaws.com"), name
    for name, role in of_type(stack, "AWS::IAM::Role").items():
        for statement in role["AssumeRolePolicyDocument"]["Statement"]:
            assert statement["Condition"]["StringEquals"]["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}, name


def test_every_action_says_why() -> None:
    bare = [line for line in TEMPLATE.read_text().splitlines() if re.match(r"\s+- [a-z-]+:[A-Z]\w+\s*$", line)]
    assert bare == []


def test_what_is_called_is_allowed(stack: dict[str, Any]) -> None:
    allowed = actions(stack, "OperatorPolicy", "DeployerPolicy")
    calls = {
        f"{service}:{''.join(word.capitalize() for word in operation.split('_'))}"
        for path in (ROOT / "engine" / "fleet").rglob("*.py")
        for service, operation in CALL.findall(path.read_text())
    }
    if (ROOT / "engine" / "fleet" / "ecs").is_dir():
        assert len(calls) > 20
    assert calls - allowed == set()


def test_a_worker_may_do_nothing_to_other_fleets_than_scale_them(stack: dict[str, Any]) -> None:
    assert actions(stack, "TaskRole") == {
        "ecs:UpdateTaskProtection", "ecs:GetTaskProtection", "ecs:DescribeServices", "ecs:UpdateService",
        "ecs:DescribeTaskDefinition", "application-autoscaling:DescribeScalableTargets",
    }  # fmt: skip
    assert actions(stack, "SchedulerRole") == {"ecs:RunTask", "ecs:TagResource", "iam:PassRole"}


def test_deploy_finds_what_it_needs_among_the_outputs(stack: dict[str, Any]) -> None:
    wanted = {"SubnetIds", "WorkerSecurityGroupId", "ExecutionRoleArn", "TaskRoleArn", "SchedulerRoleArn", "RedisUrlSecretArn"}
    try:
        from engine.fleet.ecs.settings import OUTPUTS
    except ModuleNotFoundError:
        pass
    else:
        wanted |= set(OUTPUTS)
    assert wanted <= set(stack["Outputs"])


def test_no_secret_is_told_by_an_output(stack: dict[str, Any]) -> None:
    for name, output in stack["Outputs"].items():
        assert "resolve:" not in json.dumps(output["Value"]), name
