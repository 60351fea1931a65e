"""What AWS means by an error. Pure.

The same cause comes in many forms: a throttle as ten codes, as a message within `ClientException` or `InvalidParameterException`, or
in `failures` of an answer with status 200. So the cause is read from the code and the text, in one table, most telling first.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from engine.fleet.house import FleetError, NoCapacity, Throttled


class Cause(StrEnum):
    """Why a call was refused; each with what to do about it."""

    THROTTLED = "throttled"
    BUSY = "busy"
    CAPACITY = "capacity"
    QUOTA = "quota"
    PASS_ROLE = "pass role"  # noqa: S105
    DENIED = "denied"
    CREDENTIALS = "credentials"
    NETWORK = "network"
    ROLE = "role"
    MISSING = "missing"
    OTHER = "other"


AGAIN = frozenset({Cause.THROTTLED, Cause.BUSY})
"""Causes that pass by themselves: the same call, later, is the answer."""

_TABLE: Sequence[tuple[Cause, str]] = (
    (
        Cause.THROTTLED,
        r"throttl|rate exceeded|request ?limit ?exceeded|too ?many ?requests|too many concurrent|request rate|slow ?down"
        r"|bandwidth ?limit|priorrequestnotcomplete",
    ),
    (Cause.PASS_ROLE, r"iam:passrole"),
    (
        Cause.CREDENTIALS,
        r"expired ?token|invalid ?client ?token|unrecognized ?client|signature ?does ?not ?match|auth ?failure|invalid ?access ?key"
        r"|token.{0,30}expired|incomplete ?signature|missing ?authentication",
    ),
    (Cause.DENIED, r"access ?denied|unauthorized|not authorized"),
    (
        Cause.QUOTA,
        r"limit ?exceeded|quota|reached the limit|limit on the number of|maximum number of|too many (clusters|services|task)",
    ),
    (Cause.CAPACITY, r"capacity is unavailable|insufficient ?capacity|no capacity|^RESOURCE:|unavailable at this time"),
    (Cause.BUSY, r"service linked role"),  # of a new account: ECS has just made it
    (Cause.ROLE, r"unable to assume|assume the (provided )?role|role .*(invalid|not valid|does not exist)"),
    (Cause.NETWORK, r"subnet|security ?group|\bsg-|\bvpc\b|network ?interface"),
    (
        Cause.BUSY,
        r"update ?in ?progress|internal ?(server ?)?(error|failure)|service ?unavailable|server ?exception"
        r"|request ?timeout|concurrent ?(update|modification)|operation ?aborted|cluster ?contains",
    ),
    (Cause.MISSING, r"not ?found|does not exist|^MISSING$|unable to describe|not ?active|inactive"),
)
_PATTERNS = [(cause, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for cause, pattern in _TABLE]


def cause_of(code: str, message: str, status: int = 0) -> Cause:
    """What an error's code, message and HTTP status say together."""
    text = f"{code}\n{message}"
    for cause, pattern in _PATTERNS:
        if pattern.search(text):
            return cause
    if status == 429:
        return Cause.THROTTLED
    return Cause.BUSY if status >= 500 else Cause.OTHER


def cause_of_failures(failures: Sequence[Mapping[str, Any]]) -> tuple[Cause, str]:
    """The cause of what an answer with status 200 lists as failed, the first that is not a throttle if there is one, and its text."""
    told = [(str(f.get("reason", "")), str(f.get("detail", ""))) for f in failures]
    causes = [(cause_of(reason, detail), f"{reason} {detail}".strip()) for reason, detail in told]
    return next((c for c in causes if c[0] is not Cause.THROTTLED), causes[0])


def error_for(cause: Cause, doing: str, told: str) -> FleetError:
    """The error that a person reads. `doing`: the call that failed, such as `ecs create_service`; `told`: AWS' own words."""
    told = " ".join(told.split())
    kind = {Cause.THROTTLED: Throttled, Cause.CAPACITY: NoCapacity}.get(cause, FleetError)
    return kind(f"{doing}: {ADVICE[cause].format(told=told or 'no reason was given')}")


ADVICE = {
    Cause.THROTTLED: "AWS is asked too often by this account and went on refusing; try again in a minute ({told})",
    Cause.BUSY: "AWS could not do it now and went on saying so; try again in a minute ({told})",
    Cause.CAPACITY: "AWS has no capacity for it now: try later, name subnets in more zones, or raise on_demand against spot ({told})",
    Cause.QUOTA: "a quota of this account is reached: ask for more at Service Quotas, or scale another version down ({told})",
    Cause.PASS_ROLE: "you may not hand the task's roles to ECS: your own user needs iam:PassRole on execution_role and task_role ({told})",
    Cause.DENIED: "your user or role may not do this: add the action that is named here to its policy ({told})",
    Cause.CREDENTIALS: "AWS does not accept these credentials, they may have expired: `aws sts get-caller-identity` shows whose they are ({told})",
    Cause.NETWORK: "something is wrong with the network of the tasks: subnets and security_groups must exist, in one VPC of this region ({told})",
    Cause.ROLE: "a role cannot be used: execution_role and task_role must exist and trust ecs-tasks.amazonaws.com ({told})",
    Cause.MISSING: "it is not there, or not any more: `wavedeck fleet` shows what is ({told})",
    Cause.OTHER: "{told}",
}
