"""Schedules on Amazon's EventBridge Scheduler: each runs init as a task of the version's cluster.

The wave that it starts is known by the time for which it was planned, so a firing that is repeated or late starts nothing twice. Out
of the box a failed firing would be tried again for a day; here for no longer than until the next is due.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

from cronsim import CronSim

from engine.errors import NotFound, Refused
from engine.fleet.ecs.calls import Missing
from engine.fleet.ecs.house import EcsHouse
from engine.fleet.ecs.names import INIT, Names, names
from engine.fleet.ecs.settings import Account
from engine.fleet.ecs.wanted import network
from engine.schedule import Schedule

SCHEDULED = "<aws.scheduler.scheduled-time>"
"""What EventBridge replaces by the time for which it planned the firing."""
ATTEMPTS = 3
LEAST_AGE, MOST_AGE = 60, 86_400
LONGEST_NAME = 64

Request = dict[str, Any]


class EventBridge:
    """Puts and removes schedules. Every method may raise `FleetError`."""

    def __init__(self, house: EcsHouse) -> None:
        self._house, self._aws = house, house.aws

    def put(self, schedule: Schedule) -> None:
        """Has EventBridge fire as `schedule` says, or, when it pauses, keep it without firing.

        Raises:
            NotFound: nothing is deployed for the version.
            Refused: its cron expression cannot be said there, or the role is not known.
        """
        of, account = names(schedule.version), self._house.complete()
        if not account.scheduler_role:
            raise Refused(
                "[aws]: scheduler_role is not set: the role by which EventBridge may run init (SchedulerRoleArn of the stack)"
            )
        found = self._aws.call("ecs", "describe_clusters", clusters=[of.cluster])["clusters"]
        cluster = next((c["clusterArn"] for c in found if c.get("status") != "INACTIVE"), None)
        if cluster is None:
            raise NotFound(f"nothing is deployed for {schedule.version}; `wavedeck deploy` does that")
        wanted = request(schedule, account, cluster)
        if self._aws.find("scheduler", "get_schedule_group", Name=of.cluster) is None:
            self._aws.call("scheduler", "create_schedule_group", Name=of.cluster)
        there = self._aws.find("scheduler", "get_schedule", Name=wanted["Name"], GroupName=wanted["GroupName"])
        self._aws.call("scheduler", "update_schedule" if there else "create_schedule", **wanted)

    def remove(self, schedule: Schedule) -> None:
        """Takes it away, if it is there."""
        of = names(schedule.version)
        try:
            self._aws.call("scheduler", "delete_schedule", Name=name(schedule.flow), GroupName=of.cluster)
        except Missing:
            return


def request(schedule: Schedule, account: Account, cluster: str) -> Request:
    """CreateSchedule or UpdateSchedule. `cluster`: its ARN."""
    of = names(schedule.version)
    wanted: Request = {
        "Name": name(schedule.flow),
        "GroupName": of.cluster,
        "Description": f"{schedule.flow}@{schedule.version} {schedule.words}"[:512],
        "ScheduleExpression": expression(schedule),
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "State": "DISABLED" if schedule.paused else "ENABLED",
        "Target": _target(schedule, of, account, cluster),
    }
    if wanted["ScheduleExpression"].startswith("rate("):  # counted from its start, not from 1970
        wanted["StartDate"] = datetime.fromtimestamp(schedule.next(max(schedule.since, schedule.changed) - 1), UTC)
    return wanted


def _target(schedule: Schedule, of: Names, account: Account, cluster: str) -> Request:
    vpc = network(account)["awsvpcConfiguration"]
    command = [INIT, schedule.flow, "--version", schedule.version, "--scheduled", SCHEDULED]
    return {
        "Arn": cluster,
        "RoleArn": account.scheduler_role,
        "Input": json.dumps({"containerOverrides": [{"name": INIT, "command": command}]}),
        "RetryPolicy": {"MaximumEventAgeInSeconds": most_age(schedule), "MaximumRetryAttempts": ATTEMPTS},
        "EcsParameters": {
            # Without a revision: the init of the image that was deployed last.
            "TaskDefinitionArn": cluster.replace(f":cluster/{of.cluster}", f":task-definition/{of.init_family}"),
            "TaskCount": 1,
            "CapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "NetworkConfiguration": {
                "awsvpcConfiguration": {
                    "Subnets": vpc["subnets"],
                    "SecurityGroups": vpc["securityGroups"],
                    "AssignPublicIp": vpc["assignPublicIp"],
                }
            },
            "EnableECSManagedTags": True,
            "PropagateTags": "TASK_DEFINITION",
        },
    }


def name(flow: str) -> str:
    """A flow as a schedule may be called: 64 characters."""
    if len(flow) <= LONGEST_NAME:
        return flow
    return f"{flow[: LONGEST_NAME - 9]}-{hashlib.sha256(flow.encode()).hexdigest()[:8]}"


def most_age(schedule: Schedule) -> int:
    """How long a firing that failed is tried again, seconds: until the next is due."""
    dues = list(islice(schedule.following(schedule.since), 60))
    shortest = min(later - sooner for sooner, later in pairwise(dues))
    return int(min(max(shortest, LEAST_AGE), MOST_AGE))


def expression(schedule: Schedule) -> str:
    """When it fires, as EventBridge reads it.

    Raises:
        Refused: EventBridge cannot say «this day of the month or that day of the week».
    """
    if schedule.every:
        hours = int(schedule.every // 3600)
        if hours == 1:
            return "cron(0 * * * ? *)"
        if hours == 24:
            return "cron(0 0 * * ? *)"
        if 24 % hours == 0:
            return f"cron(0 0/{hours} * * ? *)"
        return f"rate({hours} hours)" if hours % 24 else f"rate({hours // 24} days)"
    return _cron(schedule.cron)


def _cron(text: str) -> str:
    read = CronSim(text, datetime(2026, 1, 1, tzinfo=UTC))
    if not all(isinstance(value, int) and value > -1 for value in (*read.days, *read.weekdays)):
        raise Refused(f"cron {text!r}: of days and weekdays EventBridge is given numbers, and no L, W or #")
    days, weekdays = _some(read.days, range(1, 32)), _some(_days_of_week(read.weekdays), range(1, 8))
    if days != "*" and weekdays != "*":
        raise Refused(f"cron {text!r} has both a day of the month and a day of the week, which EventBridge cannot say")
    when = (
        f"{days} {_some(read.months, range(1, 13))} ?"
        if weekdays == "*"
        else f"? {_some(read.months, range(1, 13))} {weekdays}"
    )
    return f"cron({_some(read.minutes, range(60))} {_some(read.hours, range(24))} {when} *)"


def _days_of_week(weekdays: Any) -> set[int]:
    """Sunday is 0 or 7 to cron and 1 to EventBridge."""
    return {day % 7 + 1 for day in weekdays}


def _some(chosen: Sequence[int] | set[int], all_: range) -> str:
    return "*" if set(chosen) >= set(all_) else ",".join(map(str, sorted(chosen)))


def commands(wanted: Mapping[str, Any]) -> list[str]:
    """What the task of a schedule's request runs."""
    told: list[str] = json.loads(wanted["Target"]["Input"])["containerOverrides"][0]["command"]
    return told
