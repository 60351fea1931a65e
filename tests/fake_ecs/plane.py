"""The control plane of the fake ECS: clusters, task definitions, services and tasks, by the names of AWS' operations."""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_ecs import rules
from fake_ecs.rules import AwsError, invalid
from fake_ecs.service import FakeService, Rollout
from fake_ecs.task import ACCOUNT, REGION, Image, Task, cluster_arn

Request = dict[str, Any]
TICK = 0.01


@dataclass
class Bucket:
    """So many at once and so many a second, of AWS' seconds."""

    burst: float
    per_second: float
    clock: Callable[[], float]
    level: float = -1.0
    at: float = 0.0

    def take(self) -> bool:
        now = self.clock()
        self.level = self.burst if self.level < 0 else min(self.burst, self.level + (now - self.at) * self.per_second)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


def own_environment() -> dict[str, str]:
    """What tasks find beside what their definition says: this environment's, and the commands of this Python's."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@dataclass
class Cluster:
    name: str
    request: Request
    tags: dict[str, str]
    status: str = "ACTIVE"


@dataclass
class Plane:
    """All that ECS knows. Every method that begins with a capital is one of its operations.

    `speed`: seconds of AWS in a second: of stop timeouts, launch limits and start times. `start_seconds`: what a task takes to run.
    """

    speed: float = 1.0
    start_seconds: float = 0.0
    burst: int = 100
    per_second: float = 20.0
    endpoint: str = ""
    environment: dict[str, str] = field(default_factory=own_environment)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="ecs-")))

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.images: dict[str, Image] = {}
        self.clusters: dict[str, Cluster] = {}
        self.definitions: dict[str, tuple[Request, dict[str, str]]] = {}
        self.services: dict[str, FakeService] = {}
        self.tasks: dict[str, Task] = {}
        self.tokens: dict[str, list[Task]] = {}
        self.launches = {kind: Bucket(self.burst, self.per_second, self.clock) for kind in ("FARGATE", "FARGATE_SPOT")}
        self.run_calls = Bucket(20, 20, self.clock)
        self.no_capacity = False
        self._began = time.monotonic()

    def clock(self) -> float:
        """Seconds of AWS since the beginning."""
        return (time.monotonic() - self._began) * self.speed

    def late(self, since: float, seconds: float) -> bool:
        return (time.time() - since) * self.speed > seconds

    # what happens by itself

    def tick(self) -> None:
        """One look at everything."""
        with self.lock:
            for task in self.tasks.values():
                task.look(self.late)
            for service in self.services.values():
                if service.status == "ACTIVE":
                    self._keep(service)
                elif not self.of_service(service):
                    service.status = "INACTIVE"
            for task in [t for t in self.tasks.values() if t.status == "PENDING"]:
                if self.late(task.created, self.start_seconds):
                    self._start(task)

    def _keep(self, service: FakeService) -> None:
        stop, start = service.steps(self.of_service(service))
        for task in stop:
            task.ask_to_stop("ServiceSchedulerInitiated", f"Scaling activity initiated by ({service.rollouts[0].id})")
        definition = self.definitions[service.rollouts[0].definition][0]
        for _ in range(start):
            there = [task for task in self.of_service(service) if not task.is_leaving]
            kind = service.provider_for(len(there), there)
            if self.no_capacity or not self.launches[kind].take():
                break
            self.launch(service.cluster, service.name, definition, kind, {}, service.rollouts[0].id)

    def _start(self, task: Task) -> None:
        image = self.images.get(task.container["image"], Image(Path("/"), broken=True))
        task.run(image, self.endpoint, self.environment)
        if image.broken and task.service:
            self.services[f"{task.cluster}/{task.service}"].task_failed(task.definition["taskDefinitionArn"])

    def launch(self, cluster: str, service: str, definition: Request, kind: str, overrides: Request, started_by: str) -> Task:
        task = Task(cluster, service, definition, kind, overrides, started_by, self.folder / "none")
        task.log = self.folder / f"{task.id}.log"
        task.log.touch()
        self.tasks[task.id] = task
        return task

    def of_service(self, service: FakeService) -> list[Task]:
        return [
            task
            for task in self.tasks.values()
            if (task.cluster, task.service) == (service.cluster, service.name) and task.stopped is None
        ]

    # clusters

    def CreateCluster(self, q: Request) -> Request:  # noqa: N802
        rules.name(q.get("clusterName", "default"), "Cluster name")
        rules.tags(q.get("tags", []))
        name = q.get("clusterName", "default")
        if name not in self.clusters or self.clusters[name].status == "INACTIVE":
            self.clusters[name] = Cluster(name, q, _tags(q))
        return {"cluster": self._cluster(self.clusters[name], True)}

    def PutClusterCapacityProviders(self, q: Request) -> Request:  # noqa: N802
        cluster = self.cluster(q["cluster"])
        cluster.request |= {k: v for k, v in q.items() if k != "cluster"}
        return {"cluster": self._cluster(cluster, True)}

    def DescribeClusters(self, q: Request) -> Request:  # noqa: N802
        names = [_tail(one) for one in q.get("clusters", ["default"])]
        missing = [{"arn": cluster_arn(n), "reason": "MISSING"} for n in names if n not in self.clusters]
        with_tags = "TAGS" in q.get("include", [])
        return {
            "clusters": [self._cluster(self.clusters[n], with_tags) for n in names if n in self.clusters],
            "failures": missing,
        }

    def ListClusters(self, q: Request) -> Request:  # noqa: N802
        return _page([cluster_arn(c.name) for c in self.clusters.values() if c.status == "ACTIVE"], "clusterArns", q)

    def DeleteCluster(self, q: Request) -> Request:  # noqa: N802
        cluster = self.cluster(q["cluster"])
        if any(s.cluster == cluster.name and s.status != "INACTIVE" for s in self.services.values()):
            raise AwsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
        if any(t.cluster == cluster.name and t.stopped is None for t in self.tasks.values()):
            raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        cluster.status = "INACTIVE"
        return {"cluster": self._cluster(cluster, False)}

    def cluster(self, name: str) -> Cluster:
        found = self.clusters.get(_tail(name))
        if found is None or found.status == "INACTIVE":
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    def _cluster(self, cluster: Cluster, with_tags: bool) -> Request:
        told = {k: v for k, v in cluster.request.items() if k != "tags"}
        tags = {"tags": [{"key": k, "value": v} for k, v in cluster.tags.items()]} if with_tags else {}
        return {**told, "clusterArn": cluster_arn(cluster.name), "status": cluster.status, **tags}

    # task definitions

    def RegisterTaskDefinition(self, q: Request) -> Request:  # noqa: N802
        rules.definition(q)
        family = q["family"]
        revision = 1 + sum(d["family"] == family for d, _ in self.definitions.values())
        arn = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:{revision}"
        told = {k: v for k, v in q.items() if k != "tags"}
        made = {**told, "taskDefinitionArn": arn, "revision": revision, "status": "ACTIVE", "registeredAt": time.time()}
        self.definitions[arn] = made, _tags(q)
        return {"taskDefinition": made, "tags": q.get("tags", [])}

    def DescribeTaskDefinition(self, q: Request) -> Request:  # noqa: N802
        made, tags = self.definition(q["taskDefinition"])
        listed = [{"key": k, "value": v} for k, v in tags.items()] if "TAGS" in q.get("include", []) else []
        return {"taskDefinition": made, "tags": listed}

    def ListTaskDefinitions(self, q: Request) -> Request:  # noqa: N802
        wanted = q.get("status", "ACTIVE")
        found = [
            arn
            for arn, (made, _) in self.definitions.items()
            if made["family"] == q.get("familyPrefix", made["family"]) and made["status"] == wanted
        ]
        return _page(found, "taskDefinitionArns", q)

    def DeregisterTaskDefinition(self, q: Request) -> Request:  # noqa: N802
        made, _ = self.definition(q["taskDefinition"])
        made["status"] = "INACTIVE"
        return {"taskDefinition": made}

    def definition(self, name: str) -> tuple[Request, dict[str, str]]:
        tail = _tail(name)
        family, _, revision = tail.partition(":")
        found = [
            both
            for both in self.definitions.values()
            if both[0]["family"] == family
            and (str(both[0]["revision"]) == revision if revision else both[0]["status"] == "ACTIVE")
        ]
        if not found:
            raise AwsError("ClientException", "Unable to describe task definition.")
        return found[-1]

    # services

    def CreateService(self, q: Request) -> Request:  # noqa: N802
        cluster = self.cluster(q["cluster"])
        rules.name(q["serviceName"], "Service name")
        rules.tags(q.get("tags", []))
        rules.strategy(q["capacityProviderStrategy"])
        rules.network(q)
        key = f"{cluster.name}/{q['serviceName']}"
        if key in self.services and self.services[key].status != "INACTIVE":
            raise invalid("Creation of service was not idempotent.")
        arn = self.definition(q["taskDefinition"])[0]["taskDefinitionArn"]
        made = FakeService(cluster.name, q["serviceName"], dict(q), q.get("desiredCount", 0), [Rollout(arn)], tags=_tags(q))
        self.services[key] = made
        return {"service": made.describe([], with_tags=True)}

    def UpdateService(self, q: Request) -> Request:  # noqa: N802
        service = self.service(q)
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        if "capacityProviderStrategy" in q:
            rules.strategy(q["capacityProviderStrategy"])
            if not q.get("forceNewDeployment"):
                raise invalid("A new deployment must be forced to update the capacity provider strategy.")
        if "networkConfiguration" in q:
            rules.network(q)
        service.desired = q.get("desiredCount", service.desired)
        wanted = self.definition(q["taskDefinition"])[0]["taskDefinitionArn"] if "taskDefinition" in q else ""
        moved = (
            q.get("networkConfiguration", service.request["networkConfiguration"]) != service.request["networkConfiguration"]
        )
        if q.get("forceNewDeployment") or moved or wanted not in ("", service.rollouts[0].definition):
            service.roll(wanted or service.rollouts[0].definition)
        service.request |= {k: v for k, v in q.items() if k not in ("cluster", "service", "desiredCount", "taskDefinition")}
        return {"service": service.describe(self.of_service(service), with_tags=False)}

    def DescribeServices(self, q: Request) -> Request:  # noqa: N802
        cluster = self.cluster(q["cluster"])
        if len(q["services"]) > 10:
            raise invalid("services can have at most 10 items.")
        names = [_tail(one) for one in q["services"]]
        found = [self.services[key] for n in names if (key := f"{cluster.name}/{n}") in self.services]
        missing = [{"arn": n, "reason": "MISSING"} for n in names if f"{cluster.name}/{n}" not in self.services]
        told = [s.describe(self.of_service(s), with_tags="TAGS" in q.get("include", [])) for s in found]
        return {"services": told, "failures": missing}

    def DeleteService(self, q: Request) -> Request:  # noqa: N802
        service = self.service(q)
        if service.desired and not q.get("force"):
            raise invalid("The service cannot be stopped while it is scaled above 0.")
        service.status = "DRAINING"
        for task in self.of_service(service):
            task.ask_to_stop("ServiceSchedulerInitiated", "Service deleted")
        return {"service": service.describe(self.of_service(service), with_tags=False)}

    def TagResource(self, q: Request) -> Request:  # noqa: N802
        rules.tags(q["tags"])
        for thing in [*self.services.values(), *self.clusters.values()]:
            arn = thing.arn if isinstance(thing, FakeService) else cluster_arn(thing.name)
            if arn == q["resourceArn"]:
                thing.tags |= _tags(q)
                return {}
        raise invalid("The specified resource was not found.")

    def service(self, q: Request) -> FakeService:
        found = self.services.get(f"{self.cluster(q['cluster']).name}/{_tail(q['service'])}")
        if found is None or found.status == "INACTIVE":
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return found

    # tasks

    def RunTask(self, q: Request) -> Request:  # noqa: N802
        rules.run_task(q)
        rules.network(q)
        cluster = self.cluster(q.get("cluster", "default"))
        if not self.run_calls.take():
            raise AwsError("ThrottlingException", "Rate exceeded")
        token = q.get("clientToken", "")
        if token and token in self.tokens:
            return {"tasks": [task.describe() for task in self.tokens[token]], "failures": []}
        made, _ = self.definition(q["taskDefinition"])
        items = q.get("capacityProviderStrategy") or [{"capacityProvider": "FARGATE"}]
        kind = items[0]["capacityProvider"]
        started: list[Task] = []
        failures = []
        for _ in range(q.get("count", 1)):
            if self.no_capacity:
                failures.append({"reason": "Capacity is unavailable at this time. Please try again later."})
            elif not self.launches[kind].take():
                failures.append({"reason": "RESOURCE:ENI", "detail": "Rate exceeded"})
            else:
                by = q.get("startedBy", "")
                started.append(self.launch(cluster.name, "", made, kind, q.get("overrides", {}), by))
        if token and started:
            self.tokens[token] = started
        return {"tasks": [task.describe() for task in started], "failures": failures}

    def StopTask(self, q: Request) -> Request:  # noqa: N802
        task = self.tasks.get(_tail(q["task"]))
        if task is None:
            raise invalid("The referenced task was not found.")
        task.ask_to_stop("UserInitiated", q.get("reason", "Task stopped by user"))
        return {"task": task.describe()}

    def ListTasks(self, q: Request) -> Request:  # noqa: N802
        cluster = self.cluster(q.get("cluster", "default"))
        wanted = q.get("desiredStatus", "RUNNING")
        found = [
            task.arn
            for task in self.tasks.values()
            if task.cluster == cluster.name
            and task.service == q.get("serviceName", task.service)
            and task.definition["family"] == q.get("family", task.definition["family"])
            and task.started_by == q.get("startedBy", task.started_by)
            and (wanted == "STOPPED") == task.is_leaving
        ]
        return _page(found, "taskArns", q)

    def DescribeTasks(self, q: Request) -> Request:  # noqa: N802
        self.cluster(q.get("cluster", "default"))
        if len(q["tasks"]) > 100:
            raise invalid("Tasks cannot have more than 100 items.")
        ids = [_tail(one) for one in q["tasks"]]
        return {
            "tasks": [self.tasks[one].describe() for one in ids if one in self.tasks],
            "failures": [{"arn": one, "reason": "MISSING"} for one in ids if one not in self.tasks],
        }

    def GetTaskProtection(self, q: Request) -> Request:  # noqa: N802
        tasks = [self.tasks[_tail(one)] for one in q.get("tasks", [])]
        return {"protectedTasks": [_protection(task) for task in tasks if task.service], "failures": []}

    def UpdateTaskProtection(self, q: Request) -> Request:  # noqa: N802
        if len(q["tasks"]) > 10:
            raise invalid("Tasks cannot have more than 10 items.")
        answers = [self.protect(_tail(one), q["protectionEnabled"], q.get("expiresInMinutes", 120)) for one in q["tasks"]]
        return {
            "protectedTasks": [told for task, told in answers if task],
            "failures": [told for task, told in answers if not task],
        }

    def protect(self, name: str, enabled: bool, minutes: int) -> tuple[Task | None, Request]:
        """Protects a task or lets it go: the task and its protection, or None and the failure."""
        task = self.tasks[name]
        if not task.service or task.is_leaving:
            return None, {"arn": task.arn, "reason": "TASK_NOT_VALID"}
        if enabled and not 1 <= minutes <= 2880:
            raise invalid("expiresInMinutes must be between 1 and 2880")
        task.protected_until = time.time() + 60 * minutes if enabled else 0.0
        return task, _protection(task)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing happens in the block but what it does."""
        with self.lock:
            yield


def _protection(task: Task) -> Request:
    told: Request = {"taskArn": task.arn, "protectionEnabled": task.is_protected}
    return told | ({"expirationDate": task.protected_until} if task.is_protected else {})


def _tags(q: Request) -> dict[str, str]:
    return {tag["key"]: tag.get("value", "") for tag in q.get("tags", [])}


def _tail(name: str) -> str:
    return name.rpartition("/")[2]


def _page(items: list[str], key: str, q: Request) -> Request:
    """A page of a list; small ones, so that whoever reads only the first is found out."""
    size, start = min(q.get("maxResults", 100), 100), int(q.get("nextToken", 0))
    more = {"nextToken": str(start + size)} if start + size < len(items) else {}
    return {key: items[start : start + size], **more}
