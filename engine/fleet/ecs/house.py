"""The house on Amazon ECS: reads and scales services, deploys them, and says why a task ended."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from engine.errors import NotFound, Refused
from engine.fleet.ecs import logs, plan, wanted
from engine.fleet.ecs.calls import Answer, Aws, tag_map
from engine.fleet.ecs.endings import ending
from engine.fleet.ecs.names import IMAGE_TAG, PREFIX, SERVICE, VERSION_TAG, cluster_url, from_tag, names, task_url
from engine.fleet.ecs.resources import (
    Cluster,
    Definition,
    EcsService,
    LogGroup,
    Resource,
    ScalableTarget,
    Schedules,
    read_definition,
    read_service,
    read_target,
)
from engine.fleet.ecs.settings import Account, check, check_image, from_outputs
from engine.fleet.house import ALL, About, Deployment, FleetWorker, HouseName, LogLine, Service, Spec

MANY = 100
"""Of how many things AWS tells in one answer."""


class EcsHouse:
    """Fleets on ECS, in the account and region of the credentials that boto3 finds. Nothing is asked before a method is called."""

    name: HouseName = "ecs"

    def __init__(self, account: Account | None = None, *, aws: Aws | None = None) -> None:
        self.account = account or Account()
        self.aws = aws or Aws(self.account.region, self.account.profile)
        self._definitions: dict[str, Mapping[str, Any]] = {}

    def close(self) -> None:
        """Nothing of it ends with this process."""

    def keeps(self, version: str) -> bool:  # noqa: ARG002
        """No: its workers live on AWS."""
        return False

    def fleet(self, version: str) -> "EcsFleet":
        """A version's service."""
        return EcsFleet(self, version)

    def services(self) -> list[Service]:
        """Of every version with a cluster in this account and region."""
        arns = [
            arn for arn in self.aws.pages("ecs", "list_clusters", "clusterArns") if arn.rpartition("/")[2].startswith(PREFIX)
        ]
        versions = []
        for some in _parts(arns, MANY):
            answer = self.aws.call("ecs", "describe_clusters", clusters=some, include=["TAGS"])
            marks = [tag_map(cluster.get("tags")) for cluster in answer["clusters"] if cluster.get("status") != "INACTIVE"]
            versions += [from_tag(mark[VERSION_TAG]) for mark in marks if VERSION_TAG in mark]
        return [self.fleet(version).desired() for version in sorted(versions)]

    def complete(self) -> Account:
        """The account with what its stack's outputs say.

        Raises:
            NotFound: there is no such stack.
        """
        if not self.account.stack:
            return self.account
        answer = self.aws.find("cloudformation", "describe_stacks", StackName=self.account.stack)
        if not answer or not answer.get("Stacks"):
            raise NotFound(f"there is no stack {self.account.stack} in {self.aws.region}; deploy/stack.yaml makes it")
        return from_outputs(self.account, answer["Stacks"][0].get("Outputs", ()))

    def definition(self, arn: str) -> Mapping[str, Any]:
        """A task definition, which never changes; empty where it is gone."""
        if arn not in self._definitions:
            found = read_definition(self.aws, arn)
            self._definitions[arn] = found.facts if found else {}
        return self._definitions[arn]


class EcsFleet:
    """The service of one version."""

    def __init__(self, house: EcsHouse, version: str) -> None:
        self.version = version
        self.names = names(version)
        self._house, self._aws = house, house.aws

    def desired(self) -> Service:
        """Three calls, or one where nothing is deployed."""
        service = read_service(self._aws, self.names.cluster)
        if service is None:
            return Service(self.version, "ecs", 0, 0, 0, 0, 0, "absent", detail="nothing is deployed")
        least, most = self._bounds()
        definition = self._house.definition(service["taskDefinition"])
        image = str((definition.get("containerDefinitions") or [{}])[0].get("image", ""))
        state, detail = _state(service, image)
        return Service(
            version=self.version,
            house="ecs",
            desired=service.get("desiredCount", 0),
            running=service.get("runningCount", 0),
            pending=service.get("pendingCount", 0),
            least=least,
            most=most,
            state=state,
            image=image,
            detail=detail,
            url=cluster_url(self._aws.region, self.names.cluster),
            cpu=int(definition.get("cpu") or 0) / 1024,
            memory=int(definition.get("memory") or 0) << 20,
        )

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        """Tasks of the service; ECS remembers stopped ones for an hour or so. Two calls for each hundred."""
        arns = [*self._list("RUNNING"), *self._list("STOPPED")]  # those that are told to stop are among the latter at once
        found: list[FleetWorker] = []
        for some in _parts(arns, MANY):
            answer = self._aws.call("ecs", "describe_tasks", cluster=self.names.cluster, tasks=some)
            running = [task["taskArn"] for task in answer["tasks"] if task.get("lastStatus") == "RUNNING"]
            protected = self._protected(running) if running else {}
            found += [self._worker(task, protected) for task in answer["tasks"]]
        shown = [worker for worker in found if stopped or worker.state != "stopped"]
        return sorted(shown, key=lambda worker: (worker.created, worker.name))

    def scale(self, count: int) -> int:
        """Sets the service's desired count, unless it is that already."""
        if count < 0:
            raise Refused(f"a fleet cannot have {count} workers")
        service = read_service(self._aws, self.names.cluster)
        if service is None or service.get("status") != "ACTIVE":
            raise NotFound(
                f"nothing is deployed for {self.version}; `wavedeck deploy --version {self.version} --image …` does that"
            )
        least, most = self._bounds()
        count = max(least, min(count, most))
        if service.get("desiredCount") != count:
            self._aws.call("ecs", "update_service", cluster=self.names.cluster, service=SERVICE, desiredCount=count)
        return count

    def stop(self, worker: str, reason: str) -> None:
        """StopTask, protected or not: SIGTERM, and SIGKILL after two minutes."""
        answer = self._aws.find("ecs", "describe_tasks", cluster=self.names.cluster, tasks=[worker])
        if not answer or not answer.get("tasks"):
            raise NotFound(
                f"{self.version} has no worker {worker[:100]!r}; `wavedeck fleet --version {self.version}` lists them"
            )
        self._aws.call("ecs", "stop_task", cluster=self.names.cluster, task=worker, reason=reason[:250] or "wavedeck")

    def logs(self, about: About = ALL, *, since: float = 0.0, follow: bool = False) -> Iterator[LogLine]:
        """From CloudWatch, which has a line some seconds after it was written."""
        return logs.lines(self._aws, self.names.log_group, about, since=since, follow=follow)

    def deploy(self, spec: Spec, *, dry_run: bool = False) -> Deployment:
        """Log group, cluster, task definitions, service and its bounds; running workers are replaced as they end their work."""
        check_image(spec.image)
        account = self._house.complete()
        check(account, spec)
        return plan.deploy(self._aws, self.version, self._resources(account, spec), dry_run=dry_run)

    def undeploy(self, *, dry_run: bool = False) -> Deployment:
        """Lets the workers end, then removes everything but the log group. Pipes and waves stay in Redis."""
        return plan.undeploy(self._aws, self.version, self._resources(Account(), None), dry_run=dry_run)

    def run_init(self, words: Sequence[str], *, token: str, started_by: str = "") -> str:
        """Runs init once as a task of its own, `wavedeck init WORDS…`; its ARN. The same token starts it once.

        Raises:
            NotFound: nothing is deployed for this version.
        """
        service = read_service(self._aws, self.names.cluster)
        if service is None:
            raise NotFound(f"nothing is deployed for {self.version}")
        request = {
            "cluster": self.names.cluster,
            "taskDefinition": self.names.init_family,
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": service["networkConfiguration"],
            "overrides": {"containerOverrides": [{"name": "init", "command": ["init", *words]}]},
            "propagateTags": "TASK_DEFINITION",
            "enableECSManagedTags": True,
            "startedBy": started_by[:128] or "wavedeck",
        }
        [arn] = self._aws.run_tasks(1, token=token, **request)
        return arn

    def _resources(self, account: Account, spec: Spec | None) -> list[Resource]:
        """In the order in which they are made."""
        of = self.names
        if spec is None:
            return [
                LogGroup(of),
                Cluster(of),
                Definition(of, family=of.worker_family),
                Definition(of, family=of.init_family),
                EcsService(of),
                ScalableTarget(of),
                Schedules(of),
            ]
        worker = wanted.worker_definition(of, account, spec, self._aws.region)
        service = {**wanted.service(account, spec), "taskDefinition": wanted.content(worker)}
        return [
            LogGroup(of, {"retentionInDays": account.log_days}),
            Cluster(of, wanted.cluster()),
            Definition(of, worker, family=of.worker_family),
            Definition(of, wanted.init_definition(of, account, spec, self._aws.region), family=of.init_family),
            EcsService(of, service, image=spec.image, count=spec.least),
            ScalableTarget(of, {"MinCapacity": spec.least, "MaxCapacity": spec.most}),
        ]

    def _bounds(self) -> tuple[int, int]:
        target = read_target(self._aws, self.names) or {}
        return target.get("MinCapacity", 0), target.get("MaxCapacity", Spec("").most)

    def _list(self, status: str) -> Iterator[str]:
        more = self._aws.find("ecs", "describe_clusters", clusters=[self.names.cluster])
        if not more or not any(cluster.get("status") != "INACTIVE" for cluster in more["clusters"]):
            return iter(())
        return self._aws.pages(
            "ecs", "list_tasks", "taskArns", cluster=self.names.cluster, serviceName=SERVICE, desiredStatus=status
        )

    def _protected(self, arns: Sequence[str]) -> dict[str, bool]:
        answer = self._aws.call("ecs", "get_task_protection", cluster=self.names.cluster, tasks=list(arns))
        return {one["taskArn"]: bool(one.get("protectionEnabled")) for one in answer.get("protectedTasks", ())}

    def _worker(self, task: Answer, protected: Mapping[str, bool]) -> FleetWorker:
        name = task["taskArn"].rpartition("/")[2]
        container = (task.get("containers") or [{}])[0]
        exit_status, reason = ending(task)
        return FleetWorker(
            name=name,
            version=self.version,
            kind="spot" if task.get("capacityProviderName") == "FARGATE_SPOT" else "on-demand",
            state=_task_state(task),
            created=_moment(task.get("createdAt")),
            started=_moment(task.get("startedAt")),
            stopped=_moment(task.get("stoppedAt")),
            image=str(container.get("imageDigest") or str(container.get("image", "")).partition("@")[2]),
            exit=exit_status,
            reason=reason,
            protected=protected.get(task["taskArn"], False),
            url=task_url(self._aws.region, self.names.cluster, name),
        )


def _state(service: Answer, image: str) -> tuple[Literal["steady", "scaling", "rolling", "failed", "leaving"], str]:
    """How it stands with a service, and the last that AWS said about it. `image`: what its workers start from."""
    said = str((service.get("events") or [{}])[0].get("message", ""))
    if service.get("status") == "DRAINING":
        return "leaving", said
    deployments: Sequence[Answer] = service.get("deployments", ())
    primary = next((d for d in deployments if d.get("status") == "PRIMARY"), {})
    why = str(primary.get("rolloutStateReason", ""))
    if any(d.get("rolloutState") == "FAILED" for d in deployments) or "rolling back" in why:
        return "failed", why or said
    if len(deployments) > 1:
        return "rolling", why or said
    asked = tag_map(service.get("tags")).get(IMAGE_TAG, "")
    if asked and image and not image.endswith(asked):
        return "failed", f"{asked} would not run, AWS went back to {image.rpartition('@')[2]}"
    if service.get("runningCount") != service.get("desiredCount") or service.get("pendingCount"):
        return "scaling", said
    return "steady", said


def _task_state(task: Answer) -> Literal["pending", "running", "stopping", "stopped"]:
    last = task.get("lastStatus")
    if last == "STOPPED":
        return "stopped"
    if task.get("desiredStatus") == "STOPPED" or last in ("DEACTIVATING", "STOPPING", "DEPROVISIONING"):
        return "stopping"
    return "running" if last == "RUNNING" else "pending"


def _moment(value: Any) -> float:
    return float(value.timestamp()) if value is not None else 0.0


def _parts(items: Sequence[str], size: int) -> Iterator[list[str]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])
