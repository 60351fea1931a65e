"""Deploying a version to ECS: what is made, that a second time changes nothing, that it can be taken away."""

from dataclasses import replace
from pathlib import Path

import pytest
from ecs_rig import ACCOUNT, IMAGE, OTHER, Time, a_house, ecs
from fake_ecs.server import FakeEcs
from servers import eventually

from engine.errors import NotFound, Refused
from engine.fleet.ecs.names import from_tag, names, to_tag
from engine.fleet.house import Deployment, FleetError, Spec

__all__ = ["ecs"]

VERSION = "feature/x"
CLUSTER = names(VERSION).cluster
KINDS = ["log group", "cluster", "task definition", "task definition", "service", "scalable target"]


def signs(done: Deployment) -> str:
    return "".join(change.sign for change in done.changes)


def test_a_dry_run_says_what_would_be_made_and_makes_nothing(ecs: FakeEcs) -> None:
    done = a_house().fleet(VERSION).deploy(Spec(IMAGE), dry_run=True)

    assert signs(done) == "++++++"
    assert [change.kind for change in done.changes] == KINDS
    assert "containerDefinitions[worker].stopTimeout: 120" in done.changes[2].lines
    assert not any(asked.operation.startswith(("Create", "Register", "Update", "Put", "Tag")) for asked in ecs.asked)


def test_a_deploy_makes_what_it_said_and_a_second_one_changes_nothing(ecs: FakeEcs) -> None:
    # Given a version
    fleet = a_house().fleet(VERSION)

    # When it is deployed twice
    first, before = fleet.deploy(Spec(IMAGE)), len(ecs.asked)
    second = fleet.deploy(Spec(IMAGE))

    # Then the second only looked
    assert signs(first) == "++++++"
    assert signs(second) == "======"
    assert second.unchanged
    assert all(asked.operation.startswith("Describe") for asked in ecs.asked[before:])

    # And there is what the issue of workers on ECS asks for
    [service] = ecs.requests("CreateService")
    assert service["capacityProviderStrategy"] == [
        {"capacityProvider": "FARGATE", "base": 1, "weight": 1},
        {"capacityProvider": "FARGATE_SPOT", "weight": 4},
    ]
    assert service["deploymentConfiguration"]["deploymentCircuitBreaker"] == {"enable": True, "rollback": True}
    assert service["desiredCount"] == 0
    [worker, init] = ecs.requests("RegisterTaskDefinition")
    [container] = worker["containerDefinitions"]
    assert (container["stopTimeout"], container["versionConsistency"], container["image"]) == (120, "enabled", IMAGE)
    assert container["command"] == ["worker", "--version", VERSION, "--stop-timeout", "110"]
    assert init["family"] == f"{CLUSTER}-init"
    assert ecs.logs.groups["/wavedeck/" + CLUSTER.removeprefix("wavedeck-")]["retentionInDays"] == 30
    assert ecs.scaling.targets[f"service/{CLUSTER}/worker"]["MaxCapacity"] == 100


def test_what_changed_is_shown_and_only_that_is_altered(ecs: FakeEcs) -> None:
    ecs.plane.no_capacity = True  # nothing runs here, it is only asked for
    fleet = a_house().fleet(VERSION)
    fleet.deploy(Spec(IMAGE))
    fleet.scale(2)

    plan = fleet.deploy(Spec(OTHER, most=7), dry_run=True)
    done = fleet.deploy(Spec(OTHER, most=7))

    assert plan.changes == done.changes
    assert signs(done) == "==~~~~"
    assert f"containerDefinitions[worker].image: {IMAGE} → {OTHER}" in done.changes[2].lines
    assert done.changes[5].lines == ("MaxCapacity: 100 → 7",)
    assert "desiredCount" not in ecs.requests("UpdateService")[-1]  # how many there are is not the deploy's to say
    assert fleet.desired().desired == 2
    assert signs(fleet.deploy(Spec(OTHER, most=7))) == "======"


def test_another_mix_of_spot_and_on_demand_is_a_new_deployment(ecs: FakeEcs) -> None:
    fleet = a_house().fleet(VERSION)
    fleet.deploy(Spec(IMAGE))

    fleet.deploy(Spec(IMAGE, cpu=2048))
    done = fleet.deploy(Spec(IMAGE, cpu=2048, spot=9))

    assert done.changes[4].lines == ("capacityProviderStrategy[FARGATE_SPOT].weight: 4 → 9",)
    size, mix = ecs.requests("UpdateService")
    assert "capacityProviderStrategy" not in size  # AWS takes it with a forced deployment only
    assert mix["forceNewDeployment"]
    assert fleet.deploy(Spec(IMAGE, cpu=2048, spot=9)).unchanged


def test_a_variable_that_is_not_set_any_more_is_shown_as_gone(ecs: FakeEcs) -> None:
    a_house().fleet(VERSION).deploy(Spec(IMAGE, flows="my.flows"))

    plan = a_house().fleet(VERSION).deploy(Spec(IMAGE), dry_run=True)

    assert "containerDefinitions[worker].environment[WAVEDECK_FLOWS]: my.flows → none" in plan.changes[2].lines


def test_a_deploy_that_was_cut_short_goes_on(ecs: FakeEcs) -> None:
    fleet = a_house().fleet(VERSION)
    ecs.fail("CreateService", "InvalidParameterException", "The security group 'sg-1' does not exist")
    with pytest.raises(Exception, match="subnets and security_groups must exist"):
        fleet.deploy(Spec(IMAGE))

    assert signs(fleet.deploy(Spec(IMAGE))) == "====++"


def test_two_versions_never_share_a_name(ecs: FakeEcs) -> None:
    house = a_house()
    for version in ("a/b", "a-b", "A/b", "élan", "#12"):
        house.fleet(version).deploy(Spec(IMAGE))

    assert len(ecs.plane.clusters) == 5
    assert [service.version for service in house.services()] == sorted(["a/b", "a-b", "A/b", "élan", "#12"])


@pytest.mark.parametrize("text", ["feature/x", "#12 (é=3D)", "a=b", "東京"])
def test_a_version_stands_in_a_tag_and_comes_back(text: str) -> None:
    assert from_tag(to_tag(text)) == text


def test_undeploy_removes_all_but_the_lines(ecs: FakeEcs) -> None:
    # Given a version and another whose name begins with the same
    house = a_house(time=Time())
    fleet, other = house.fleet("x"), house.fleet("x-init")
    fleet.deploy(Spec(IMAGE))
    other.deploy(Spec(IMAGE))

    # When the first is removed
    plan = fleet.undeploy(dry_run=True)
    assert fleet.desired().state == "steady"
    done = fleet.undeploy()

    # Then nothing of it is left but its log group, and the other is untouched
    assert plan.changes == done.changes
    assert signs(done) == "-----!"
    assert fleet.desired().state == "absent"
    assert signs(fleet.undeploy()) == "!"
    assert signs(other.deploy(Spec(IMAGE))) == "======"
    assert [s.version for s in house.services()] == ["x-init"]
    with pytest.raises(NotFound, match="wavedeck deploy --version x --image"):
        fleet.scale(1)

    # And it can be deployed again
    assert signs(fleet.deploy(Spec(IMAGE))) == "=+++++"


def test_undeploy_does_not_end_a_busy_worker_and_says_so(ecs: FakeEcs, tmp_path: Path) -> None:
    # Given a worker that is protected
    (tmp_path / "wavedeck").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "wavedeck").chmod(0o755)
    fleet = a_house(time=Time()).fleet(VERSION)
    fleet.deploy(Spec(ecs.push("registry/idle", tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin")))
    fleet.scale(1)
    eventually(lambda: fleet.desired().running == 1)
    [task] = ecs.tasks()
    ecs.plane.protect(task.id, True, 60)

    with pytest.raises(FleetError, match=r"workers of feature/x have not ended: busy ones are spared"):
        fleet.undeploy()
    assert not task.is_leaving

    # When it is idle, or ended all the same, undeploy goes on
    fleet.stop(task.id, "it may not go on")
    eventually(lambda: not fleet.workers())
    assert fleet.undeploy().changes[-1].sign == "!"
    assert fleet.desired().state == "absent"


def test_undeploy_waits_for_an_init_that_runs(ecs: FakeEcs, tmp_path: Path) -> None:
    (tmp_path / "wavedeck").write_text("#!/bin/sh\ntrap 'sleep 0.3; exit 0' TERM\necho ready\nwhile :; do sleep 0.02; done\n")
    (tmp_path / "wavedeck").chmod(0o755)
    time = Time(real=0.1)
    fleet = a_house(time=time).fleet(VERSION)
    fleet.deploy(Spec(ecs.push("registry/idle", tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin")))
    fleet.run_init(["shop"], token="t")  # noqa: S106
    [task] = ecs.tasks()
    eventually(lambda: "ready" in task.log.read_text(), 20)

    fleet.undeploy()

    assert task.exit_code == 0
    assert time.slept
    assert fleet.desired().state == "absent"


def test_the_number_of_workers_stays_within_its_bounds_and_is_not_asked_for_twice(ecs: FakeEcs) -> None:
    fleet = a_house().fleet(VERSION)
    fleet.deploy(Spec(IMAGE, least=1, most=5))

    assert [fleet.scale(count) for count in (3, 3, 50, 0)] == [3, 3, 5, 1]

    assert [request["desiredCount"] for request in ecs.requests("UpdateService")] == [3, 5, 1]


def test_an_image_that_does_not_run_is_taken_back_and_deployed_again_when_asked(ecs: FakeEcs, tmp_path: Path) -> None:
    # Given a version whose image runs
    fleet = a_house().fleet(VERSION)
    good = ecs.push("registry/good", tmp_path)
    fleet.deploy(Spec(good))
    eventually(lambda: fleet.desired().state == "steady")
    fleet.scale(1)

    # When one is deployed that cannot be pulled
    fleet.deploy(Spec(OTHER))
    eventually(lambda: fleet.desired().state == "failed", 10)

    # Then AWS goes back, the fleet says so, and a deploy of the same tries again
    service = eventually(lambda: (s := fleet.desired()).image == good and s)
    assert service
    assert service.state == "failed"
    assert signs(fleet.deploy(Spec(OTHER), dry_run=True))[4] == "~"
    assert any("CannotPull" in worker.reason for worker in fleet.workers(stopped=True))


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("registry:5000/flows:v3", r"registry:5000/flows@sha256:…; `docker buildx imagetools inspect registry:5000/flows:v3`"),
        ("flows", "inspect flows:latest"),
        ("flows@sha256:abc", "sha256: and 64 hex digits"),
        ("", "names an image by a tag"),
    ],
)
def test_a_tag_is_refused_with_advice(image: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        a_house().fleet(VERSION).deploy(Spec(image))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"subnets": (), "task_role": ""}, "deploy needs subnets, task_role: set them in the \\[aws\\] table"),
        ({"redis_url": ""}, "redis_secret \\(or redis_url\\)"),
        ({"redis_url": "rediss://u:secret@h:1"}, "holds a password.*Secrets Manager"),
        ({"redis_secret": "arn:x"}, "both redis_url and redis_secret"),
        ({"log_days": 31}, "log_days is 31"),
    ],
)
def test_an_account_that_is_not_all_there_is_refused_before_anything_is_asked(
    ecs: FakeEcs, change: dict[str, object], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        a_house(replace(ACCOUNT, **change)).fleet(VERSION).deploy(Spec(IMAGE))  # type: ignore[arg-type]
    assert ecs.asked == []


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (Spec(IMAGE, cpu=1000), "cpu is 1000; Fargate has 256, 512"),
        (Spec(IMAGE, memory=1000), "memory is 1000 MiB; with 1024 CPU units Fargate has 2048, 3072"),
        (Spec(IMAGE, least=5, most=3), "0 ≤ least ≤ most"),
        (Spec(IMAGE, base=0, spot=0, on_demand=0), "must not be 0"),
        (Spec(IMAGE, on_demand=0), "AWS places nothing on a kind without a share"),
        (Spec(IMAGE, slots=0), "at least one"),
    ],
)
def test_a_spec_that_fargate_does_not_have_is_refused(spec: Spec, why: str) -> None:
    with pytest.raises(Refused, match=why):
        a_house().fleet(VERSION).deploy(spec)
