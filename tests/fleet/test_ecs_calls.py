"""What AWS refuses: a throttle is waited for whatever it looks like, everything else is said in a sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
from ecs_rig import IMAGE, Time, a_house, ecs
from fake_ecs.server import FakeEcs
from servers import eventually

from engine.fleet.ecs.calls import Aws
from engine.fleet.ecs.causes import Cause, cause_of, cause_of_failures
from engine.fleet.ecs.endings import ending
from engine.fleet.ecs.house import EcsFleet
from engine.fleet.ecs.names import names
from engine.fleet.house import FleetError, NoCapacity, Spec, Throttled

__all__ = ["ecs"]
VERSION = "main"

THROTTLES = [
    ("ThrottlingException", "Rate exceeded", 400),
    ("Throttling", "Rate exceeded", 400),
    ("ThrottledException", "", 400),
    ("RequestLimitExceeded", "Request limit exceeded.", 503),
    ("TooManyRequestsException", "Too Many Requests", 429),
    ("RequestThrottled", "", 400),
    ("ClientException", "Too many concurrent attempts to create a new revision of the specified family.", 400),
    ("InvalidParameterException", "Error retrieving subnet information: Rate exceeded (ErrorCode: Throttling)", 400),
    ("ServerException", "Service Unavailable. Please try again later.", 500),
    ("InvalidParameterException", "Unable to assume the service linked role. Please verify that it exists.", 400),
]


@pytest.mark.parametrize(("code", "message", "status"), THROTTLES)
def test_a_throttle_in_any_disguise_is_waited_for(ecs: FakeEcs, code: str, message: str, status: int) -> None:
    # Given a call that is refused three times so
    time = Time()
    ecs.fail("DescribeClusters", code, message, times=3, status=status)

    # When it is made
    a_house(time=time).aws.call("ecs", "describe_clusters", clusters=["x"])

    # Then it was asked four times, after waits that double
    assert len(ecs.requests("DescribeClusters")) == 4
    assert time.slept == [0.5, 1.0, 2.0]


def test_a_throttle_without_end_is_given_up_with_advice(ecs: FakeEcs) -> None:
    time = Time()
    ecs.fail("DescribeClusters", "ThrottlingException", "Rate exceeded", times=1000)

    with pytest.raises(Throttled, match=r"asked too often by this account.*try again in a minute.*Rate exceeded"):
        a_house(time=time).aws.call("ecs", "describe_clusters")

    assert 30 < sum(time.slept) <= 60
    assert max(time.slept) <= 15


def test_waits_are_spread_so_that_clients_do_not_come_back_together(ecs: FakeEcs) -> None:
    draws = iter([0.1, 0.9, 0.5])
    time = Time()
    ecs.fail("DescribeClusters", "Throttling", "", times=3)

    Aws(clock=time.clock, sleep=time.sleep, draw=lambda: next(draws)).call("ecs", "describe_clusters")

    assert time.slept == pytest.approx([0.05, 0.9, 1.0])


REFUSED = [
    ("AccessDeniedException", "User: a is not authorized to perform: ecs:CreateCluster on resource: *", "add the action"),
    ("AccessDeniedException", "User: a is not authorized to perform: iam:PassRole on resource: r", "needs iam:PassRole"),
    ("LimitExceededException", "The limit for your resource has been exceeded", "Service Quotas"),
    ("ClientException", "You've reached the limit on the number of vCPUs you can run concurrently", "Service Quotas"),
    ("InvalidParameterException", "The subnet ID 'subnet-9' does not exist (ErrorCode: InvalidSubnetID.NotFound)", "one VPC"),
    (
        "InvalidParameterException",
        "Security group sg-1 does not appear to belong to the same VPC",
        "security_groups must exist",
    ),
    ("ClientException", "ECS was unable to assume the role 'arn:x' that was provided for this task", "ecs-tasks.amazonaws.com"),
    ("ExpiredTokenException", "The security token included in the request is expired", "aws sts get-caller-identity"),
    ("UnrecognizedClientException", "The security token included in the request is invalid.", "sts get-caller-identity"),
    ("ClientException", "Something new", "Something new"),
]


@pytest.mark.parametrize(("code", "message", "advice"), REFUSED)
def test_everything_else_is_said_once_and_not_waited_for(ecs: FakeEcs, code: str, message: str, advice: str) -> None:
    time = Time()
    ecs.fail("CreateCluster", code, message)

    with pytest.raises(FleetError, match=advice) as error:
        a_house(time=time).aws.call("ecs", "create_cluster", clusterName="x")

    assert str(error.value).startswith("ecs create_cluster: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert time.slept == []


def test_a_request_that_aws_could_not_read_is_not_sent(ecs: FakeEcs) -> None:
    with pytest.raises(FleetError, match=r"would not understand this.*clusterNam"):
        a_house().aws.call("ecs", "create_cluster", clusterNam="x")
    assert ecs.asked == []


def test_without_credentials_region_or_boto3_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")

    with pytest.raises(FleetError, match="no AWS region is set"):
        Aws().call("ecs", "list_clusters")
    with pytest.raises(FleetError, match="no AWS credentials: `aws configure`"):
        Aws("eu-central-1").call("ecs", "list_clusters")
    with pytest.raises(FleetError, match="The config profile \\(nobody\\) could not be found"):
        Aws("eu-central-1", "nobody").call("ecs", "list_clusters")
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(FleetError, match="pip install 'wavedeck\\[aws\\]'"):
        Aws("eu-central-1").call("ecs", "list_clusters")


def test_aws_that_does_not_answer_is_said(monkeypatch: pytest.MonkeyPatch, ecs: FakeEcs) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    time = Time()

    with pytest.raises(FleetError, match=r"could not do it now.*127.0.0.1:9"):
        a_house(time=time).aws.call("ecs", "list_clusters")

    assert sum(time.slept) > 30


@pytest.mark.parametrize(
    ("failures", "cause"),
    [
        ([{"reason": "RESOURCE:MEMORY", "detail": "Rate exceeded"}], Cause.THROTTLED),
        ([{"reason": "RESOURCE:ENI"}], Cause.CAPACITY),
        ([{"reason": "Capacity is unavailable at this time."}], Cause.CAPACITY),
        ([{"reason": "MISSING", "arn": "a"}], Cause.MISSING),
        ([{"reason": "Rate exceeded"}, {"reason": "RESOURCE:CPU"}], Cause.CAPACITY),
    ],
)
def test_failures_of_an_answer_with_status_200_have_causes(failures: list[dict[str, str]], cause: Cause) -> None:
    assert cause_of_failures(failures)[0] is cause


def test_a_cause_is_read_from_status_where_nothing_else_tells() -> None:
    assert [cause_of("", "", status) for status in (400, 429, 500, 503)] == [
        Cause.OTHER,
        Cause.THROTTLED,
        Cause.BUSY,
        Cause.BUSY,
    ]
    assert cause_of("ClientException", "Missing required parameter") is Cause.OTHER


# starting tasks


def a_fleet(time: Time | None = None) -> EcsFleet:
    fleet = a_house(time=time).fleet(VERSION)
    fleet.deploy(Spec(IMAGE))
    return fleet


def run(fleet: EcsFleet, aws: Aws, count: int, token: str = "t") -> list[str]:  # noqa: S107
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    return aws.run_tasks(
        count, token=token, cluster=fleet.names.cluster, taskDefinition=fleet.names.init_family, networkConfiguration=network
    )


def test_tasks_are_asked_for_ten_at_once_and_no_faster_than_fargate_starts_them(ecs: FakeEcs) -> None:
    # Given that nothing of the tasks matters but their number
    time = Time()
    fleet = a_fleet(time)
    ecs.plane.start_seconds = 1e9
    ecs.plane.launches["FARGATE"].burst = ecs.plane.run_calls.burst = 1e9

    # When many are started
    arns = run(fleet, a_house(time=time).aws, 125)

    # Then
    assert len(set(arns)) == 125
    assert [request["count"] for request in ecs.requests("RunTask")] == [10] * 12 + [5]
    assert sum(time.slept) == pytest.approx(25 / 20)


def test_what_fargate_does_not_start_of_a_call_is_asked_for_again(ecs: FakeEcs) -> None:
    time = Time()
    fleet = a_fleet(time)
    ecs.plane.start_seconds = 1e9
    bucket = ecs.plane.launches["FARGATE"]
    bucket.clock = time.clock  # so that what is waited here fills it again
    bucket.burst, bucket.per_second, bucket.level = 4, 2, 4

    arns = run(fleet, a_house(time=time).aws, 10)

    assert len(set(arns)) == 10
    assert len(ecs.requests("RunTask")) > 2
    assert time.now >= 2.5
    assert len({request["clientToken"] for request in ecs.requests("RunTask")}) > 1


def test_the_same_token_starts_nothing_twice(ecs: FakeEcs) -> None:
    fleet = a_fleet()
    ecs.plane.start_seconds = 1e9

    first, second, other = (fleet.run_init(["shop"], token=token) for token in ("a" * 80, "a" * 80, "b"))

    assert first == second != other
    [request, _, _] = ecs.requests("RunTask")
    assert request["overrides"] == {"containerOverrides": [{"name": "init", "command": ["init", "shop"]}]}


def test_no_capacity_is_said(ecs: FakeEcs) -> None:
    fleet = a_fleet()
    ecs.plane.no_capacity = True

    with pytest.raises(NoCapacity, match="try later, name subnets in more zones, or raise on_demand"):
        fleet.run_init(["shop"], token="t")  # noqa: S106


def test_a_service_starts_no_faster_than_fargate_does(ecs: FakeEcs) -> None:
    # Given two at once and one in 10 seconds, which here are 0.2
    fleet = a_house().fleet(VERSION)
    fleet.deploy(Spec(IMAGE, base=0, on_demand=0))
    ecs.plane.start_seconds = 1e9
    for bucket in ecs.plane.launches.values():
        bucket.burst, bucket.per_second, bucket.level = 2, 0.1, 2

    # When four are wanted
    fleet.scale(4)

    # Then the third and fourth come later, and meanwhile the service says so
    eventually(lambda: len(ecs.tasks(names(VERSION).cluster)) == 4)
    made = sorted(task.created for task in ecs.tasks())
    assert made[2] - made[1] >= 0.1
    assert made[3] - made[2] >= 0.1
    assert fleet.desired().pending == 4


@pytest.mark.parametrize(
    ("task", "status", "reason"),
    [
        ({"containers": [{"lastStatus": "RUNNING"}]}, None, ""),
        (
            {
                "stopCode": "EssentialContainerExited",
                "stoppedReason": "Essential container in task exited",
                "containers": [{"exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}],
            },
            137,
            "it ran out of memory (OutOfMemoryError: Container killed due to memory usage)",
        ),
        (
            {"stopCode": "SpotInterruption", "stoppedReason": "Your Spot Task was interrupted.", "containers": [{"exitCode": 0}]},
            0,
            "Spot took it back (Your Spot Task was interrupted.)",
        ),
        (
            {"stopCode": "UserInitiated", "stoppedReason": "it was odd", "containers": [{"exitCode": 0}]},
            0,
            "it was stopped: it was odd",
        ),
        (
            {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "containers": [{"exitCode": 1}]},
            1,
            "Essential container in task exited: it ended with 1; its log says why",
        ),
        (
            {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: no such image", "containers": [{}]},
            None,
            "CannotPullContainerError: no such image",
        ),
        (
            {"stopCode": "UserInitiated", "stoppedReason": "x", "containers": [{"exitCode": 137}]},
            137,
            "it was stopped: x: killed (137): it did not end in time, or ran out of memory",
        ),
    ],
)  # fmt: skip
def test_why_a_task_ended(task: dict[str, object], status: int | None, reason: str) -> None:
    assert ending(task) == (status, reason)


def test_nothing_of_aws_is_loaded_before_it_is_asked() -> None:
    body = """
import sys
import engine.fleet.choose, engine.fleet.ecs.house, engine.fleet.local_house
engine.fleet.choose.open_house(name="ecs").fleet("main")
sys.exit(any(name.partition(".")[0] in ("boto3", "botocore") for name in sys.modules))
"""
    assert subprocess.run([sys.executable, "-c", body], check=False).returncode == 0
