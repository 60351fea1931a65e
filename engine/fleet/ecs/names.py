"""What the things of a version are called on AWS, within its rules. Pure.

A cluster, family and log group may have letters, digits, `-` and `_`, a schedule's group 64 of them at most; a tag's value letters,
digits, spaces and `+-=._:/@`, 256 at most. The branch itself stands in a tag.
"""

import re
from dataclasses import dataclass

from engine.errors import Refused
from engine.fleet.names import slug

PREFIX = "wavedeck-"
SERVICE = "worker"
"""A cluster's only service, and the container of its tasks."""
INIT = "init"
"""The container of the task that starts waves."""

VERSION_TAG = "wavedeck:version"
CONTENT_TAG = "wavedeck:content"
IMAGE_TAG = "wavedeck:image"
LONGEST_TAG = 256

_NOT_IN_TAG = re.compile(r"[^A-Za-z0-9+._:/@ -]")


@dataclass(frozen=True)
class Names:
    """Of one version."""

    version: str
    cluster: str

    @property
    def worker_family(self) -> str:
        """The task definitions of workers."""
        return f"{self.cluster}-{SERVICE}"

    @property
    def init_family(self) -> str:
        """The task definitions of init."""
        return f"{self.cluster}-{INIT}"

    @property
    def log_group(self) -> str:
        """Where all its containers write."""
        return f"/wavedeck/{self.cluster.removeprefix(PREFIX)}"

    @property
    def scalable(self) -> str:
        """The service, as application autoscaling calls it."""
        return f"service/{self.cluster}/{SERVICE}"


def names(version: str) -> Names:
    """Of a version; two versions never share any. At most 50 characters, a family 57."""
    return Names(version, PREFIX + slug(version))


def tags(version: str, **more: str) -> dict[str, str]:
    """What everything of a version is tagged with.

    Raises:
        Refused: the version's name is too long for a tag.
    """
    value = to_tag(version)
    if len(value) > LONGEST_TAG:
        raise Refused(f"the name {version[:40]!r}… takes {len(value)} characters of a tag, which holds {LONGEST_TAG}")
    return {VERSION_TAG: value, **{f"wavedeck:{name}": text for name, text in more.items()}}


def to_tag(text: str) -> str:
    """`text` as a tag's value may be; other characters become `=` and two hex digits for each byte."""
    return _NOT_IN_TAG.sub(lambda found: "".join(f"={byte:02X}" for byte in found[0].encode()), text)


def from_tag(value: str) -> str:
    """What `to_tag` was given."""
    return re.sub(
        r"(?:=[0-9A-F]{2})+", lambda found: bytes.fromhex(found[0].replace("=", "")).decode("utf-8", "replace"), value
    )


def cluster_url(region: str, cluster: str) -> str:
    """A service's page in the AWS console."""
    return f"https://{region}.console.aws.amazon.com/ecs/v2/clusters/{cluster}/services/{SERVICE}/health?region={region}"


def task_url(region: str, cluster: str, task: str) -> str:
    """A task's page in the AWS console."""
    return f"https://{region}.console.aws.amazon.com/ecs/v2/clusters/{cluster}/tasks/{task}/configuration?region={region}"
