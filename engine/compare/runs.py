"""How long the task ran in either version, from the boards of the waves that wrote the pipes."""

from __future__ import annotations

from collections.abc import Sequence

from engine.compare.figures import Asked, Runs, Sample, quantile
from engine.keys import Date
from engine.status import Cell
from engine.store.connect import Client
from engine.store.pipes import Pipes
from engine.store.wave import span
from engine.store.waves import Waves

COMPUTED = {Cell.FINISHED, Cell.FALLBACK}


def runs(redis: Client, asked: Asked, dates: Sequence[Date]) -> list[Runs]:
    """Of each version that has recorded any."""
    found = [_of(redis, version, asked.pipe, dates) for version in (asked.a, asked.b)]
    return [one for one in found if one is not None]


def _of(redis: Client, version: str, pipe: str, dates: Sequence[Date]) -> Runs | None:
    store, pipes, took = Waves(redis), Pipes(redis), Sample()
    for date in dates:
        for name in pipes.waves(version, pipe, date):
            wave = store.find(name, version)
            if wave is None or pipe not in wave.tasks:
                continue
            task = wave.tasks.index(pipe)
            times = store.column_times(wave, task)
            for number, cell in enumerate(store.column(wave, task)):
                if cell in COMPUTED:
                    took.add(span(times, number)[1])
    if not took.n:
        return None
    ordered = sorted(took.kept)
    return Runs(version, took.n, took.total / took.n, quantile(ordered, 0.5), quantile(ordered, 0.95), took.most, took.total)
