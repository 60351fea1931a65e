"""What a deploy needs to know of an AWS account: the `[aws]` table of a settings file, or the outputs of a CloudFormation stack.

[aws]
stack = "wavedeck"                # take from its outputs what is not set here
region = "eu-central-1"           # default: as the AWS command line finds it
profile = "research"
subnets = ["subnet-…", "subnet-…"]
security_groups = ["sg-…"]
execution_role = "arn:aws:iam::…" # pulls the image, writes logs, reads the secret
task_role = "arn:aws:iam::…"      # what workers may do
scheduler_role = "arn:aws:iam::…" # by which EventBridge runs init; only for schedules
redis_secret = "arn:aws:secretsmanager:…"  # its text is the URL of Redis
redis_url = "redis://…"           # instead of the secret, for a URL without a password
public_ip = false                 # true in subnets without a NAT gateway
log_days = 30
cpu = 1024                        # and any other field of `engine.fleet.house.Spec`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlsplit

from engine.errors import Refused
from engine.fleet.house import Spec

SIZES = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}
"""Memory in MiB that Fargate has for each number of CPU units."""
DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""For which CloudWatch keeps logs."""


@dataclass(frozen=True)
class Account:
    """The account's part of the `[aws]` table; the module says what each is."""

    stack: str = ""
    region: str = ""
    profile: str = ""
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    execution_role: str = ""
    task_role: str = ""
    scheduler_role: str = ""
    redis_secret: str = ""
    redis_url: str = ""
    public_ip: bool = False
    log_days: int = 30


OUTPUTS = {
    "SubnetIds": "subnets",
    "WorkerSecurityGroupId": "security_groups",
    "ExecutionRoleArn": "execution_role",
    "TaskRoleArn": "task_role",
    "SchedulerRoleArn": "scheduler_role",
    "RedisUrlSecretArn": "redis_secret",
}
"""Which output of `deploy/stack.yaml` is which setting."""


def read(table: Mapping[str, Any]) -> tuple[Account, dict[str, Any]]:
    """The account and the fields of `Spec` that an `[aws]` table sets.

    Raises:
        Refused: it names what there is not, or gives something of another kind.
    """
    account, spec = Account(), Spec("")
    ours, theirs = ({f.name: getattr(of, f.name) for f in fields(of)} for of in (account, spec))
    del theirs["image"]
    for name, value in table.items():
        if name not in ours and name not in theirs:
            raise Refused(f"[aws]: nothing is called {name!r}; there are: {', '.join([*ours, *theirs])}")
        usual = {**ours, **theirs}[name]
        if isinstance(usual, tuple):
            good = isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
        else:
            good = type(value) is (int if usual is None else type(usual))
        if not good:
            raise Refused(f"[aws]: {name} is {value!r}, which is no {_kind(usual)}")
    known: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in table.items() if n in ours}
    return replace(account, **known), {n: v for n, v in table.items() if n in theirs}


def from_outputs(account: Account, outputs: Sequence[Mapping[str, str]]) -> Account:
    """`account` with what it does not set taken from a stack's outputs."""
    told: dict[str, Any] = {}
    for output in outputs:
        name = OUTPUTS.get(output.get("OutputKey", ""))
        if name is not None and not getattr(account, name):
            value = output.get("OutputValue", "")
            told[name] = tuple(filter(None, value.split(","))) if isinstance(getattr(account, name), tuple) else value
    if account.redis_url:
        told.pop("redis_secret", None)
    return replace(account, **told)


def check(account: Account, spec: Spec) -> None:
    """Refuses what AWS would refuse, or what would not be what anybody means, with all that is missing at once.

    Raises:
        Refused: the text says what to set.
    """
    needed = {name: getattr(account, name) for name in ("subnets", "security_groups", "execution_role", "task_role")}
    missing = [name for name, value in needed.items() if not value]
    if not account.redis_secret and not account.redis_url:
        missing.append("redis_secret (or redis_url)")
    if missing:
        raise Refused(
            f"deploy needs {', '.join(missing)}: set them in the [aws] table, or name the stack of deploy/stack.yaml there (stack)"
        )
    if account.redis_url and account.redis_secret:
        raise Refused("[aws] has both redis_url and redis_secret; one of them is meant")
    if account.redis_url and urlsplit(account.redis_url).password:
        raise Refused(
            "redis_url holds a password, which whoever may describe the task would read; "
            "put the URL into Secrets Manager and its ARN into redis_secret"
        )
    if account.log_days not in DAYS:
        raise Refused(f"log_days is {account.log_days}; CloudWatch keeps logs for {', '.join(map(str, DAYS))} days")
    _check_spec(spec)


def check_image(image: str) -> None:
    """An image is named by what it is, not by a tag that may name another tomorrow.

    Raises:
        Refused: the text says how to find the digest.
    """
    name, _, digest = image.partition("@")
    kind, _, hexes = digest.partition(":")
    if name and kind == "sha256" and len(hexes) == 64 and set(hexes) <= set("0123456789abcdef"):
        return
    if digest:
        raise Refused(f"the image's digest is {digest[:80]!r}; it is sha256: and 64 hex digits")
    name, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
    raise Refused(
        f"{image[:200]!r} names an image by a tag, and a tag may name another image tomorrow: give it as {name}@sha256:…; "
        f"`docker buildx imagetools inspect {name}:{tag}` tells the digest, and so does a push"
    )


def _check_spec(spec: Spec) -> None:
    check_image(spec.image)
    sizes = SIZES.get(spec.cpu)
    if sizes is None:
        raise Refused(f"cpu is {spec.cpu}; Fargate has {', '.join(map(str, SIZES))} CPU units (1,024 are a vCPU)")
    if spec.memory not in sizes:
        raise Refused(f"memory is {spec.memory} MiB; with {spec.cpu} CPU units Fargate has {_some(sizes)}")
    if spec.arch not in ("X86_64", "ARM64"):
        raise Refused(f"arch is {spec.arch!r}; it can be X86_64 or ARM64")
    if not 0 <= spec.least <= spec.most:
        raise Refused(f"least is {spec.least} and most {spec.most}; 0 ≤ least ≤ most must hold")
    if spec.slots is not None and spec.slots < 1:
        raise Refused(f"slots is {spec.slots}; a worker has at least one")
    if spec.base < 0 or min(spec.spot, spec.on_demand) < 0 or not 0 < spec.spot + spec.on_demand <= 2000:
        raise Refused(
            f"base is {spec.base}, spot {spec.spot}, on_demand {spec.on_demand}; none may be negative, and one of the two shares must not be 0"
        )
    if spec.base and not spec.on_demand:
        raise Refused(
            f"base is {spec.base} and on_demand 0; AWS places nothing on a kind without a share: on_demand 1, or base 0"
        )


def _some(sizes: Sequence[int]) -> str:
    told = list(map(str, sizes))
    return ", ".join(told) if len(told) <= 8 else f"{told[0]}, {told[1]}, … {told[-1]}"


def _kind(usual: Any) -> str:
    if isinstance(usual, tuple):
        return "list of texts"
    return {"str": "text", "int": "whole number", "NoneType": "whole number", "bool": "true or false"}[type(usual).__name__]
