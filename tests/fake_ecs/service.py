"""A service of the fake ECS: keeps its tasks as many as wanted, rolls to another definition, lets protected tasks be."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fake_ecs.task import ACCOUNT, REGION, Task, cluster_arn

BREAKER = 3
"""Tasks that fail to start before a deployment is taken back: the fewest that AWS waits for."""


@dataclass
class Rollout:
    """A deployment. `failed`: tasks of it that would not start."""

    definition: str
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0
    id: str = field(default_factory=lambda: f"ecs-svc/{uuid.uuid4().int % 10**19}")
    created: float = field(default_factory=time.time)


@dataclass
class FakeService:
    """`request`: what it was made and altered by; `rollouts`: the primary one first."""

    cluster: str
    name: str
    request: dict[str, Any]
    desired: int
    rollouts: list[Rollout]
    status: str = "ACTIVE"
    tags: dict[str, str] = field(default_factory=dict)
    events: list[str] = field(default_factory=list)
    last_good: str = ""

    @property
    def arn(self) -> str:
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{self.cluster}/{self.name}"

    def roll(self, definition: str) -> None:
        """Begins a deployment."""
        self.rollouts.insert(0, Rollout(definition))
        for old in self.rollouts[1:]:
            old.state = "COMPLETED" if old.state != "FAILED" else old.state

    def provider_for(self, number: int, there: Sequence[Task]) -> str:
        """Which kind of capacity the next task gets: the base first, then by the weights."""
        items = [item for item in self.request["capacityProviderStrategy"] if item.get("weight")]
        based = next((i for i in items if i.get("base")), None)
        kinds = [task.provider for task in there]
        if based and kinds.count(based["capacityProvider"]) < based["base"]:
            return str(based["capacityProvider"])
        bag = [item["capacityProvider"] for item in items for _ in range(item.get("weight", 0))]
        return str(bag[number % len(bag)])

    def steps(self, tasks: Sequence[Task]) -> tuple[list[Task], int]:
        """Which tasks are to stop now, and how many of the primary definition to start. `tasks`: all of it that have not ended."""
        primary = self.rollouts[0]
        staying = [task for task in tasks if not task.is_leaving]
        new = [task for task in staying if task.definition["taskDefinitionArn"] == primary.definition]
        old = [task for task in staying if task not in new]
        running = sum(task.status == "RUNNING" for task in new)
        spare = max(0, running + sum(task.status == "RUNNING" for task in old) - self.desired)
        ready = [task for task in old if task.status == "RUNNING" and not task.is_protected]
        stop = [task for task in old if task.status == "PENDING"] + ready[: spare if self.desired else len(ready)]
        # The youngest first, a busy one never: scale-in.
        too_many = sorted((t for t in new if not t.is_protected), key=lambda t: -t.created)[: max(0, len(new) - self.desired)]
        room = 2 * self.desired - len(staying)  # maximumPercent 200
        start = max(0, min(self.desired - len(new), room))
        if primary.state == "IN_PROGRESS" and not old and running == self.desired == len(new):
            primary.state, primary.reason = "COMPLETED", f"ECS deployment {primary.id} completed."
            self.rollouts = [primary]
            self.last_good = primary.definition
            self.events.insert(0, f"(service {self.name}) has reached a steady state.")
        return stop + too_many, start

    def task_failed(self, definition: str) -> None:
        """A task of a definition would not start: enough of them, and the deployment is taken back."""
        primary = self.rollouts[0]
        if primary.definition != definition or primary.state != "IN_PROGRESS":
            return
        primary.failed += 1
        if primary.failed >= BREAKER:
            primary.state, primary.reason = "FAILED", "ECS deployment circuit breaker: tasks failed to start."
            self.events.insert(0, f"(service {self.name}) (deployment {primary.id}) deployment failed: tasks failed to start.")
            if self.last_good and self.last_good != definition:
                self.roll(self.last_good)
                self.rollouts[
                    0
                ].reason = f"ECS deployment circuit breaker: rolling back to deploymentId {self.rollouts[-1].id}."

    def describe(self, tasks: Sequence[Task], *, with_tags: bool) -> dict[str, Any]:
        """As DescribeServices tells it."""
        running = [task for task in tasks if task.status == "RUNNING"]
        pending = [task for task in tasks if task.status == "PENDING"]
        told = {key: value for key, value in self.request.items() if key not in ("cluster", "service", "tags", "clientToken")}
        return told | {
            "serviceArn": self.arn,
            "serviceName": self.name,
            "clusterArn": cluster_arn(self.cluster),
            "status": self.status,
            "desiredCount": self.desired,
            "runningCount": len(running),
            "pendingCount": len(pending),
            "taskDefinition": self.rollouts[0].definition,
            "deployments": [
                {
                    "id": one.id,
                    "status": "PRIMARY" if one is self.rollouts[0] else "ACTIVE",
                    "taskDefinition": one.definition,
                    "rolloutState": one.state,
                    "rolloutStateReason": one.reason,
                    "failedTasks": one.failed,
                    "desiredCount": self.desired if one is self.rollouts[0] else 0,
                    "createdAt": one.created,
                }
                for one in self.rollouts
            ],
            "events": [{"id": str(n), "createdAt": 0.0, "message": text} for n, text in enumerate(self.events[:100])],
            **({"tags": [{"key": k, "value": v} for k, v in self.tags.items()]} if with_tags else {}),
        }
