"""What waves need: room for the next of each flow, and workers for those that are queued."""

import time
from collections.abc import Iterator, Sequence

from engine.doctor.finding import Finding
from engine.keys import version_key
from engine.store.connect import Client
from engine.store.need import LAST, fit
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import Worker, Workers

RECENT = 7 * 86400
"""Seconds after which a flow that has not run is not taken to run again."""


def room_for_next(redis: Client, versions: Sequence[str], flow: str | None) -> Iterator[Finding]:
    """For each flow of each version that has run lately, whether its next wave fits: as many entities as the largest of its last."""
    store, since = Waves(redis), (time.time() - RECENT) * 1000
    for version in versions:
        by_flow: dict[str, list[Wave]] = {}
        for progress in store.recent(50, version=version, flow=flow):
            by_flow.setdefault(progress.wave.flow, []).append(progress.wave)
        for name, waves in sorted(by_flow.items()):
            if waves[0].created < since:
                continue
            largest = max(waves[:LAST], key=lambda wave: wave.n)
            next_ = fit(
                redis,
                store.plan(largest),
                version=version,
                date=waves[0].date.shift(1),
                members=store.members(largest),
            )
            title, found = f"next {name}@{version}", f"{largest.n:,} entities need {next_.words} ({next_.details})"
            if next_.refusal:
                under_way = f", waves under way {next_.promised:,} bytes more" if next_.promised else ""
                advice = "raise maxmemory, let pipes expire sooner (the flow's `keep`), or fewer entities; init will refuse it"
                yield Finding(title, "FAIL", f"no room: {found}{under_way}", advice)
            elif next_.warning:
                yield Finding(title, "warn", next_.warning, "set maxmemory and noeviction, or a larger machine")
            else:
                yield Finding(title, "ok", found)


def crews(redis: Client, versions: Sequence[str]) -> Iterator[Finding]:
    """Workers of a version, where there are some or waves wait for some."""
    store = Waves(redis)
    for version in versions:
        alive = Workers(redis).alive(version)
        queued = [w.decode() for w in redis.zrange(version_key(version, "queue"), 0, 31)]
        waves = [wave for name in queued if (wave := store.find(name, version)) is not None and not wave.ended]
        if alive or waves:
            yield _crew(version, alive, waves)


def _crew(version: str, alive: Sequence[Worker], waves: Sequence[Wave]) -> Finding:
    name = f"workers {version}"
    waiting = f"{len(waves)} {'wave' if len(waves) == 1 else 'waves'} to serve" if waves else "nothing to serve"
    if not alive:
        advice = f"start workers: wavedeck worker --version {version}"
        return Finding(name, "FAIL", f"{waiting}, and no worker is alive", advice)
    slots = sum(len(worker.slots) for worker in alive)
    found = f"{len(alive)} alive with {slots} {'slot' if slots == 1 else 'slots'}, {waiting}"
    ready = [worker for worker in alive if not worker.draining]
    if waves and not ready:
        return Finding(name, "FAIL", f"{found}; all are stopping", "start others")
    served = {flow for worker in ready for flow in worker.flows}
    silent = any(not worker.flows for worker in ready)
    if not silent and (orphans := sorted({wave.flow for wave in waves} - served)):
        return Finding(
            name, "FAIL", f"{found}; none has the flow {', '.join(orphans)}", "start workers with it in WAVEDECK_FLOWS"
        )
    return Finding(name, "ok", found)
