"""Two versions of a pipe held against each other: what is counted, what numbers say, which of them was nearer to the truth."""

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from scipy import fft, stats

from engine import Date, Flow
from engine.compare import Asked, Compared, Comparison, paired, read
from engine.compare.figures import Sample, quantile
from engine.errors import BadKey, NotFound
from engine.keys import PipeKey
from engine.payload import encode_json
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes, expiry

START = Date("2013-07-01T00")


def a_flow() -> Flow:
    flow = Flow("shops", every="1h", state="shops")

    @flow.task(horizon="3h")
    def forecast(entity: str) -> None: ...

    return flow


def write(redis: Redis, version: str, pipe: str, entity: str, date: str, value: Any) -> None:
    """A pipe, written outside waves; text as it is, anything else as JSON."""
    data = value if isinstance(value, bytes) else encode_json(value)
    Pipes(redis).put(PipeKey.make(version, pipe, entity, date), data, expiry(Date(date), 86400), "tests")


def compared(redis: Redis, first: str = "", last: str = "", **more: Any) -> Compared:
    return Comparison(redis, Asked("main", "try/x", "forecast", first, last, **more)).result()


# --- what there is


@pytest.mark.every_house
def test_equal_different_and_missing_pipes_are_counted(redis: Redis) -> None:
    """Given two versions over two dates, then each pipe is counted once, whatever its entity is called."""
    for date in (START, START.shift(1)):
        for n in range(5):
            write(redis, "main", "forecast", f"shop {n}", date, {"n": n, "list": [1, 2]})
        for n in range(1, 4):
            write(redis, "try/x", "forecast", f"shop {n}", date, {"n": n + (n == 2), "list": [1, 2]})
    write(redis, "try/x", "forecast", "東京", START, 1)
    found = compared(redis, START, START.shift(1))
    assert (found.both, found.equal, found.different, found.only_a, found.only_b) == (6, 4, 2, 4, 1)
    assert found.missing_b == ["shop 0", "shop 4"]
    assert found.missing_a == ["東京"]
    assert found.entities == 6
    assert found.dates == [START, START.shift(1)]


def test_without_dates_it_is_the_newest_that_both_have(redis: Redis) -> None:
    for version, dates in (("main", (0, 1, 2)), ("try/x", (0, 1))):
        for n in dates:
            write(redis, version, "forecast", "a", START.shift(n), n)
    assert compared(redis).dates == [START.shift(1)]
    assert compared(redis, last="2013-07-01").dates == [START, START.shift(1), START.shift(2)]
    assert compared(redis, START.shift(2)).only_a == 1


def test_values_are_compared_as_json_and_bytes_as_bytes(redis: Redis) -> None:
    values = [
        (b'{"a": 1, "b": [1.0]}', b'{"b":[1],"a":1.0}'),
        (b"[1]", b"[true]"),
        (b"\x00\xff", b"\x00\xff"),
        (b"\x00", b"\x01"),
    ]
    for n, (a, b) in enumerate(values):
        write(redis, "main", "forecast", f"e{n}", START, a)
        write(redis, "try/x", "forecast", f"e{n}", START, b)
    seen: list[Any] = []
    comparison = Comparison(redis, Asked("main", "try/x", "forecast"), lambda *pair: seen.append(pair))
    found = comparison.result()
    assert (found.both, found.equal, found.different, found.opaque) == (4, 2, 2, 2)
    assert seen == [("e1", START, [1], [True])]


def test_many_pipes_are_read_a_batch_at_a_time(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given room for 40 keys, when 300 entities of three dates are compared, then no read holds more, and all are compared."""
    monkeypatch.setattr(read, "FIRST", 40)
    monkeypatch.setattr(read, "KEYS", 40)
    for n in range(300):
        for version in ("main", "try/x"):
            for hour in range(3):
                write(redis, version, "forecast", f"e{n:03}", START.shift(hour), n)
    comparison = Comparison(redis, Asked("main", "try/x", "forecast", START, START.shift(2)))
    steps = list(comparison.steps())
    assert steps == [*range(6, 301, 6)]
    assert comparison.result().equal == 900


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"a": "gone"}, NotFound, "version 'gone' has no pipe 'forecast'"),
        ({"first": "2013-08-01", "last": "2013-08-02"}, NotFound, "main: 2013-07-01T00 to 2013-07-01T00"),
        ({"truth": "nothing"}, NotFound, "no pipe 'nothing' of main or try/x"),
        ({"truth": "forecast/"}, BadKey, "pipe name ''"),
        ({"first": "yesterday"}, BadKey, "'yesterday'"),
        ({"a": "a b"}, BadKey, "holds ' '"),
    ],
)
def test_what_cannot_be_compared_is_said(redis: Redis, asked: dict[str, str], error: type[Exception], says: str) -> None:
    for version in ("main", "try/x"):
        write(redis, version, "forecast", "e", START, 1)
    with pytest.raises(error, match=says):
        Comparison(redis, Asked(**{"a": "main", "b": "try/x", "pipe": "forecast", **asked})).result()


# --- numbers


def test_differences_of_numbers_by_curve(redis: Redis) -> None:
    """Given forecasts as lists, by date and as single numbers, then each is compared by itself, and numpy finds the same."""
    dice = random.Random(7)
    pairs: list[tuple[float, float]] = []
    for n in range(40):
        both = [(dice.uniform(-5, 5), dice.uniform(-5, 5)) for _ in range(3)]
        pairs += both
        for version, side in (("main", 0), ("try/x", 1)):
            value = {"by_hour": {str(START.shift(i)): pair[side] for i, pair in enumerate(both)}, "n": n, "name": version}
            write(redis, version, "forecast", f"e{n}", START, value)
    found = compared(redis)
    hours, single = found.numbers
    a, b = np.array(pairs).T
    assert (hours.curve, hours.points, hours.equal) == ("by_hour", 120, 0)
    assert hours.difference is not None and hours.relative is not None
    assert hours.difference.mean == pytest.approx((b - a).mean())
    assert (hours.difference.least, hours.difference.most) == (min(b - a), max(b - a))
    for name, value in hours.difference.quantiles.items():
        assert value == pytest.approx(np.quantile(b - a, int(name[1:]) / 100))
    assert hours.relative.quantiles["p50"] == pytest.approx(np.median((b - a) / abs(a)))
    assert (single.curve, single.points, single.equal) == ("n", 40, 40)
    means = np.abs(b - a).reshape(-1, 3).mean(axis=1)
    assert [w.entity for w in found.worst] == [f"e{i}" for i in np.argsort(-means)[:10]]
    assert found.worst[0].mean == pytest.approx(means.max())
    assert found.worst[0].largest == pytest.approx(abs(found.worst[0].b - found.worst[0].a))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(numbers: list[float], q: float) -> None:
    assert quantile(sorted(numbers), q) == pytest.approx(np.quantile(numbers, q), abs=1e-6)


def test_a_sample_of_many_is_even_and_always_the_same() -> None:
    """Given 100,000 rising numbers and room for 2,000, then quantiles are near and a second sample is equal."""
    samples = [Sample(2000), Sample(2000)]
    for sample in samples:
        for n in range(100_000):
            sample.add(float(n))
    first, second = (sample.spread() for sample in samples)
    assert first == second
    assert first is not None and first.sampled
    assert (first.n, first.mean, first.least, first.most) == (100_000, 49_999.5, 0, 99_999)
    assert abs(first.quantiles["p50"] - 50_000) < 5_000


# --- the truth


def a_month(redis: Redis, seed: int = 1) -> list[tuple[str, int, int, float, float, float]]:
    """Forecasts of 4 shops over 100 hours, three hours ahead, and what happened, with gaps: (entity, hour, lead, a, b, truth)."""
    Catalog(redis).publish("main", [a_flow().plan])
    dice = random.Random(seed)
    truth = {(e, h): dice.gauss(20, 10) for e in range(4) for h in range(103) if dice.random() < 0.8}
    rows = []
    for e in range(4):
        for h in range(100):
            sides: list[dict[str, float]] = [{}, {}]
            for lead in range(3):
                base = truth.get((e, h + lead), 20.0)
                a, b = round(base + dice.gauss(3, 6 + lead), 2), round(base + dice.gauss(0, 5), 2)
                for side, number in zip(sides, (a, b), strict=True):
                    side[str(START.shift(h + lead))] = number
                if (e, h + lead) in truth:
                    rows.append((f"s{e}", h + lead, lead, a, b, round(truth[e, h + lead], 2)))
            write(redis, "main", "forecast", f"s{e}", START.shift(h), {"hours": sides[0]})
            write(redis, "try/x", "forecast", f"s{e}", START.shift(h), {"hours": sides[1]})
        for h in range(106):
            known = {str(START.shift(k)): round(truth[e, k], 2) for k in range(max(h - 3, 0), h) if (e, k) in truth}
            early = {str(START.shift(h + 1)): 999.0}  # told before it happened: that is no truth
            stale = {str(START.shift(h - 1)): -999.0} if (e, h - 1) in truth else {}  # put right an hour later
            told = {"flights": {str(START.shift(h - 1)): 7.0}, "hours": {**known, **stale, **early}}
            write(redis, "main", "seen", f"s{e}", START.shift(h), told)
    return rows


def cosine_deviation(sums: dict[int, float], degrees: int) -> float:
    """The equal-weighted cosine estimator, as the paper has it: with the series filled up, its type-II cosine transform, and the variance of its
    mean times the square of its length."""
    span = max(sums) - min(sums) + 1
    series = np.zeros(span)
    for at, value in sums.items():
        series[at - min(sums)] = value
    coefficients = fft.dct(series, type=2)[1 : degrees + 1] / 2
    return math.sqrt(span * np.mean((math.sqrt(2 / span) * coefficients) ** 2))


def test_errors_and_tests_against_the_truth(redis: Redis) -> None:
    """Given forecasts with gaps in what happened, told late and corrected, then errors, tests and the verdict are what numpy and scipy find
    from the same numbers."""
    rows = a_month(redis)
    found = compared(redis, START, START.shift(99), truth="seen").truth
    assert found is not None
    a = np.array([row[3] - row[5] for row in rows])
    b = np.array([row[4] - row[5] for row in rows])
    assert (found.points, found.entities, found.hours, found.curve) == (len(rows), 4, len({r[1] for r in rows}), "hours")
    for score, errors in ((found.a, a), (found.b, b)):
        assert score.mae == pytest.approx(np.abs(errors).mean())
        assert score.rmse == pytest.approx(math.sqrt((errors**2).mean()))
        assert score.bias == pytest.approx(errors.mean())
    assert [lead.what for lead in found.by_lead] == ["0", "1", "2"]
    for lead, both in enumerate(found.by_lead):
        mine = np.array([row[2] == lead for row in rows])
        assert both.points == mine.sum()
        assert both.a.mae == pytest.approx(np.abs(a[mine]).mean())
        assert both.b.rmse == pytest.approx(math.sqrt((b[mine] ** 2).mean()))
    losses = np.abs(b) - np.abs(a)
    pairs: dict[tuple[str, int], list[float]] = {}
    hours: dict[int, list[float]] = {}
    for row, loss in zip(rows, losses, strict=True):
        pairs.setdefault(row[:2], []).append(loss)
        hours.setdefault(row[1], []).append(loss)
    by_hour, by_pair = found.tests
    means = [round(np.mean(some), 9) for some in pairs.values()]
    expected = stats.wilcoxon(means, method="asymptotic")
    assert (by_pair.n, by_pair.statistic) == (len(pairs), expected.statistic)
    assert by_pair.p == pytest.approx(expected.pvalue)
    assert (found.nearer_a, found.nearer_b) == (sum(m > 0 for m in means), sum(m < 0 for m in means))
    mean = losses.mean()
    error = cosine_deviation({h: sum(some) - len(some) * mean for h, some in hours.items()}, by_hour.degrees or 0) / len(rows)
    assert by_hour.difference == pytest.approx(mean)
    assert by_hour.statistic == pytest.approx(mean / error)
    assert by_hour.p == pytest.approx(2 * stats.t.sf(abs(mean / error), by_hour.degrees))
    assert found.better == "try/x"
    assert found.words.startswith(
        f"try/x forecasts better: mean absolute error {found.b.mae:.4g} of try/x against {found.a.mae:.4g} of main"
    )


def test_of_two_that_are_as_good_neither_is_better(redis: Redis) -> None:
    Catalog(redis).publish("main", [a_flow().plan])
    dice = random.Random(3)
    for h in range(60):
        date = START.shift(h)
        write(redis, "main", "seen", "s", date, dice.gauss(0, 1))
        for version in ("main", "try/x"):
            write(redis, version, "forecast", "s", date, [dice.gauss(0, 3) for _ in range(3)])
    found = compared(redis, START, START.shift(59), truth="main/seen").truth
    assert found is not None
    assert (found.better, found.hours, found.points) == ("", 60, 60 + 59 + 58)
    assert found.words.startswith("no difference that 60 hours could show (p = 0.")


def test_a_few_hours_are_no_verdict(redis: Redis) -> None:
    for h in range(5):
        for version, number in (("main", 9.0), ("try/x", h / 10)):
            write(redis, version, "forecast", "s", START.shift(h), number)
        write(redis, "main", "seen", "s", START.shift(h), 0.0)
    found = compared(redis, START, START.shift(4), truth="seen").truth
    assert found is not None
    assert found.better == ""
    assert found.words.startswith("too few hours to say which is better: 5, and 24 are wanted")


def test_a_truth_of_other_hours_or_of_several_curves_is_refused(redis: Redis) -> None:
    for version in ("main", "try/x"):
        write(redis, version, "forecast", "s", START, {"hours": {str(START): 1.0, str(START.shift(1)): 2.0}})
    write(redis, "main", "seen", "s", START.shift(2), {"x": {str(START): 1.0}, "y": {str(START): 1.0}})
    found = compared(redis, START, START, truth="seen")
    assert found.truth is None
    assert (
        found.no_truth
        == f"main/seen ({START.shift(2)} to {START.shift(2)}) says nothing of the hours that forecast forecasts (curve 'hours'; it has x, y)"
    )


def test_without_scipy_there_are_errors_and_no_test(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.stats", None)
    a_month(redis)
    found = compared(redis, START, START.shift(99), truth="seen").truth
    assert found is not None
    assert found.a.mae > found.b.mae > 0
    assert [test.p for test in found.tests] == [None, None]
    assert "pip install 'wavedeck[frames]'" in found.words


# --- the tests themselves


@given(st.dictionaries(st.integers(0, 40), st.floats(-10, 10), min_size=12, max_size=30), st.integers(1, 10))
def test_the_deviation_is_that_of_equal_weighted_cosines(sums: dict[int, float], degrees: int) -> None:
    assert paired.deviation(sums, degrees) == pytest.approx(cosine_deviation(sums, degrees), abs=1e-6)


def test_hours_that_go_together_make_the_test_less_sure() -> None:
    """Given the same differences in blocks of ten hours, and shuffled, then in blocks they are less of a proof, however one shuffles."""
    dice = random.Random(5)
    blocks = [dice.gauss(0.5, 1) for _ in range(20)]
    p = paired.by_hour({h: (1, blocks[h // 10]) for h in range(200)}).p
    shuffled = []
    for _ in range(50):
        order = dice.sample(range(200), 200)
        shuffled.append(paired.by_hour({h: (1, blocks[order[h] // 10]) for h in range(200)}).p or 0.0)
    assert p is not None
    assert p > 10 * sorted(shuffled)[45]


def test_chance_alone_is_rarely_called_a_difference() -> None:
    """Given 1,000 pairs of versions that are as good, over a week, errors running over six hours and nights without any, then about one in
    twenty is called better."""
    dice = random.Random(11)
    called = 0
    for _ in range(1000):
        noise = [dice.gauss(0, 1) for _ in range(173)]
        hours = {h: (1, sum(noise[h : h + 6])) for h in range(168) if h % 24 > 5}
        p = paired.by_hour(hours).p
        called += p is not None and p < paired.SURE
    assert 0.02 < called / 1000 < 0.085


def test_a_difference_that_is_there_is_found() -> None:
    """Given versions of which one is better by half a standard deviation of an hour's error, then nearly always that is said."""
    dice = random.Random(12)
    found = [paired.by_hour({h: (1, dice.gauss(-0.5, 1)) for h in range(168)}).p or 0.0 for _ in range(100)]
    assert sum(p < paired.SURE for p in found) > 95
