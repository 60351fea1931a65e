"""Waves on pipes that are there already: older ones, another version's, an earlier wave's, somebody else's."""

import pytest
from rig import DATE, Rig


def test_an_older_input_covers_for_a_missing_one_and_the_cell_says_so(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def weather(date):
            if date == "2013-07-01T14":
                raise LookupError("no observation")
            return str(date)

        @flow.task(lookback={"weather": "3h"}, history={"forecast": "9h"})
        def forecast(weather, forecast):
            return [weather, forecast]

        @flow.task(lookback="1h")
        def strict(weather):
            return weather
    """)
    for back in (-9, -2):
        rig.launch(flow, date=DATE.shift(back))
    wave = rig.launch(flow)

    rig.run()

    assert dict(zip(wave.tasks, rig.row(wave), strict=True)) == {"weather": "X", "forecast": "O", "strict": "B"}
    assert rig.pipe("forecast") == [
        "2013-07-01T12",
        {"2013-07-01T05": ["2013-07-01T05", {}], "2013-07-01T12": ["2013-07-01T12", {"2013-07-01T05": ["2013-07-01T05", {}]}]},
    ]
    assert rig.note(wave, "forecast")["inputs"] == [{"name": "weather", "key": "main/weather e 2013-07-01T12", "age": 7200.0}]


@pytest.mark.every_house
def test_another_version_reads_its_base_s_pipes_where_it_has_none(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def collected(entity):
            Path("runs").open("a").write("x\\n")
            if Path("broken").exists():
                raise OSError("the service is away")
            return "from the service"

        @flow.task
        def model(collected):
            return collected + "!"
    """)
    rig.launch(flow)
    rig.run()
    rig.touch("broken")

    wave = rig.launch(flow, version="fix", base="main")
    rig.run("--version", "fix")

    assert rig.row(wave) == "XF"
    assert rig.pipe("model", version="fix") == "from the service!"
    assert rig.note(wave, "model")["inputs"] == [{"name": "collected", "key": "main/collected e 2013-07-01T14", "age": 0.0}]
    assert rig.raw("collected", version="fix") is None


def test_a_second_wave_of_the_same_version_and_date_runs_nothing_again(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def a(entity):
            Path("runs").open("a").write(f"a {entity}\\n")
            return entity

        @flow.task
        def b(a):
            Path("runs").open("a").write(f"b {a}\\n")
            if a == "y" and not Path("repaired").exists():
                raise ValueError("not yet")
            return a
    """)
    first = rig.launch(flow, "x", "y")
    rig.run()
    assert rig.rows(first) == {"x": "FF", "y": "FX"}
    rig.touch("repaired")

    second = rig.launch(flow, "x", "y", "z", trigger="manual:2")
    rig.run()

    assert rig.rows(second) == {"x": "UU", "y": "UF", "z": "FF"}
    assert sorted(rig.runs()) == ["a x", "a y", "a z", "b x", "b y", "b y", "b z"]


def test_another_value_in_a_pipe_is_a_conflict_and_its_dependants_read_what_is_there(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def a(entity):
            return "computed"

        @flow.task
        def b(a):
            return a
    """)
    wave = rig.launch(flow)  # before the others write, so that it does not look first
    rig.redis.set("main/a e 2013-07-01T14", '"there already"')
    rig.redis.set("main/b e 2013-07-01T14", '"there already"')

    rig.run()

    assert rig.row(wave) == "XF"
    assert rig.error(wave, "a").startswith("PipeConflict: pipe 'main/a e 2013-07-01T14' was written by ")
    assert rig.pipe("a") == rig.pipe("b") == "there already"
