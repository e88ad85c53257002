"""Four yeses make a finding; a missing one makes none, and too few rows are never fine."""

import math

import pytest
from incidents_made import FIRST, signal, week

from ratchet.incidents import judge, judge_window, read_judged
from ratchet.monitoring import write_signals
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Alerts

ALERTS = Alerts()


def state(*windows: object) -> str:
    (finding,) = judge([[made] for made in windows], ALERTS)
    return finding.state


def test_judge_four_yeses_is_found():
    assert state(signal(), signal()) == "found"


@pytest.mark.parametrize(
    ("no", "expected"),
    [
        ({"p_value": 0.02}, "ok"),
        ({"effect": 0.09}, "ok"),
        ({"null_limit": 0.5}, "ok"),
        ({"is_enough": False}, "insufficient_data"),
        ({"p_value": None}, "insufficient_data"),
        ({"effect": None}, "insufficient_data"),
        ({"null_limit": None}, "insufficient_data"),
    ],
)
def test_judge_one_no_of_four_is_not_found(no: dict, expected: str):
    assert state(signal(), signal(**no)) == expected


def test_judge_drift_of_one_window_is_watched_until_it_lasts():
    quiet = signal(effect=0.0, p_value=1.0)
    assert state(signal()) == "watching"
    assert state(quiet, quiet, signal()) == "watching"
    assert state(signal(), quiet, signal()) == "found"
    assert state(signal(), quiet, quiet, signal()) == "watching"
    assert state(signal(), signal(), quiet) == "ok"


@pytest.mark.parametrize("family", ["performance", "estimate", "kpi", "service"])
def test_judge_what_costs_more_by_waiting_is_found_at_once(family: str):
    assert state(signal(family=family)) == "found"


def test_judge_corrects_within_a_family_and_not_across():
    """A p-value of .004 passes alone at 1 %, and not as one of ten: .01 / 10 is less."""
    one = signal("temperature_f", p_value=0.004, family="kpi")
    others = [signal(f"other_{n}", p_value=0.5, family="kpi") for n in range(9)]
    elsewhere = [other.model_copy(update={"family": "service"}) for other in others]
    assert judge([[one, *elsewhere]], ALERTS)[0].state == "found"
    assert judge([[one, *others]], ALERTS)[0].state == "ok"


def test_judge_what_could_not_be_tested_makes_others_no_stricter():
    one = signal("temperature_f", p_value=0.004, family="kpi")
    empty = [signal(f"other_{n}", is_enough=False, family="kpi") for n in range(9)]
    assert judge([[one, *empty]], ALERTS)[0].state == "found"


def test_judge_two_measures_of_one_name_are_judged_each_by_itself():
    quiet = signal(effect=0.0, p_value=1.0, family="kpi")
    found = judge([[quiet, signal(family="kpi")]], ALERTS)
    assert [finding.state for finding in found] == ["ok", "found"]


def test_judge_window_looks_back_and_not_ahead_and_keeps_what_it_finds(spec: Spec, tmp_path):
    settings = Settings(tmp_path, tmp_path)
    for number in (0, 2, 1):
        measured = [signal(window=week(number))] if number != 1 else []
        write_signals(spec, week(number), "made", measured, settings)
    assert [f.state for f in judge_window(spec, week(2), settings)] == ["found"]
    assert [f.state for f in judge_window(spec, FIRST, settings)] == ["watching"]
    assert judge_window(spec, week(1), settings) == []
    (kept,) = read_judged(spec, week(2), settings)
    assert (kept.state, kept.seen, kept.looked) == ("found", 2, 3)
    assert math.isclose(kept.effect or 0, 0.5)
    assert read_judged(spec, week(3), settings) == []
