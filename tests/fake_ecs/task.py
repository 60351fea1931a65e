"""A task of the fake ECS: a process of this machine with the life of a Fargate task."""

import hashlib
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.fleet.tether import spawn

ACCOUNT = "123456789012"
REGION = "eu-central-1"


@dataclass(frozen=True)
class Image:
    """What an image stands for here: the folder that its containers start in, and what they find in their environment.
    `broken`: it cannot be pulled."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    broken: bool = False

    @property
    def digest(self) -> str:
        """`sha256:…` of what is in the folder."""
        told = hashlib.sha256(repr((sorted(self.environment.items()), self.broken)).encode())
        for file in sorted(self.folder.rglob("*.py")):
            told.update(file.name.encode() + file.read_bytes())
        return f"sha256:{told.hexdigest()}"


@dataclass
class Task:
    """One task. `cluster`, `service`: names, the latter empty for one that RunTask started. Times as `time.time()` tells them."""

    cluster: str
    service: str
    definition: dict[str, Any]
    provider: str
    overrides: dict[str, Any]
    started_by: str
    log: Path
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    created: float = field(default_factory=time.time)
    started: float | None = None
    stopped: float | None = None
    stopping: float | None = None
    stop_code: str = ""
    stop_reason: str = ""
    container_reason: str = ""
    exit_code: int | None = None
    protected_until: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    read: int = 0

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{self.cluster}/{self.id}"

    @property
    def container(self) -> dict[str, Any]:
        return dict(self.definition["containerDefinitions"][0])

    @property
    def status(self) -> str:
        if self.stopped is not None:
            return "STOPPED"
        if self.stopping is not None:
            return "STOPPING" if self.started is not None else "DEPROVISIONING"
        return "RUNNING" if self.started is not None else "PENDING"

    @property
    def is_protected(self) -> bool:
        return self.protected_until > time.time()

    @property
    def is_leaving(self) -> bool:
        return self.stopping is not None or self.stopped is not None

    def run(self, image: Image, endpoint: str, environment: dict[str, str]) -> None:
        """Starts its process, or fails as a task does whose image cannot be pulled."""
        if image.broken:
            self.ask_to_stop("TaskFailedToStart", "CannotPullContainerError: pull image manifest has been retried 1 time(s)")
            self.stopped = time.time()
            return
        override = next(iter(self.overrides.get("containerOverrides", [])), {})
        command = [*self.container.get("entryPoint", []), *(override.get("command") or self.container.get("command", []))]
        told = {
            item["name"]: item["value"] for item in [*self.container.get("environment", []), *override.get("environment", [])]
        }
        own = {
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "ECS_CONTAINER_METADATA_URI_V4": f"{endpoint}/v4/{self.id}",
            "ECS_AGENT_URI": f"{endpoint}/agent/{self.id}",
        }
        wrapped = ["sh", "-c", 'cd "$0" && exec "$@"', str(image.folder), *command]
        self.process = spawn(wrapped, log=self.log, env={**environment, **image.environment, **told, **own})
        self.started = time.time()

    def ask_to_stop(self, code: str, reason: str) -> None:
        """SIGTERM to its first process, once."""
        if self.is_leaving:
            return
        self.stopping, self.stop_code, self.stop_reason = time.time(), code, reason
        if self.process is not None:
            os.kill(self.process.pid, signal.SIGTERM)  # it is not reaped before `look` has seen its end

    def look(self, late: Callable[[float, float], bool]) -> None:
        """Sees whether it has ended, and kills it when its stop timeout is over. `late`: whether so many seconds of AWS have passed
        since a moment."""
        if self.process is None:
            if self.stopping is not None and self.stopped is None:
                self.stopped = time.time()
            return
        if self.stopped is not None:
            return
        if self.stopping is not None and late(self.stopping, self.container.get("stopTimeout", 30)):
            self.kill()
        if os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return
        self.kill()  # what its first process leaves ends with the container, before the number can be another's
        code = self.process.wait()
        self.exit_code = code if code >= 0 else 128 - code
        self.stopped = time.time()
        if not self.stop_code:
            self.stop_code, self.stop_reason = "EssentialContainerExited", "Essential container in task exited"

    def kill(self) -> None:
        """SIGKILL to all of it."""
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)

    def describe(self) -> dict[str, Any]:
        """As DescribeTasks tells it."""
        image = self.container["image"]
        container = {
            "name": self.container["name"],
            "image": image,
            "imageDigest": image.partition("@")[2],
            "lastStatus": self.status,
            "exitCode": self.exit_code,
            "reason": self.container_reason or None,
        }
        told = {
            "taskArn": self.arn,
            "clusterArn": cluster_arn(self.cluster),
            "taskDefinitionArn": self.definition["taskDefinitionArn"],
            "containers": [{key: value for key, value in container.items() if value is not None}],
            "capacityProviderName": self.provider,
            "lastStatus": self.status,
            "desiredStatus": "STOPPED" if self.is_leaving else "RUNNING",
            "cpu": self.definition["cpu"],
            "memory": self.definition["memory"],
            "group": f"service:{self.service}" if self.service else f"family:{self.definition['family']}",
            "startedBy": self.started_by,
            "overrides": self.overrides,
            "createdAt": self.created,
            "startedAt": self.started,
            "stoppingAt": self.stopping,
            "stoppedAt": self.stopped,
            "stopCode": self.stop_code or None,
            "stoppedReason": self.stop_reason or None,
        }
        return {key: value for key, value in told.items() if value is not None}

    def metadata(self) -> dict[str, Any]:
        """As the endpoint of metadata, version 4, tells of the task."""
        return {
            "Cluster": cluster_arn(self.cluster),
            "TaskARN": self.arn,
            "Family": self.definition["family"],
            "Revision": str(self.definition["revision"]),
            "ServiceName": self.service,
            "DesiredStatus": "STOPPED" if self.is_leaving else "RUNNING",
            "KnownStatus": self.status,
            "Limits": {"CPU": int(self.definition["cpu"]) / 1024, "Memory": int(self.definition["memory"])},
            "LaunchType": "FARGATE",
            "AvailabilityZone": f"{REGION}a",
            "Containers": [self.container_metadata()],
        }

    def container_metadata(self) -> dict[str, Any]:
        """As it tells of the container."""
        return {
            "DockerId": f"{self.id}-1",
            "Name": self.container["name"],
            "Image": self.container["image"],
            "ImageID": self.container["image"].partition("@")[2],
            "Labels": {
                "com.amazonaws.ecs.cluster": cluster_arn(self.cluster),
                "com.amazonaws.ecs.task-arn": self.arn,
                "com.amazonaws.ecs.task-definition-family": self.definition["family"],
            },
            "Limits": {"CPU": self.container.get("cpu", 0), "Memory": self.container.get("memory", 0)},
        }


def cluster_arn(name: str) -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{name}"
