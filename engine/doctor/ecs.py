"""Under Amazon ECS: what the environment of a task offers. Facts by the container metadata endpoint, version 4."""

from collections.abc import Iterator, Mapping

from engine.agent import AGENT, METADATA, ask, refusal
from engine.doctor.finding import Finding


def ecs(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Nothing outside ECS."""
    if METADATA not in environment and AGENT not in environment:
        return
    yield from _task(environment.get(METADATA, ""))
    yield _protection(environment.get(AGENT, ""))


def _task(uri: str) -> Iterator[Finding]:
    if not uri:
        yield Finding("ecs task", "warn", f"no {METADATA}", "Fargate platform 1.4.0 or later, or a newer ECS agent")
        return
    status, told = ask(f"{uri}/task")
    if status != 200:
        yield Finding("ecs task", "warn", f"the metadata endpoint says {told or status}", "look at the ECS agent")
        return
    definition = f"{told.get('Family')}:{told.get('Revision')}"
    yield Finding("ecs task", "ok", f"task {str(told.get('TaskARN', '')).rpartition('/')[2]} of {definition}")
    yield Finding(
        "stop timeout",
        "skip",
        "ECS does not tell its tasks; without one in the task definition it is 30 s",
        f"stopTimeout 120 in {definition}, above the worker's --stop-timeout (110): "
        f"aws ecs describe-task-definition --task-definition {definition} --query 'taskDefinition.containerDefinitions[].stopTimeout'",
    )


def _protection(uri: str) -> Finding:
    name = "task protection"
    if not uri:
        return Finding(
            name,
            "warn",
            f"no {AGENT}: scale-in may stop a busy worker",
            "Fargate platform 1.4.0 or later, or a newer ECS agent",
        )
    status, told = ask(f"{uri}/task-protection/v1/state")
    if reason := refusal(told):
        found = f"refused: {reason}"
        advice = (
            "only tasks of a service can be protected; the task role needs ecs:GetTaskProtection and ecs:UpdateTaskProtection"
        )
        return Finding(name, "warn", found, advice)
    if status != 200:
        return Finding(
            name, "FAIL", f"the agent says {told or status}: scale-in may stop a busy worker", "look at the ECS agent"
        )
    protected = isinstance(told, dict) and bool((told.get("protection") or {}).get("ProtectionEnabled"))
    return Finding(name, "ok", f"can be asked for; {'protected' if protected else 'not protected'} now")
