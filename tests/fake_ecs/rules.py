"""What AWS refuses although its model of a request allows it. Each rule as AWS says it."""

import re
from typing import Any

from engine.fleet.ecs.settings import DAYS, SIZES

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_TAG = re.compile(r"[\w\s+=.:/@-]{0,256}")
_SCHEDULE = re.compile(r"[0-9a-zA-Z_.-]{1,64}")
_EXPRESSION = re.compile(r"(rate\(\d+ (minutes?|hours?|days?)\)|cron\((\S+ ){5}\S+\)|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\))")


class AwsError(Exception):
    """What a call is answered with: `code` as AWS names it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterException", message)


def name(value: str, what: str) -> None:
    if not _NAME.fullmatch(value):
        raise invalid(f"{what} may contain up to 255 letters, numbers, hyphens and underscores: {value!r}")


def tags(found: list[dict[str, str]]) -> None:
    for tag in found:
        if not _TAG.fullmatch(tag.get("value", "")) or len(tag["key"]) > 128:
            raise invalid(f"a tag's value may hold 256 letters, digits, spaces and +-=._:/@: {tag}")
    if len(found) > 50:
        raise invalid("a resource has at most 50 tags")


def definition(request: dict[str, Any]) -> None:
    name(request["family"], "Family")
    tags(request.get("tags", []))
    if request.get("requiresCompatibilities") != ["FARGATE"] or request.get("networkMode") != "awsvpc":
        raise AwsError("ClientException", "Fargate only supports network mode ‘awsvpc’.")
    cpu, memory = int(request.get("cpu", 0)), int(request.get("memory", 0))
    if memory not in SIZES.get(cpu, ()):
        raise AwsError("ClientException", "No Fargate configuration exists for given values: the CPU and memory do not match")
    volumes = {volume["name"] for volume in request.get("volumes", [])}
    for container in request["containerDefinitions"]:
        if container.get("stopTimeout", 30) > 120:
            raise AwsError("ClientException", "stopTimeout must be between 0 and 120 on Fargate")
        if not {mount["sourceVolume"] for mount in container.get("mountPoints", [])} <= volumes:
            raise AwsError("ClientException", "Unknown volume in mountPoints")
        if {e["name"] for e in container.get("environment", [])} & {s["name"] for s in container.get("secrets", [])}:
            raise AwsError(
                "ClientException", "The secret name must be unique and not shared with any new or existing environment"
            )
        if container.get("secrets") and not request.get("executionRoleArn"):
            raise AwsError(
                "ClientException", "When you are specifying container secrets, you must also specify an execution role"
            )


def strategy(found: list[dict[str, Any]]) -> None:
    if not any(item.get("weight", 0) > 0 for item in found):
        raise invalid("At least one capacity provider in a strategy must have a weight greater than zero.")
    if sum("base" in item for item in found) > 1:
        raise invalid("Only one capacity provider in a capacity provider strategy can have a base defined.")
    if unknown := {item["capacityProvider"] for item in found} - {"FARGATE", "FARGATE_SPOT"}:
        raise invalid(f"The specified capacity provider was not found: {unknown}")


def network(request: dict[str, Any]) -> None:
    config = request.get("networkConfiguration", {}).get("awsvpcConfiguration")
    if not config:
        raise invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    for subnet in config["subnets"]:
        if not subnet.startswith("subnet-"):
            raise invalid(
                f"Error retrieving subnet information for [{subnet}]: The subnet ID '{subnet}' does not exist "
                "(ErrorCode: InvalidSubnetID.NotFound)"
            )
    if not 1 <= len(config["subnets"]) <= 16 or len(config.get("securityGroups", [])) > 5:
        raise invalid("there must be 1 to 16 subnets and at most 5 security groups")


def run_task(request: dict[str, Any]) -> None:
    if not 1 <= request.get("count", 1) <= 10:
        raise invalid("Count must be between 1 and 10.")
    if len(request.get("clientToken", "")) > 64 or len(request.get("startedBy", "")) > 128:
        raise invalid("clientToken may have 64 characters, startedBy 128")
    if len(str(request.get("overrides", ""))) > 8192:
        raise invalid("Container Overrides length must be at most 8192")


def schedule(request: dict[str, Any]) -> None:
    if not _SCHEDULE.fullmatch(request["Name"]):
        raise AwsError("ValidationException", f"Value at 'name' failed to satisfy constraint: {request['Name']!r}")
    if not _EXPRESSION.fullmatch(request["ScheduleExpression"]):
        raise AwsError("ValidationException", f"Invalid Schedule Expression {request['ScheduleExpression']}.")
    target = request["Target"]
    if "EcsParameters" in target and not 1 <= target["EcsParameters"].get("TaskCount", 1) <= 10:
        raise AwsError("ValidationException", "TaskCount must be between 1 and 10")
    if not 60 <= target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", 86400) <= 86400:
        raise AwsError("ValidationException", "MaximumEventAgeInSeconds must be between 60 and 86400")


def retention(days: int) -> None:
    if days not in DAYS:
        raise invalid(f"retentionInDays must be one of {DAYS}")
