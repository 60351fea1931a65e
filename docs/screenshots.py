"""`make screenshots`: the pictures of the README, taken from the real console on the demo's flow while a wave runs."""

import asyncio
import tempfile
import time
from pathlib import Path

from console.app import WavedeckApp
from console.save import screen_svg
from console.start import start_wave
from engine.fleet.embedded import redis_server
from engine.fleet.local import LocalFleet
from engine.keys import Date
from engine.store.connect import Client, connect
from engine.store.wave import Wave
from engine.store.waves import Waves
from flows.flights import demo_start

IMAGES = Path(__file__).parent / "images"
SIZE = (118, 32)


def start(redis: Client, date: Date, state: str) -> Wave:
    """A wave of the demo's flow."""
    return start_wave(redis, "flights", version="main", date=date, state=state, by="demo", trigger=f"demo:{date}:{state}").wave


def until(redis: Client, wave: Wave, share: float) -> None:
    """Returns when that share of a wave's entities has ended."""
    while (found := Waves(redis).find(wave.id)) and found.left > wave.n * (1 - share):
        time.sleep(0.05)


async def picture(app: WavedeckApp, name: str, *keys: str) -> None:
    """Saves what the console shows after these keys."""
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(1.5)
        for key in keys:
            await pilot.press(key)
            await pilot.pause(1.5)
        svg = screen_svg(app)
        (IMAGES / f"{name}.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")


def main() -> None:
    """Runs six hours of the demo and two waves of all flights, and takes the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, redis_server(Path(home), persist=False) as server:
        redis = connect(server.url)
        with LocalFleet(server.url, version="main", flows="flows.flights", log_dir=Path(home)) as fleet:
            fleet.scale(1)
            for hours in range(6):
                until(redis, start(redis, demo_start.shift(hours), "routes"), 1.0)
            until(redis, start(redis, demo_start, "flights"), 1.0)
            moving = start(redis, demo_start.shift(1), "flights")
            until(redis, moving, 0.35)
            asyncio.run(picture(WavedeckApp(server.url), "waves"))
            asyncio.run(picture(WavedeckApp(server.url, locator=moving.id), "wave"))
            asyncio.run(picture(WavedeckApp(server.url, locator=moving.id), "map", "m", "g"))
            failed = f"flights@main {demo_start.shift(1)}"
            asyncio.run(picture(WavedeckApp(server.url, locator=f"failures {failed}"), "failures"))
            asyncio.run(picture(WavedeckApp(server.url, locator=failed), "entity", "enter"))
            pipe = f"pipes main/delay_forecast {demo_start} JFK-LAX"
            asyncio.run(picture(WavedeckApp(server.url, locator=pipe), "pipe", "m", "m"))


if __name__ == "__main__":
    main()
