"""Schedules on EventBridge: what is asked is what AWS' own model of the service takes, and nothing starts hours late."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import NotFound, Refused
from engine.fleet.ecs.calls import Aws
from engine.fleet.ecs.eventbridge import EventBridge, commands, expression, most_age, name, request
from engine.fleet.ecs.house import EcsHouse
from engine.fleet.ecs.names import names
from engine.fleet.ecs.settings import Account
from engine.schedule import Schedule

ROLE = "arn:aws:iam::123456789012:role/wavedeck-scheduler"
ACCOUNT = Account(
    region="eu-west-1", subnets=("subnet-b", "subnet-a"), security_groups=("sg-1",), execution_role="arn:aws:iam::1:role/e",
    task_role="arn:aws:iam::1:role/t", scheduler_role=ROLE, redis_url="redis://r",
)  # fmt: skip
OF = names("feature/x")
CLUSTER = f"arn:aws:ecs:eu-west-1:123456789012:cluster/{OF.cluster}"
SPEC = Schedule("flights", "feature/x", every=3600.0, since=1.75e9)


def a_client() -> Any:
    return boto3.client("scheduler", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")  # noqa: S106


def validated(operation: str, asked: dict[str, Any]) -> None:
    """As botocore checks a request before it sends it, patterns and ranges too."""
    model = a_client().meta.service_model
    shape = model.operation_model(operation).input_shape
    report = ParamValidator().validate(asked, shape)
    assert not report.has_errors(), report.generate_report()
    _ranges(asked, shape)


def _ranges(value: Any, shape: Any) -> None:
    import re

    if shape.type_name == "structure":
        for member, inner in value.items():
            _ranges(inner, shape.members[member])
    elif shape.type_name == "list":
        for inner in value:
            _ranges(inner, shape.member)
    elif shape.type_name == "string":
        limits = shape.metadata
        assert limits.get("min", 0) <= len(value) <= limits.get("max", 1 << 20), (shape.name, value)
        assert not limits.get("pattern") or re.search(limits["pattern"], value), (shape.name, value)
        assert not limits.get("enum") or value in limits["enum"], (shape.name, value)
    elif shape.type_name == "integer":
        assert shape.metadata.get("min", 0) <= value <= shape.metadata.get("max", 1 << 40), (shape.name, value)


def test_it_runs_init_for_the_planned_time_and_gives_up_when_the_next_is_due() -> None:
    asked = request(SPEC, ACCOUNT, CLUSTER)

    validated("CreateSchedule", asked)
    validated("UpdateSchedule", asked)
    assert (asked["Name"], asked["GroupName"], asked["State"]) == ("flights", OF.cluster, "ENABLED")
    assert (asked["ScheduleExpression"], asked["ScheduleExpressionTimezone"]) == ("cron(0 * * * ? *)", "UTC")
    assert commands(asked) == ["init", "flights", "--version", "feature/x", "--scheduled", "<aws.scheduler.scheduled-time>"]
    target = asked["Target"]
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 3}
    assert (
        target["EcsParameters"]["TaskDefinitionArn"] == f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{OF.init_family}"
    )
    assert target["EcsParameters"]["NetworkConfiguration"]["awsvpcConfiguration"]["Subnets"] == ["subnet-a", "subnet-b"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (replace(SPEC, every=3 * 3600.0), "cron(0 0/3 * * ? *)"),
        (replace(SPEC, every=5 * 3600.0), "rate(5 hours)"),
        (replace(SPEC, every=86400.0), "cron(0 0 * * ? *)"),
        (replace(SPEC, every=3 * 86400.0), "rate(3 days)"),
        (replace(SPEC, every=0.0, cron="5 * * * *"), "cron(5 * * * ? *)"),
        (replace(SPEC, every=0.0, cron="30 6 * * 1-5"), "cron(30 6 ? * 2,3,4,5,6 *)"),
        (replace(SPEC, every=0.0, cron="30 6 * * sun"), "cron(30 6 ? * 1 *)"),
        (replace(SPEC, every=0.0, cron="0 */6 1,15 1-3 *"), "cron(0 0,6,12,18 1,15 1,2,3 ? *)"),
    ],
)
def test_when_it_fires(spec: Schedule, expected: str) -> None:
    assert expression(spec) == expected
    validated("CreateSchedule", request(spec, ACCOUNT, CLUSTER))


def test_a_rate_is_counted_from_a_date_of_its_own() -> None:
    asked = request(replace(SPEC, every=5 * 3600.0), ACCOUNT, CLUSTER)

    assert asked["StartDate"].timestamp() % (5 * 3600) == 0
    assert asked["StartDate"].timestamp() >= SPEC.since


@pytest.mark.parametrize("text", ["0 6 1 * 1", "0 6 L * *", "0 6 * * MON#1"])
def test_what_eventbridge_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="EventBridge"):
        expression(replace(SPEC, every=0.0, cron=text))


@given(st.sampled_from(["0 3 * * 2", "15 4 10 * *", "59 23 * 2,6 *", "0 0/5 * * *"]), st.floats(1.7e9, 1.8e9))
def test_cron_means_the_same_there(text: str, after: float) -> None:
    spec = replace(SPEC, every=0.0, cron=text)
    minutes, hours, days, months, weekdays, _ = expression(spec)[5:-1].split()

    due = datetime.fromtimestamp(spec.next(after), UTC)

    def allows(field: str, value: int) -> bool:
        return field in ("*", "?") or str(value) in field.split(",")

    def matches(at: datetime) -> bool:
        sunday_first = at.isoweekday() % 7 + 1
        return all(map(allows, (minutes, hours, days, months, weekdays), (at.minute, at.hour, at.day, at.month, sunday_first)))

    assert matches(due)
    first = datetime.fromtimestamp(after, UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    assert not any(matches(first + timedelta(minutes=n)) for n in range(int((due - first).total_seconds() // 60)) if n < 3000)


def test_no_firing_is_tried_again_for_longer_than_until_the_next() -> None:
    assert most_age(SPEC) == 3600
    assert most_age(replace(SPEC, every=7 * 86400.0)) == 86400
    assert most_age(replace(SPEC, every=0.0, cron="0 6,7,20 * * *")) == 3600


def test_long_names_of_flows_differ() -> None:
    long = "f" * 99
    assert len(name(long + "a")) == 64 and name(long + "a") != name(long + "b")


# calls


class Recorded(Aws):
    """Answers from a table; notes what was asked."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__("eu-west-1")
        self.answers, self.asked = answers, list[tuple[str, dict[str, Any]]]()

    def call(self, service: str, operation: str, /, **asked: Any) -> Any:
        self.asked.append((operation, asked))
        if service == "scheduler":
            validated("".join(map(str.capitalize, operation.split("_"))), asked)
        return self.answers.get(operation, {})

    def find(self, service: str, operation: str, /, **asked: Any) -> Any:
        self.call(service, operation, **asked)
        return self.answers.get(operation)


THERE = {"describe_clusters": {"clusters": [{"clusterArn": CLUSTER, "status": "ACTIVE"}]}}


def test_a_first_schedule_makes_its_group() -> None:
    aws = Recorded(THERE)

    EventBridge(EcsHouse(ACCOUNT, aws=aws)).put(SPEC)

    assert [operation for operation, _ in aws.asked] == [
        "describe_clusters", "get_schedule_group", "create_schedule_group", "get_schedule", "create_schedule",
    ]  # fmt: skip


def test_another_one_or_a_pause_alters_what_is_there() -> None:
    aws = Recorded(THERE | {"get_schedule_group": {"Name": "x"}, "get_schedule": {"Name": "flights"}})

    EventBridge(EcsHouse(ACCOUNT, aws=aws)).put(replace(SPEC, paused=True))

    operation, asked = aws.asked[-1]
    assert (operation, asked["State"]) == ("update_schedule", "DISABLED")


def test_what_is_missing_is_said() -> None:
    with pytest.raises(Refused, match="scheduler_role is not set"):
        EventBridge(EcsHouse(replace(ACCOUNT, scheduler_role=""), aws=Recorded(THERE))).put(SPEC)
    with pytest.raises(NotFound, match="nothing is deployed for feature/x"):
        EventBridge(EcsHouse(ACCOUNT, aws=Recorded({"describe_clusters": {"clusters": []}}))).put(SPEC)


def test_one_that_is_not_there_is_removed_without_a_word() -> None:
    client = a_client()
    aws = Aws("eu-west-1")
    aws._clients["scheduler"] = client
    with Stubber(client) as stub:
        stub.add_client_error("delete_schedule", "ResourceNotFoundException", "Schedule flights does not exist.", 404)

        EventBridge(EcsHouse(ACCOUNT, aws=aws)).remove(SPEC)

        stub.assert_no_pending_responses()
