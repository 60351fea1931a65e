"""The replay of the flights: what a wave may know, on the real data."""

import json
from dataclasses import replace

import numpy as np
import pytest

from engine import Date
from flows.flights import collect, demo_start, features, model, tasks
from flows.flights.known import Known, current
from flows.flights.records import ORIGINS, Records, hour_text, minutes

STORM = Date("2013-08-22T21")
SOME = ("JFK-LAX", "EWR-ORD", "LGA-ATL", "B6-423-JFK-LAX", "EV-5708-LGA-IAD")


class Seen(dict[str, str]):
    """A state that remembers what was marked active."""

    def seen(self, entity: str, partition: str) -> None:
        self[entity] = partition


@pytest.fixture(scope="module")
def known() -> Known:
    return current()


def altered(r: Records, date: Date) -> Records:
    """The same records up to `date`, and another world after it: whoever has not left yet leaves hours later, cancellations
    of flights still to come are swapped, weather differs and is missing elsewhere, and the schedule ends six hours on."""
    now = minutes(date.start)
    end = int(r.scheduled.searchsorted(now + 6 * 60))
    open_ = (r.left >= now) & ~(r.cancelled & (r.scheduled < now))
    delay = np.where(open_, np.maximum(r.delay, 0) + 500, r.delay)
    cancelled = np.where(r.scheduled >= now, ~r.cancelled & (r.left >= now), r.cancelled)
    weather, observed = r.weather.copy(), r.observed.copy()
    weather[:, now // 60 + 1 :], observed[:, now // 60 + 1 :] = 99.0, ~observed[:, now // 60 + 1 :]
    return replace(
        r, scheduled=r.scheduled[:end], delay=delay[:end], cancelled=cancelled[:end], origin=r.origin[:end],
        route=r.route[:end], flight=r.flight[:end], weather=weather, observed=observed,
    )  # fmt: skip


def test_the_data_are_what_the_convention_says(known: Known) -> None:
    r = known.records
    assert (len(r.scheduled), len(r.routes), len(r.flights)) == (336_776, 224, 12_075)
    assert (int(r.cancelled.sum()), int(r.observed.sum())) == (8_255, 26_115)
    # UA 1545 was scheduled for 05:15 in New York on New Year's Day, which is 10:15 UTC, and left two minutes late.
    first = int(np.flatnonzero(r.flight == known.flight_codes["UA-1545-EWR-IAH"])[0])
    assert r.scheduled[first] == minutes(Date("2013-01-01T10").start) + 15
    assert r.left[first] - r.scheduled[first] == 2


@pytest.mark.parametrize(
    ("origin", "day", "hours"),
    [
        ("EWR", "2013-08-19", {21}), ("JFK", "2013-08-19", {21}), ("LGA", "2013-08-19", {21}),
        ("EWR", "2013-08-22", {22}), ("JFK", "2013-08-22", {22}), ("LGA", "2013-08-22", set()),
        ("EWR", "2013-08-23", {0, 1}), ("JFK", "2013-08-23", {0, 1}), ("LGA", "2013-08-23", {0, 1}),
        ("EWR", "2013-10-23", {10, 11}), ("JFK", "2013-10-23", set()),
    ],
)  # fmt: skip
def test_weather_is_missing_where_it_really_is(known: Known, origin: str, day: str, hours: set[int]) -> None:
    missing = set()
    for hour in range(24):
        date = Date(f"{day}T{hour:02d}")
        try:
            assert collect.weather(known, f"{origin}-ATL", date)["hour"] == date
        except collect.NoObservation as e:
            assert str(e) == f"no weather for {origin} {date}"
            missing.add(hour)
    assert missing == hours


def test_no_weather_outside_the_year_and_nulls_where_a_sensor_broke(known: Known) -> None:
    for date in ("2012-12-31T23", "2014-01-01T00", "2013-12-31T12"):
        with pytest.raises(collect.NoObservation):
            collect.weather(known, "JFK-LAX", Date(date))
    r = known.records
    broken = [hour_text(int(h)) for h in np.flatnonzero(r.observed[0] & np.isnan(r.weather[0, :, 0]))]
    assert broken
    assert collect.weather(known, "EWR-ORD", Date(broken[0]))["wind_mph"] is None


def test_demo_starts_one_wave_before_a_missing_hour(known: Known) -> None:
    assert collect.weather(known, "EWR-ORD", demo_start)
    with pytest.raises(collect.NoObservation):
        collect.weather(known, "EWR-ORD", demo_start.shift(1))


@pytest.mark.parametrize("date", [STORM, Date("2013-02-09T13"), Date("2013-11-03T06")])
def test_a_wave_knows_nothing_of_what_comes_after_it(known: Known, date: Date) -> None:
    """Given records that are another world after the wave's date, then every value of the wave is the same."""
    other = Known(altered(known.records, date))
    until = model.cut_off(date)
    few = model.Settings(trees=5, days=30)
    learned = model.train(known, until, few), model.train(other, until, few)
    assert list(collect.active_routes(known, date)) == list(collect.active_routes(other, date))
    for entity in SOME:
        departures = collect.departures(known, entity, date)
        assert departures == collect.departures(other, entity, date)
        weather = collect.weather(known, entity, date)
        assert weather == collect.weather(other, entity, date)
        told = features.features(departures, weather)
        assert model.forecast(learned[0], told) == model.forecast(learned[1], told)
    later = date.shift(12)
    assert collect.departures(known, "LGA-ATL", later) != collect.departures(other, "LGA-ATL", later)


@pytest.mark.parametrize("date", [Date("2013-08-05T00"), Date("2013-08-12T00")])
def test_a_model_learns_nothing_from_after_its_cut_off(known: Known, date: Date) -> None:
    """Given records that are another world after the cut-off, then the model's predictions are the same."""
    until = minutes(date.start) // 60
    made = (
        model.train(known, until, model.Settings(days=20)),
        model.train(Known(altered(known.records, date)), until, model.Settings(days=20)),
    )
    assert made[0].trained_on == made[1].trained_on > 10_000
    rows = features.table(known, np.arange(100_000, 101_000), np.arange(1000) % 6)
    assert made[0].predict(rows) == made[1].predict(rows)


def test_departures_list_each_flight_where_it_belongs(known: Known) -> None:
    """Counted again from the records by plain filters."""
    r, now = known.records, minutes(STORM.start)
    for entity in ("LGA-ATL", "EWR-ORD", "JFK-BOS"):
        value = collect.departures(known, entity, STORM)
        mine = r.route == known.route_codes[entity]
        flown = mine & ~r.cancelled
        assert sorted(f["delay"] for f in value["left"]) == sorted(
            r.delay[flown & (r.left >= now - 180) & (r.left < now)].tolist()
        )
        assert sorted(f["waited"] for f in value["waiting"]) == sorted(
            (now - r.scheduled[flown & (r.scheduled < now) & (r.left >= now)]).tolist()
        )
        assert len(value["cancelled"]) == int((mine & r.cancelled & (r.scheduled >= now - 180) & (r.scheduled < now)).sum())
        for lead, hour in enumerate(value["coming"]):
            in_hour = mine & (r.scheduled // 60 == now // 60 + lead)
            assert (hour["hour"], len(hour["flights"])) == (STORM.shift(lead), int(in_hour.sum()))
        past = flown & (r.left >= now - 28 * 1440) & (r.left < now)
        assert value["route"]["flights_28d"] == int(past.sum())
        assert value["route"]["minutes_28d"] == int(r.delay[past].clip(-30, 240).sum())
        assert value["route"]["waiting"] == len(value["waiting"])
        assert value["route"]["waited_minutes"] == sum(f["waited"] for f in value["waiting"])
        before = flown & (r.left >= now - 360 - 28 * 1440) & (r.left < now - 360)
        assert value["mean_delay"] == pytest.approx(r.delay[before].mean(), abs=0.005)


def test_a_flight_is_an_entity_as_well_as_a_route() -> None:
    """Given a route and one of its flights, then the flight's lists are its own and the counts are the route's."""
    state = Seen()
    route = tasks.departures("JFK-LAX", STORM, state)
    flight = tasks.departures("B6-423-JFK-LAX", STORM, state)
    assert [f["flight"] for f in flight["left"]] == ["B6-423"]
    assert flight["left"][0] in route["left"]
    assert flight["route"] == route["route"]
    assert not any(hour["flights"] for hour in flight["coming"])
    assert state == {"JFK-LAX": "JFK"}, "the flight has left and nothing of it is to come"
    told = tasks.delay_features(flight, tasks.weather("B6-423-JFK-LAX", STORM))
    assert told == tasks.delay_features(route, tasks.weather("JFK-LAX", STORM))


def test_the_two_states() -> None:
    routes, flights = list(tasks.routes(STORM)), list(tasks.flights(STORM))
    assert len(flights) == len(set(flights)) == 12_075
    assert {partition for _, partition in flights} == set(ORIGINS)
    assert ("B6-423-JFK-LAX", "JFK") in flights
    assert len(routes) == 137
    assert ("JFK-LAX", "JFK") in routes
    assert flights == list(tasks.flights(Date("2013-01-01T00")))
    assert list(tasks.routes(Date("2015-01-01T00"))) == []


@pytest.mark.parametrize("entity", ["JFK-XXX", "LAX-JFK", "", "B6-1-JFK-LAX-", "$(touch pwned)", "ZZ-423-JFK-LAX"])
def test_an_entity_that_does_not_exist_is_named(entity: str) -> None:
    with pytest.raises(collect.UnknownEntity, match="is no route"):
        tasks.departures(entity, STORM, Seen())
    with pytest.raises(collect.UnknownEntity, match="is no route"):
        tasks.weather(entity, STORM)


def test_values_are_small_and_plain_json() -> None:
    for entity in SOME:
        departures = tasks.departures(entity, STORM, Seen())
        told = tasks.delay_features(departures, tasks.weather(entity, STORM))
        for value in (departures, told):
            text = json.dumps(value, allow_nan=False)
            assert json.loads(text) == value
            assert len(text) < 5000


def test_features_say_how_old_their_weather_is() -> None:
    """Given an hour without weather, when the observation of the hour before is used, then the value says so."""
    missing = STORM.shift(1)
    told = tasks.delay_features(tasks.departures("JFK-LAX", missing, Seen()), tasks.weather("JFK-LAX", STORM))
    assert (told["weather_hour"], told["weather_age"]) == (STORM, 1)
    assert list(told["hours"]) == [missing.shift(n) for n in range(6)]


def test_what_is_served_is_what_was_learned_from(known: Known) -> None:
    """Given departures as training rows, then the tasks' features of the same waves are the same columns."""
    r = known.records
    rows = np.flatnonzero((r.scheduled // 60 == minutes(STORM.start) // 60 + 2) & ~r.cancelled)[:20]
    learned = features.table(known, rows, np.full(len(rows), 2))
    for row, expected in zip(rows, learned, strict=True):
        entity = r.routes[int(r.route[row])]
        told = features.features(collect.departures(known, entity, STORM), collect.weather(known, entity, STORM))
        np.testing.assert_allclose(features.matrix(told)[2], expected, atol=0.001)


@pytest.mark.parametrize("entity", SOME[:4])
def test_observed_delays_are_those_of_the_records(known: Known, entity: str) -> None:
    """Given the hours of a storm, then at each of them the mean delay is that of the departures that had left, by a plain walk through all
    records; the later it is told, the more of them are in it."""
    r, at = known.records, collect.place(known, entity)
    mine = np.flatnonzero((r.route == at.route) if at.flight is None else (r.flight == at.flight))
    told = 0
    for date in (STORM.shift(n) for n in range(12)):
        now = minutes(date.start)
        expected: dict[str, list[int]] = {}
        for i in mine:
            if now - 360 <= r.scheduled[i] < now and not r.cancelled[i] and r.left[i] < now:
                expected.setdefault(hour_text(int(r.scheduled[i]) // 60), []).append(int(r.left[i] - r.scheduled[i]))
        found = tasks.observed_delay(entity, date)
        assert found["flights"] == {hour: len(delays) for hour, delays in expected.items()}
        assert found["hours"] == {hour: round(sum(delays) / len(delays), 1) for hour, delays in expected.items()}
        told += len(expected)
    assert told
