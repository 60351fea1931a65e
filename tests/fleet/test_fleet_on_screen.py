"""The console's screen of fleets on a control plane of ECS: it tells what is there, scales it, and stops a worker."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ecs_rig import Spec, ecs
from redis import Redis
from textual.pilot import Pilot
from textual.widgets import Button, Input
from town import PATIENCE, Town, town

from console.app import WavedeckApp
from console.screens.fleet import EVERY
from console.screens.fleet_lists import FleetList, HandList
from engine.store.acts import Acts

__all__ = ["ecs", "town"]


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    """Waits for the console, or for what runs on ECS."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "\n".join(strip.text for strip in pilot.app.screen._compositor.render_strips())
        await asyncio.sleep(0.05)
        await pilot.pause()


async def test_a_fleet_on_ecs_is_scaled_from_the_console(town: Town, redis: Redis, redis_url: str, tmp_path: Path) -> None:
    # Given a version that is deployed, without a worker
    image = town.image("flows")
    fleet = town.house.fleet("feature/x")
    fleet.deploy(Spec(image, base=0, on_demand=0, slots=1, flows="shop", most=3))

    app = WavedeckApp(redis_url, locator="fleet", house=lambda: town.house)
    async with app.run_test(size=(140, 40)) as pilot:
        await until(pilot, lambda: app.screen.query(FleetList) and app.screen.query_one(FleetList).rows)
        fleets, hands, screen = app.screen.query_one(FleetList), app.screen.query_one(HandList), app.screen
        [row] = fleets.rows
        assert (row.service.version, row.service.image, row.service.most) == ("feature/x", image, 3)

        # When it is scaled to more than it may have
        await pilot.press("S")
        await until(pilot, lambda: app.screen is not screen and not app.screen.query_one("#count", Input).disabled)
        app.screen.query_one("#count", Input).value = "9"
        await until(pilot, lambda: not app.screen.query_one("#yes", Button).disabled)
        await pilot.press("enter", "right", "enter")
        await until(pilot, lambda: app.screen is screen)

        # Then AWS is asked for as many as it may have, they come, and it is in the log of acts
        assert fleet.desired().desired == 3
        await until(pilot, lambda: fleet.desired().running == 3)
        screen.refresh_now()  # type: ignore[attr-defined]
        await until(pilot, lambda: _again(screen) and sum(w.state == "running" for w in hands.rows) == 3)
        assert all(row.url.startswith("https://") and "sha256:" in row.image for row in hands.rows)
        assert [(act.verb, act.origin, act.detail) for act in Acts(redis).recent()] == [("scale", "console", "3 workers")]
    assert EVERY["ecs"] >= 15, "AWS counts calls"


def _again(screen: Any) -> bool:
    """Asks the house again, as ctrl-r does, but not before it may be."""
    screen.refresh_now()
    return True
