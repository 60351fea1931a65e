"""Deploy and undeploy: what differs between what is wanted and what is there, and doing it, thing by thing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.fleet.ecs.calls import Aws
from engine.fleet.ecs.resources import Found, Resource
from engine.fleet.house import Change, Deployment

LONGEST = 200
"""Characters of a value that are shown."""
LABELS = ("name", "capacityProvider", "sourceVolume")
"""What the things of a list are called by."""


def deploy(aws: Aws, version: str, resources: Sequence[Resource], *, dry_run: bool) -> Deployment:
    """Has every resource be as wanted, in their order; one that is already is left alone."""
    changes = []
    for resource in resources:
        found = resource.read(aws)
        changes.append(_change(resource, found))
        if changes[-1].sign != "=" and not dry_run:
            resource.make(aws, found)
    return Deployment(version, tuple(changes), dry_run)


def undeploy(aws: Aws, version: str, resources: Sequence[Resource], *, dry_run: bool) -> Deployment:
    """Removes every resource that is there, the last first."""
    changes = []
    for resource in reversed(resources):
        found = resource.read(aws)
        if found is None:
            continue
        if resource.stays:
            changes.append(Change("!", resource.kind, resource.name, (resource.stays,)))
            continue
        changes.append(Change("-", resource.kind, resource.name))
        if not dry_run:
            resource.remove(aws, found)
    return Deployment(version, tuple(changes), dry_run)


def _change(resource: Resource, found: Found | None) -> Change:
    if found is not None and found.content == resource.content:
        return Change("=", resource.kind, resource.name)
    wanted = dict(_leaves(resource.wanted))
    if found is None:
        return Change("+", resource.kind, resource.name, tuple(f"{name}: {_shown(value)}" for name, value in wanted.items()))
    there = dict(_leaves(found.facts))
    lines = [
        f"{name}: {_shown(there.get(name))} → {_shown(value)}" for name, value in wanted.items() if there.get(name) != value
    ]
    lines += [f"{name}: {_shown(value)} → none" for name, value in there.items() if _is_gone(name, wanted)]
    return Change("~", resource.kind, resource.name, tuple(lines))


def _is_gone(name: str, wanted: Mapping[str, Any]) -> bool:
    """Whether a leaf is one of a list that we set, such as a variable of the environment, and is not set any more: what else AWS
    tells is its own."""
    head, bracket, _ = name.rpartition("[")
    return bool(bracket) and name not in wanted and any(other.startswith(f"{head}[") for other in wanted)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its path: `containerDefinitions[worker].environment[NAME]`; a list of things without names is one leaf."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value and all(isinstance(one, Mapping) and _name(one) for one in value):
        for one in value:
            inner = {key: inside for key, inside in one.items() if key not in LABELS}
            yield from _leaves(inner["value"] if set(inner) == {"value"} else inner, f"{path}[{_name(one)}]")
    elif value not in ([], {}, None):
        yield path, value


def _name(one: Mapping[str, Any]) -> str:
    return next((str(one[label]) for label in LABELS if one.get(label)), "")


def _shown(value: Any) -> str:
    text = "none" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
