"""What stands beside ECS: logs, bounds of services, schedules; as much of each as Wavedeck uses."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

from fake_ecs import rules
from fake_ecs.plane import Plane
from fake_ecs.rules import AwsError
from fake_ecs.task import ACCOUNT, REGION

Request = dict[str, Any]


@dataclass
class Logs:
    """CloudWatch Logs: the lines of tasks' logs, each with the time at which it was first seen."""

    plane: Plane
    groups: dict[str, Request] = field(default_factory=dict)
    events: list[Request] = field(default_factory=list)

    def tick(self) -> None:
        """Reads what tasks have written since."""
        for task in self.plane.tasks.values():
            with task.log.open("rb") as file:
                file.seek(task.read)
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            task.read += len(whole)
            options = task.container["logConfiguration"]["options"]
            stream = f"{options['awslogs-stream-prefix']}/{task.container['name']}/{task.id}"
            for text in whole.decode("utf-8", "replace").splitlines():
                event = {"logStreamName": stream, "timestamp": int(time.time() * 1000), "message": text}
                self.events.append({**event, "eventId": str(len(self.events)), "group": options["awslogs-group"]})

    def CreateLogGroup(self, q: Request) -> Request:  # noqa: N802
        if q["logGroupName"] in self.groups:
            raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups[q["logGroupName"]] = {"logGroupName": q["logGroupName"]}
        return {}

    def DescribeLogGroups(self, q: Request) -> Request:  # noqa: N802
        return {"logGroups": [g for name, g in self.groups.items() if name.startswith(q.get("logGroupNamePrefix", ""))]}

    def PutRetentionPolicy(self, q: Request) -> Request:  # noqa: N802
        rules.retention(q["retentionInDays"])
        self.groups[q["logGroupName"]]["retentionInDays"] = q["retentionInDays"]
        return {}

    def FilterLogEvents(self, q: Request) -> Request:  # noqa: N802
        if q["logGroupName"] not in self.groups:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        terms = re.findall(r'\(\$\.(\w+) = "([^"]*)"\)', q.get("filterPattern", ""))
        found = [
            event
            for event in self.events
            if event["group"] == q["logGroupName"]
            and event["timestamp"] >= q.get("startTime", 0)
            and event["logStreamName"].startswith(q.get("logStreamNamePrefix", ""))
            and _has(event["message"], terms)
        ]
        size, start = 3, int(q.get("nextToken", 0))  # few, so that whoever reads only the first page is found out
        page = [{k: v for k, v in event.items() if k != "group"} for event in found[start : start + size]]
        return {"events": page, **({"nextToken": str(start + size)} if start + size < len(found) else {})}


def _has(message: str, terms: list[tuple[str, str]]) -> bool:
    if not terms:
        return True
    try:
        told = json.loads(message)
    except ValueError:
        return False
    return isinstance(told, dict) and all(told.get(name) == text for name, text in terms)


@dataclass
class Scaling:
    """Application autoscaling: bounds, which are only kept."""

    targets: dict[str, Request] = field(default_factory=dict)

    def RegisterScalableTarget(self, q: Request) -> Request:  # noqa: N802
        self.targets[q["ResourceId"]] = self.targets.get(q["ResourceId"], {}) | q
        return {"ScalableTargetARN": f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/1"}

    def DescribeScalableTargets(self, q: Request) -> Request:  # noqa: N802
        more = {"RoleARN": "arn:aws:iam::123456789012:role/aws-service-role", "CreationTime": 0.0}
        return {"ScalableTargets": [{**t, **more} for name, t in self.targets.items() if name in q.get("ResourceIds", [name])]}

    def DeregisterScalableTarget(self, q: Request) -> Request:  # noqa: N802
        if self.targets.pop(q["ResourceId"], None) is None:
            raise AwsError("ObjectNotFoundException", "No scalable target found")
        return {}


@dataclass
class Scheduler:
    """EventBridge Scheduler: schedules that fire when `fire` says so."""

    plane: Plane
    groups: set[str] = field(default_factory=lambda: {"default"})
    schedules: dict[tuple[str, str], Request] = field(default_factory=dict)
    fired: int = 0

    def fire(self, group: str, name: str, scheduled: str, *, attempt: int = 1) -> Request:
        """What EventBridge does when a schedule is due: runs its target. `scheduled`: ISO 8601, as the schedule planned it."""
        self.fired += 1
        target = self.schedules[group, name]["Target"]
        text = target.get("Input", "{}").replace("<aws.scheduler.scheduled-time>", scheduled)
        text = text.replace("<aws.scheduler.attempt-number>", str(attempt))
        text = text.replace("<aws.scheduler.execution-id>", f"execution-{self.fired}")
        ecs = target["EcsParameters"]
        network = {
            inner[0].lower() + inner[1:]: value for inner, value in ecs["NetworkConfiguration"]["awsvpcConfiguration"].items()
        }
        request = {
            "cluster": target["Arn"],
            "taskDefinition": ecs["TaskDefinitionArn"],
            "count": ecs.get("TaskCount", 1),
            "overrides": json.loads(text),
            "networkConfiguration": {"awsvpcConfiguration": network},
            "capacityProviderStrategy": ecs.get("CapacityProviderStrategy") or [{"capacityProvider": "FARGATE"}],
        }
        with self.plane.held():
            return self.plane.RunTask(request)

    def CreateScheduleGroup(self, q: Request) -> Request:  # noqa: N802
        if q["Name"] in self.groups:
            raise AwsError("ConflictException", f"Schedule group {q['Name']} already exists.", 409)
        self.groups.add(q["Name"])
        return {"ScheduleGroupArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/{q['Name']}"}

    def GetScheduleGroup(self, q: Request) -> Request:  # noqa: N802
        self._group(q["Name"])
        return {"Name": q["Name"], "State": "ACTIVE"}

    def DeleteScheduleGroup(self, q: Request) -> Request:  # noqa: N802
        self._group(q["Name"])
        self.groups.discard(q["Name"])
        self.schedules = {key: value for key, value in self.schedules.items() if key[0] != q["Name"]}
        return {}

    def CreateSchedule(self, q: Request) -> Request:  # noqa: N802
        rules.schedule(q)
        key = self._key(q)
        if key in self.schedules:
            raise AwsError("ConflictException", f"Schedule {q['Name']} already exists.", 409)
        self.schedules[key] = q
        return {"ScheduleArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{key[0]}/{key[1]}"}

    def UpdateSchedule(self, q: Request) -> Request:  # noqa: N802
        rules.schedule(q)
        self._schedule(q)
        self.schedules[self._key(q)] = q
        return {"ScheduleArn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{self._key(q)[0]}/{q['Name']}"}

    def GetSchedule(self, q: Request) -> Request:  # noqa: N802
        return self._schedule(q)

    def DeleteSchedule(self, q: Request) -> Request:  # noqa: N802
        self._schedule(q)
        del self.schedules[self._key(q)]
        return {}

    def ListSchedules(self, q: Request) -> Request:  # noqa: N802
        wanted = q.get("GroupName")
        return {
            "Schedules": [
                {"Name": name, "GroupName": group, "State": told.get("State", "ENABLED")}
                for (group, name), told in self.schedules.items()
                if wanted in (None, group)
            ]
        }

    def _schedule(self, q: Request) -> Request:
        if self._key(q) not in self.schedules:
            raise AwsError("ResourceNotFoundException", f"Schedule {q['Name']} does not exist.", 404)
        return self.schedules[self._key(q)]

    def _key(self, q: Request) -> tuple[str, str]:
        group = q.get("GroupName", "default")
        self._group(group)
        return group, q["Name"]

    def _group(self, name: str) -> None:
        if name not in self.groups:
            raise AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)
