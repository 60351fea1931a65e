"""The things of AWS that a version's fleet is made of: how each is read, made, altered and removed.

Each is known by its name and holds a hash of what it was asked to be in a tag, so what is there already is found out without
comparing what AWS fills in by itself. A deploy that was cut short goes on when it is called again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from engine.fleet.ecs.calls import Aws, tag_list, tag_map
from engine.fleet.ecs.names import CONTENT_TAG, IMAGE_TAG, SERVICE, Names, tags
from engine.fleet.ecs.wanted import STOP_TIMEOUT, content
from engine.fleet.house import FleetError

PATIENCE = STOP_TIMEOUT + 180.0
"""Seconds for what AWS does in its own time, such as ending the last task of a service."""
BUSY = (
    "workers of {} have not ended: busy ones are spared; `wavedeck undeploy` again goes on waiting, "
    "`wavedeck fleet stop WORKER` ends one all the same"
)
LOOK_EVERY = 3.0


@dataclass(frozen=True)
class Found:
    """What is there. `content`: the hash of what it was asked to be; `facts`: as AWS tells it, in the form of `wanted`."""

    content: str
    facts: Mapping[str, Any]
    arn: str = ""


@dataclass
class Resource(ABC):
    """One thing. `wanted`: the request it is made by, empty where it is only to be removed. `stays`: why undeploy leaves it."""

    names: Names
    wanted: Mapping[str, Any] = field(default_factory=dict)
    kind: ClassVar[str]
    stays: ClassVar[str] = ""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called on AWS."""

    @property
    def content(self) -> str:
        """The hash that it has when it is as wanted."""
        return content(self.wanted)

    @abstractmethod
    def read(self, aws: Aws) -> Found | None:
        """What is there; None where there is nothing."""

    @abstractmethod
    def make(self, aws: Aws, found: Found | None) -> None:
        """Has it be as wanted, made or altered."""

    @abstractmethod
    def remove(self, aws: Aws, found: Found) -> None:
        """Takes it away."""


@dataclass
class LogGroup(Resource):
    """Where the workers' lines are kept, for some days."""

    kind = "log group"
    stays = "its lines stay until they are too old; `aws logs delete-log-group --log-group-name …` removes them now"

    @property
    def name(self) -> str:
        return self.names.log_group

    def read(self, aws: Aws) -> Found | None:
        groups = aws.call("logs", "describe_log_groups", logGroupNamePrefix=self.name).get("logGroups", ())
        for group in groups:
            if group["logGroupName"] == self.name:
                facts = {"retentionInDays": group.get("retentionInDays")}
                return Found(content(facts), facts)
        return None

    def make(self, aws: Aws, found: Found | None) -> None:
        if found is None:
            aws.call("logs", "create_log_group", logGroupName=self.name, tags=tags(self.names.version))
        aws.call("logs", "put_retention_policy", logGroupName=self.name, **self.wanted)

    def remove(self, aws: Aws, found: Found) -> None:  # noqa: ARG002
        aws.call("logs", "delete_log_group", logGroupName=self.name)


@dataclass
class Schedules(Resource):
    """The group with the version's schedules, which `wavedeck schedule` makes."""

    kind = "schedules"

    @property
    def name(self) -> str:
        return self.names.cluster

    def read(self, aws: Aws) -> Found | None:
        found = aws.find("scheduler", "get_schedule_group", Name=self.name)
        return Found("", {}) if found and found.get("State") != "DELETING" else None

    def make(self, aws: Aws, found: Found | None) -> None:  # noqa: ARG002
        raise AssertionError("a schedule makes its group")

    def remove(self, aws: Aws, found: Found) -> None:  # noqa: ARG002
        aws.call("scheduler", "delete_schedule_group", Name=self.name)


@dataclass
class Cluster(Resource):
    """The cluster of a version."""

    kind = "cluster"

    @property
    def name(self) -> str:
        return self.names.cluster

    def read(self, aws: Aws) -> Found | None:
        answer = aws.call("ecs", "describe_clusters", clusters=[self.name], include=["TAGS"])
        for cluster in answer.get("clusters", ()):
            if cluster.get("status") != "INACTIVE":
                return Found(tag_map(cluster.get("tags")).get(CONTENT_TAG, ""), cluster, cluster["clusterArn"])
        return None

    def make(self, aws: Aws, found: Found | None) -> None:
        marks = tag_list({**tags(self.names.version), CONTENT_TAG: self.content})
        if found is None:
            aws.call("ecs", "create_cluster", clusterName=self.name, tags=marks, **self.wanted)
            wait(aws, lambda: self._is_active(aws), f"the cluster {self.name} is not ready; `wavedeck deploy` again goes on")
            return
        aws.call("ecs", "put_cluster_capacity_providers", cluster=self.name, **self.wanted)
        aws.call("ecs", "tag_resource", resourceArn=found.arn, tags=marks)

    def remove(self, aws: Aws, found: Found) -> None:  # noqa: ARG002
        tasks = list(aws.pages("ecs", "list_tasks", "taskArns", cluster=self.name))  # of init: the service has none by now
        for task in tasks:
            aws.call("ecs", "stop_task", cluster=self.name, task=task, reason="undeploy")
        late = f"tasks of {self.name} have not ended; `wavedeck undeploy` again goes on"
        wait(aws, lambda: all(self._has_ended(aws, task) for task in tasks), late)
        aws.call("ecs", "delete_cluster", cluster=self.name)

    def _has_ended(self, aws: Aws, task: str) -> bool:
        tasks = aws.call("ecs", "describe_tasks", cluster=self.name, tasks=[task]).get("tasks", ())
        return all(one.get("lastStatus") == "STOPPED" for one in tasks)

    def _is_active(self, aws: Aws) -> bool:
        found = self.read(aws)
        return found is not None and found.facts.get("status") == "ACTIVE"


@dataclass
class Definition(Resource):
    """A family of task definitions, of which the newest counts."""

    family: str = ""
    kind = "task definition"

    @property
    def name(self) -> str:
        return self.family

    def read(self, aws: Aws) -> Found | None:
        return read_definition(aws, self.family)

    def make(self, aws: Aws, found: Found | None) -> None:  # noqa: ARG002
        marks = tag_list({**tags(self.names.version), CONTENT_TAG: self.content})
        aws.call("ecs", "register_task_definition", tags=marks, **self.wanted)

    def remove(self, aws: Aws, found: Found) -> None:  # noqa: ARG002
        arns = list(aws.pages("ecs", "list_task_definitions", "taskDefinitionArns", familyPrefix=self.family, status="ACTIVE"))
        own = [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == self.family]  # it is a prefix of others, too
        for arn in own:
            aws.call("ecs", "deregister_task_definition", taskDefinition=arn)


@dataclass
class EcsService(Resource):
    """The service that keeps as many workers as it is told.

    How many is not part of what is wanted: init and the last worker change that. Its `wanted` has the hash of the task definition in
    the place of its ARN; one that AWS took back to an earlier definition is so not as wanted.
    """

    image: str = ""
    count: int = 0
    kind = "service"

    @property
    def name(self) -> str:
        return SERVICE

    def read(self, aws: Aws) -> Found | None:
        service = read_service(aws, self.names.cluster)
        if service is None:
            return None
        definition = read_definition(aws, service["taskDefinition"])
        runs = definition.content if definition else ""
        asked = tag_map(service.get("tags")).get(CONTENT_TAG, "")
        facts = {**service, "taskDefinition": runs}
        return Found(asked if runs == self.wanted.get("taskDefinition") else "", facts, service["serviceArn"])

    def make(self, aws: Aws, found: Found | None) -> None:
        definition = read_definition(aws, self.names.worker_family)
        if definition is None:
            raise FleetError(f"{self.names.worker_family} is gone; somebody removes it while it is deployed")
        marks = tag_list({**tags(self.names.version), CONTENT_TAG: self.content, IMAGE_TAG: _digest(self.image)})
        request = {**self.wanted, "taskDefinition": definition.arn}
        place = {"cluster": self.names.cluster}
        if found is None:
            aws.call("ecs", "create_service", serviceName=SERVICE, desiredCount=self.count, tags=marks, **place, **request)
            return
        if _kinds(found.facts) == _kinds(request):
            del request["capacityProviderStrategy"]
        else:
            request["forceNewDeployment"] = True  # or AWS refuses to alter it
        aws.call("ecs", "update_service", service=SERVICE, **place, **request)
        aws.call("ecs", "tag_resource", resourceArn=found.arn, tags=marks)

    def remove(self, aws: Aws, found: Found) -> None:  # noqa: ARG002
        place = {"cluster": self.names.cluster, "service": SERVICE}
        aws.call("ecs", "update_service", desiredCount=0, **place)
        wait(aws, lambda: _is_drained(aws, self.names.cluster), BUSY.format(self.names.version))
        aws.call("ecs", "delete_service", **place)
        wait(aws, lambda: read_service(aws, self.names.cluster) is None, BUSY.format(self.names.version))


@dataclass
class ScalableTarget(Resource):
    """The bounds of the number of workers, where alarms and people may scale between them."""

    kind = "scalable target"

    @property
    def name(self) -> str:
        return self.names.scalable

    def read(self, aws: Aws) -> Found | None:
        target = read_target(aws, self.names)
        if target is None:
            return None
        facts = {name: target[name] for name in ("MinCapacity", "MaxCapacity")}
        return Found(content(facts), facts, target.get("ScalableTargetARN", ""))

    def make(self, aws: Aws, found: Found | None) -> None:  # noqa: ARG002
        aws.call("application-autoscaling", "register_scalable_target", **self._place, **self.wanted)

    def remove(self, aws: Aws, found: Found) -> None:  # noqa: ARG002
        aws.call("application-autoscaling", "deregister_scalable_target", **self._place)

    @property
    def _place(self) -> dict[str, str]:
        return {
            "ServiceNamespace": "ecs",
            "ResourceId": self.name,
            "ScalableDimension": "ecs:service:DesiredCount",
        }


def read_service(aws: Aws, cluster: str) -> Mapping[str, Any] | None:
    """The service of a cluster as AWS describes it; None where there is none, or it is gone."""
    answer = aws.find("ecs", "describe_services", cluster=cluster, services=[SERVICE], include=["TAGS"])
    for service in (answer or {}).get("services", ()):
        if service.get("status") != "INACTIVE":
            found: Mapping[str, Any] = service
            return found
    return None


def read_definition(aws: Aws, name: str) -> Found | None:
    """A task definition by ARN, or the newest of a family."""
    answer = aws.find("ecs", "describe_task_definition", taskDefinition=name, include=["TAGS"])
    if answer is None:
        return None
    told = answer["taskDefinition"]
    if told.get("status", "ACTIVE") != "ACTIVE" and ":" not in name:
        return None
    return Found(tag_map(answer.get("tags")).get(CONTENT_TAG, ""), told, told["taskDefinitionArn"])


def read_target(aws: Aws, names: Names) -> Mapping[str, Any] | None:
    """The scalable target of a version as AWS describes it."""
    answer = aws.call(
        "application-autoscaling", "describe_scalable_targets", ServiceNamespace="ecs", ResourceIds=[names.scalable]
    )
    targets = answer.get("ScalableTargets", ())
    return targets[0] if targets else None


def wait(aws: Aws, done: Callable[[], bool], late: str) -> None:
    """Until `done()`.

    Raises:
        FleetError: it took too long, with the text `late`.
    """
    until = aws.clock() + PATIENCE
    while not done():
        if aws.clock() > until:
            raise FleetError(f"{late} (after {PATIENCE:g} s)")
        aws.sleep(LOOK_EVERY)


def _is_drained(aws: Aws, cluster: str) -> bool:
    service = read_service(aws, cluster)
    return service is None or not (service.get("runningCount") or service.get("pendingCount"))


def _kinds(service: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """The strategy of a service or a request, in one form."""
    items = service.get("capacityProviderStrategy") or ()
    return sorted((item["capacityProvider"], item.get("base") or 0, item.get("weight") or 0) for item in items)


def _digest(image: str) -> str:
    return image.rpartition("@")[2]
