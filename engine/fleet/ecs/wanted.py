"""What AWS is asked to have for a version: requests as values. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from engine.fleet.ecs.names import INIT, SERVICE, Names
from engine.fleet.ecs.settings import Account
from engine.fleet.house import Spec

STOP_TIMEOUT = 120
"""Seconds between SIGTERM and SIGKILL, Fargate's longest; the worker gives up what runs at 110."""

HEALTH = {
    "command": ["CMD", "python", "-P", "-m", "worker.health"],
    "interval": 30,
    "timeout": 5,
    "retries": 3,
    "startPeriod": 120,
}
"""ECS does not look at an image's own HEALTHCHECK."""

Request = dict[str, Any]


def content(request: Mapping[str, Any]) -> str:
    """A short hash of a request: the same for the same content."""
    text = json.dumps(request, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cluster() -> Request:
    """A cluster's own part of CreateCluster and PutClusterCapacityProviders."""
    return {
        "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
        "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
    }


def worker_definition(names: Names, account: Account, spec: Spec, region: str) -> Request:
    """RegisterTaskDefinition of workers, without tags."""
    command = ["worker", "--version", names.version, "--stop-timeout", str(STOP_TIMEOUT - 10)]
    if spec.slots is not None:
        command += ["--slots", str(spec.slots)]
    container = {**_container(SERVICE, command, names, account, spec, region), "healthCheck": HEALTH}
    return _definition(names.worker_family, container, account, spec.cpu, spec.memory, spec.arch)


def init_definition(names: Names, account: Account, spec: Spec, region: str) -> Request:
    """RegisterTaskDefinition of init, without tags; which flow is said when it is run. It compiles and queues, so it is small."""
    container = _container(INIT, ["init", "--help"], names, account, spec, region)
    return _definition(names.init_family, container, account, 1024, 2048, spec.arch)


def service(account: Account, spec: Spec) -> Request:
    """What CreateService and UpdateService have in common; neither the task definition nor the number of workers."""
    kinds: list[Request] = [
        {"capacityProvider": "FARGATE", "base": spec.base, "weight": spec.on_demand},
        {"capacityProvider": "FARGATE_SPOT", "weight": spec.spot},
    ]
    return {
        "capacityProviderStrategy": [one for one in kinds if one["weight"]],  # AWS places nothing on one without a weight
        "platformVersion": "LATEST",
        "networkConfiguration": network(account),
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
        },
        "availabilityZoneRebalancing": "DISABLED",  # it would stop busy workers to even out zones
        "enableECSManagedTags": True,
        "propagateTags": "SERVICE",
    }


def network(account: Account) -> Request:
    """The network of a task."""
    return {
        "awsvpcConfiguration": {
            "subnets": sorted(account.subnets),
            "securityGroups": sorted(account.security_groups),
            "assignPublicIp": "ENABLED" if account.public_ip else "DISABLED",
        }
    }


def _definition(family: str, container: Request, account: Account, cpu: int, memory: int, arch: str) -> Request:
    return {
        "family": family,
        "taskRoleArn": account.task_role,
        "executionRoleArn": account.execution_role,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(cpu),
        "memory": str(memory),
        "runtimePlatform": {"cpuArchitecture": arch, "operatingSystemFamily": "LINUX"},
        "containerDefinitions": [{**container, "cpu": cpu, "memory": memory}],
        "volumes": [{"name": "tmp"}],
    }


def _container(name: str, command: list[str], names: Names, account: Account, spec: Spec, region: str) -> Request:
    environment = {"WAVEDECK_VERSION": names.version, "WAVEDECK_IMAGE": spec.image, "WAVEDECK_FLEET": "ecs"}
    if spec.flows:
        environment["WAVEDECK_FLOWS"] = spec.flows
    if account.redis_url:
        environment["WAVEDECK_REDIS_URL"] = account.redis_url
    secrets = [{"name": "WAVEDECK_REDIS_URL", "valueFrom": account.redis_secret}] if account.redis_secret else []
    return {
        "name": name,
        "image": spec.image,
        "essential": True,
        "entryPoint": ["wavedeck"],
        "command": command,
        "environment": [{"name": key, "value": value} for key, value in sorted(environment.items())],
        "secrets": secrets,
        "stopTimeout": STOP_TIMEOUT,
        "versionConsistency": "enabled",
        "readonlyRootFilesystem": True,
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp", "readOnly": False}],  # noqa: S108
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": names.log_group,
                "awslogs-region": region,
                "awslogs-stream-prefix": name,
                "mode": "non-blocking",  # a worker does not wait for CloudWatch
                "max-buffer-size": "4m",
            },
        },
    }
