"""A model that takes some 20 ms to fit: a task of the size that a flow is made of.

Run as a program it fits in a loop, with nothing around it: for each line `FIRST COUNT` on stdin it says how many seconds those took, by
the clock and of the CPU.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

_CHANCE = np.random.default_rng(7)
_PAST = _CHANCE.normal(size=(400, 8))
_TAKEN = _PAST @ _CHANCE.normal(size=8) + _CHANCE.normal(size=400)


def fit(number: int) -> float:
    """Fits, and predicts one row."""
    model = ExtraTreesRegressor(n_estimators=30, max_depth=8, random_state=number)
    model.fit(_PAST, _TAKEN)
    return float(model.predict(_PAST[number % 400 : number % 400 + 1])[0])


def main() -> None:
    """The loop, warm."""
    from benchmarks.wave.work import SHAPES, compute, encode

    shape = SHAPES["learning"]
    for number in range(10):
        fit(number)
    for line in sys.stdin:
        first, count = map(int, line.split())
        began, used = time.monotonic(), time.process_time()
        for number in range(first, first + count):
            encode(compute(shape, 0, number, []))
        print(time.monotonic() - began, time.process_time() - used, flush=True)


if __name__ == "__main__":
    main()
