"""What looking costs, counted and not timed: by what is seen and what has changed, not by the size of a wave."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from drawn import DrawnApp
from redis import Redis
from stage import Stage

from console.sources.wave import WaveSource
from console.widgets.matrix import Entities, EntityMatrix
from engine.status import Cell

pytestmark = pytest.mark.one_server


def _spent(redis: Redis) -> tuple[Counter[str], int]:
    """Commands by name, and bytes that the server has sent so far."""
    stats: dict[str, Any] = redis.info("commandstats")
    calls = Counter({name.removeprefix("cmdstat_"): told["calls"] for name, told in stats.items()})
    return calls, redis.info("stats")["total_net_output_bytes"]


def _cost(redis: Redis, entities: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Counter[str], int]:
    """What ten refreshes of a wave cost of which twenty cells move before each, between two looks at all of it."""
    stage = Stage(redis, [f"e-{n:06}" for n in range(entities)], version=f"v{entities}").claim()
    source = WaveSource(stage.wave.id)
    source.look(range(30))
    source.wanted = frozenset(range(30))
    source.read(redis)
    total, sent, at = Counter[str](), 0, time.monotonic()
    with monkeypatch.context() as stopped:
        stopped.setattr(time, "monotonic", lambda: at)  # so that nothing more is due
        source.read(redis)
        for turn in range(10):
            stage.step("sales", Cell.PENDING, Cell.RUNNING, range(100 + 20 * turn, 120 + 20 * turn), at=1.0)
            before = _spent(redis)
            source.read(redis)
            after = _spent(redis)
            assert sum(source._board._progress.counts[0].values()) == entities  # type: ignore[union-attr]
            assert source._board._progress.counts[0][Cell.RUNNING] == 20 * (turn + 1)  # type: ignore[union-attr]
            total.update(after[0] - before[0])
            sent += after[1] - before[1]
    return Counter({name: calls for name, calls in total.items() if name != "info"}), sent


def test_a_refresh_costs_the_same_of_a_wave_ten_times_as_large(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a wave of 6,000 entities and one of 60,000, of which as many cells move
    small, large = (_cost(redis, entities, monkeypatch) for entities in (6_000, 60_000))
    # Then both are read by the same commands, and about as many bytes
    assert small[0] == large[0]
    assert "get" not in large[0], "the whole board is not read"
    assert large[1] < 1.2 * small[1]


async def test_a_million_cells_scroll_by_painting_what_is_seen() -> None:
    # Given a matrix of 100,000 entities × 10 tasks
    n, tasks = 100_000, [f"task_{t}" for t in range(10)]
    matrix = EntityMatrix()
    app = DrawnApp(matrix)
    async with app.run_test(size=(120, 40)) as pilot:
        matrix.set_entities(Entities([f"e-{e:06}" for e in range(n)], (), tasks), bytes([Cell.PENDING]) * (n * 10))
        matrix.focus()
        await pilot.pause()
        drawn: list[int] = []
        draw = matrix.render_line
        matrix.render_line = lambda y: (drawn.append(y), draw(y))[1]  # type: ignore[method-assign]
        for key, first in (("pagedown", None), ("G", n - 1), ("home", 0), ("j", 1)):
            # When one goes anywhere in it
            drawn.clear()
            await pilot.press(key)
            await pilot.pause()
            # Then no more lines are painted than there are on the screen, once
            assert 0 < len(drawn) <= 40 * 2, f"{key}: {len(drawn)} lines"
            assert first is None or matrix.cursor == first
            assert f"e-{matrix.cursor:06}" in "\n".join(app.shown(matrix))
