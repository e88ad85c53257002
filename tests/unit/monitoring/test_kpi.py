"""KPIs of published days: what is told of a doubled, a fallen, a festive and a missing day."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from ratchet.incidents import judge
from ratchet.monitoring import watch
from ratchet.monitoring.kpi import watch_kpis
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.types import Floor, Guardrail, Kpi
from ratchet.window import Window

WEEK = Window.parse("2013-06-14T0000--2013-06-21T0000")  # holds no holiday
FIRST_DAY, LAST_DAY = date(2013, 1, 7), date(2013, 7, 14)
TUESDAY = date(2013, 6, 11)  # final in the window: three days after its end
HOLIDAY = date(2013, 7, 4)
HOLIDAY_WEEK = Window.parse("2013-07-05T0000--2013-07-12T0000")


def kpi(**changes: object) -> Kpi:
    fields = {
        "table": "mart_flight_days",
        "date": "decision_date",
        "aggregation": "sum",
        "value": "flights",
        "rows": "flights",
        "unit": "flights",
        "worse": "down",
        "floor": Floor(relative=0.1),
        "reason": "Flights are the business.",
        **changes,
    }
    return Kpi.model_validate(fields)


SHARE = kpi(
    aggregation="ratio",
    value=None,
    numerator="disrupted_flights",
    denominator="flights",
    unit="of flights",
    worse="up",
    floor=Floor(absolute=0.1),
)
SAVED = kpi(value="saved_points", rows="flights", unit="points", floor=Floor(absolute=1000.0))


@pytest.fixture
def watched(spec: Spec, tmp_path, monkeypatch):
    """Publish half a year of days, some of them changed, and watch KPIs of a window."""

    def watch_days(
        kpis: dict[str, Kpi],
        changes: dict[date, dict[str, float | None]] | None = None,
        window: Window = WEEK,
        holidays: str | None = "US",
    ):
        settings = Settings(tmp_path, tmp_path)
        published = settings.lake(spec.name).published
        published.parent.mkdir(parents=True, exist_ok=True)
        published.unlink(missing_ok=True)
        days = days_of(changes or {})
        with duckdb.connect(published) as connection:
            connection.execute("create schema gold")
            connection.execute(
                "create table gold.mart_flight_days (decision_date date, flights bigint, "
                "disrupted_flights bigint, saved_points double)"
            )
            connection.executemany("insert into gold.mart_flight_days values (?, ?, ?, ?)", days)
        quality = spec.quality.model_copy(update={"holidays": holidays})
        declared = spec.model_copy(update={"kpis": kpis, "quality": quality})
        return watch_kpis(declared, window, settings)

    return watch_days


def days_of(changes):
    """Return days of some 920 flights, fewer on Saturdays, of which a quarter is disrupted."""
    generator = np.random.default_rng(7)
    rows = []
    for n in range((LAST_DAY - FIRST_DAY).days + 1):
        day = FIRST_DAY + timedelta(days=n)
        flights = int(generator.normal(750 if day.weekday() == 5 else 920, 15))
        disrupted = int(generator.binomial(flights, 0.25))
        row = {"flights": flights, "disrupted": disrupted, "saved": generator.normal(300, 200)}
        change = changes.get(day, {})
        if change is not None:
            row |= {name: row[name] * factor for name, factor in change.items()}
            rows.append((day, int(row["flights"]), int(row["disrupted"]), row["saved"]))
    return rows


def of_day(signals, day, rule="level"):
    (signal,) = [s for s in signals if (s.segment, s.rule) == (f"{day}", rule)]
    return signal


def is_found(signal):
    return (
        signal.is_enough
        and signal.p_value < 1e-3
        and signal.effect >= max(signal.floor, signal.null_limit)
    )


def test_kpi_first_day_may_be_a_part_and_is_not_judged_nor_are_those_before(watched):
    window = Window.parse("2013-01-01T0000--2013-01-18T0000")
    guarded = kpi(guardrail=Guardrail(min=300))
    signals = watched({"flights": guarded}, {FIRST_DAY: {"flights": 0.05}}, window=window)
    days = {f"{FIRST_DAY + timedelta(days=n)}" for n in range(1, 7)}
    assert {s.segment for s in signals} == days
    assert not any(s.effect for s in signals if s.rule == "guardrail")


def test_kpi_clean_week_has_seven_days_and_finds_nothing(watched):
    signals = watched({"flights": kpi(), "disrupted": SHARE, "saved": SAVED})
    days = [f"{date(2013, 6, 11) + timedelta(days=n)}" for n in range(-1, 6)]
    assert [s.segment for s in signals if s.subject == "flights"] == days
    assert len(signals) == 21
    assert all(s.is_enough for s in signals)
    assert [s.name for s in signals if is_found(s)] == []
    saturday = next(s for s in signals if s.name == "kpi.level:flights[2013-06-15]")
    assert saturday.expected == pytest.approx(750, rel=0.05)


def test_kpi_days_of_following_windows_join(watched):
    after = Window(WEEK.end, WEEK.end + timedelta(days=7))
    both = [s.segment for w in (WEEK, after) for s in watched({"flights": kpi()}, window=w)]
    days = [date.fromisoformat(segment) for segment in both]
    assert days == [days[0] + timedelta(days=n) for n in range(14)]


def test_kpi_doubled_by_double_counting_is_found_at_once_and_named(watched):
    signals = watched({"flights": kpi(worse="both")}, {TUESDAY: {"flights": 2}})
    found = [s for s in signals if is_found(s)]
    assert [s.segment for s in found] == [f"{TUESDAY}"]
    assert found[0].effect == pytest.approx(1, abs=0.1)
    assert found[0].direction == "up"
    assert found[0].p_value < 1e-6
    assert "counted double" in found[0].text
    assert "mart_flight_days" in found[0].text


@pytest.mark.parametrize(
    ("factor", "direction", "says"), [(0.7, "down", "find out"), (1.3, "up", "verify")]
)
def test_kpi_change_to_the_good_is_to_be_verified(watched, factor, direction, says):
    signal = of_day(watched({"flights": kpi()}, {TUESDAY: {"flights": factor}}), TUESDAY)
    assert is_found(signal)
    assert signal.direction == direction
    assert signal.effect == pytest.approx(0.3, abs=0.05)
    assert says in signal.text
    assert kpi().is_worse(direction) == (direction == "down")


def test_kpi_share_and_amount_are_held_against_their_own_past(watched):
    changes = {TUESDAY: {"disrupted": 2.2, "saved": -20}}
    signals = watched({"disrupted": SHARE, "saved": SAVED}, changes)
    assert sorted(s.subject for s in signals if is_found(s)) == ["disrupted", "saved"]
    saved = next(s for s in signals if s.subject == "saved" and is_found(s))
    assert saved.value is not None
    assert saved.value < 0
    assert saved.direction == "down"


def test_kpi_near_a_holiday_only_half_or_double_counts(watched):
    fallen = {HOLIDAY: {"flights": 0.7}}
    ordinary = of_day(watched({"flights": kpi()}, fallen, HOLIDAY_WEEK, None), HOLIDAY)
    festive = of_day(watched({"flights": kpi()}, fallen, HOLIDAY_WEEK), HOLIDAY)
    assert is_found(ordinary)
    assert not is_found(festive)
    assert "Independence Day" in festive.text
    empty = {HOLIDAY: {"flights": 0.3}}
    assert is_found(of_day(watched({"flights": kpi()}, empty, HOLIDAY_WEEK), HOLIDAY))


def test_kpi_day_without_rows_is_a_sum_of_nothing_and_no_mean(watched):
    signals = watched({"flights": kpi(), "disrupted": SHARE}, {TUESDAY: None})
    flights, share = (
        next(s for s in signals if (s.subject, s.segment) == (name, f"{TUESDAY}"))
        for name in ("flights", "disrupted")
    )
    assert is_found(flights)
    assert (flights.value, flights.direction) == (0, "down")
    assert (share.is_enough, share.value, share.p_value) == (False, None, None)


def test_kpi_of_few_units_or_little_past_is_not_judged(watched):
    few = watched({"disrupted": SHARE.model_copy(update={"min_rows": 5000})})
    assert {s.is_enough for s in few} == {False}
    early = Window.parse("2013-01-18T0000--2013-01-25T0000")
    assert {s.is_enough for s in watched({"flights": kpi()}, window=early)} == {False}


def test_kpi_does_not_depend_on_later_days(watched):
    later = {LAST_DAY - timedelta(days=n): {"flights": 3} for n in range(20)}
    assert watched({"flights": kpi()}, later) == watched({"flights": kpi()})


@pytest.mark.parametrize(
    ("limits", "breached", "direction"),
    [
        ({"min": 500, "max": 1500}, False, None),
        ({"max": 900}, True, "up"),
        ({"min": 950}, True, "down"),
    ],
)
def test_kpi_guardrail_is_a_hard_limit(watched, limits, breached, direction):
    signals = watched({"flights": kpi(guardrail=Guardrail(**limits))})
    signal = of_day(signals, TUESDAY, "guardrail")
    assert (signal.effect > 0) == breached == is_found(signal)
    assert signal.p_value == (0 if breached else 1)
    if breached:
        assert signal.direction == direction
        assert signal.expected == next(iter(limits.values()))
        assert "Flights are the business." in signal.text


def test_kpi_negative_with_a_relative_floor_is_told_with_a_remedy(watched):
    wrong = SAVED.model_copy(update={"floor": Floor(relative=0.1)})
    signals = watched({"saved": wrong}, {TUESDAY: {"saved": -5}})
    assert {s.is_enough for s in signals} == {False}
    assert all("give kpis.saved.floor as absolute" in s.text for s in signals)


@pytest.mark.parametrize(
    ("wrong", "missing"),
    [
        ({"table": "mart_nothing"}, "mart_nothing"),
        ({"value": "flihgts"}, "flihgts"),
        ({"rows": "flihgts"}, "flihgts"),
        ({"date": "decided_on"}, "decided_on"),
    ],
)
def test_kpi_that_is_not_published_is_told_by_name_and_stops_no_other(
    watched, spec, wrong, missing
):
    guarded = kpi(guardrail=Guardrail(min=300), **wrong)
    both = watched({"new": guarded, "disrupted": SHARE})
    new = [s for s in both if s.subject == "new"]
    days = {f"{date(2013, 6, 11) + timedelta(days=n)}" for n in range(-1, 6)}
    assert {(s.segment, s.rule) for s in new} == {
        (day, rule) for day in days for rule in ("level", "guardrail")
    }
    assert {f.state for f in judge([new], spec.alerts)} == {"insufficient_data"}
    for signal in new:
        assert missing in signal.text
        assert signal.text.endswith("build and publish the table, or correct kpis.new.")
    assert [s for s in both if s.subject != "new"] == watched({"disrupted": SHARE})


def test_watch_knows_the_source_and_writes_what_mon_kpis_shows(model_lake):
    declared = model_lake.spec.model_copy(update={"kpis": {}})
    assert watch(declared, WEEK, model_lake.settings) == []
    path = model_lake.lake.monitoring / "signals" / "kpi" / f"{WEEK.key}.parquet"
    assert path.exists()
