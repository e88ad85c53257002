"""What is wrong in a window, as the lake has it, and what it goes back to."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from incidents_made import FIRST, OWNER, signal, week

from ratchet.incidents import judge_window
from ratchet.incidents.evidence import Evidence, Lineage, see
from ratchet.monitoring import write_signals
from ratchet.quality import Finding, write_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.warehouse import Block


def check(check: str, subject: str, state: str = "found", **changes: object) -> Finding:
    text = "It is wrong; ask who sends it."
    return Finding(check=check, subject=subject, state=state, rows=100, text=text, **changes)


def measured(spec: Spec, settings: Settings, *signals: object) -> list[Evidence]:
    write_signals(spec, FIRST, "made", signals, settings)
    judge_window(spec, FIRST, settings)
    return list(see(spec, FIRST, settings).evidence)


def block(spec: Spec, settings: Settings, *blocks: Block) -> None:
    folder = settings.lake(spec.name).blocks
    folder.mkdir(parents=True)
    rows = [made.model_dump() for made in blocks]
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{FIRST.key}.parquet")


def test_see_empty_window_knows_nothing_and_finds_nothing(spec: Spec, settings: Settings):
    found = see(spec, FIRST, settings)
    assert (found.evidence, found.is_checked, found.judged) == ((), False, frozenset())


def test_see_faults_block_warnings_are_news_and_what_is_accepted_is_neither(
    spec: Spec, settings: Settings
):
    owner = OWNER.model_copy(update={"name": "Weather desk"})
    weather = spec.feeds["weather"].model_copy(update={"owner": owner})
    accepted = "volume:movements[2013-02-08]"
    assert accepted in spec.quality.accepted
    spec = spec.model_copy(update={"feeds": {**spec.feeds, "weather": weather}})
    findings = [
        check("unit", "weather", column="temperature_f", observed=21.0, expected=70.0),
        check("segment_volume", "schedules", segment="carrier=VX"),
        check("volume", "movements", segment="2013-02-08"),
        check("volume", "schedules", "ok"),
    ]
    write_findings(spec, FIRST, "feeds", findings, settings)
    seen = see(spec, FIRST, settings)
    fault, news = seen.evidence
    assert (fault.kind, fault.source, fault.severity) == ("fault", "data.unit", "ticket")
    assert (fault.value, fault.threshold, fault.owner) == (21.0, 70.0, owner)
    assert fault.leaves == {("weather", "temperature_f")}
    assert (news.kind, news.home, news.severity) == ("news", "schedules", "digest")
    assert news.owner == spec.owner
    assert seen.is_checked


@pytest.mark.parametrize(
    ("table", "state", "rows", "expected", "severity"),
    [
        ("schedules", "appeared", 10, 0.0, "ticket"),
        ("schedules", "appeared", 9, 0.0, "digest"),
        ("schedules", "disappeared", 0, 10.0, "ticket"),
        ("schedules", "disappeared", 0, 9.5, "digest"),
        ("feat_flights", "appeared", 100, 0.0, "digest"),  # it is told where it enters
    ],
)
def test_see_segment_that_came_or_went_is_a_ticket_if_it_has_rows_enough(
    spec: Spec,
    settings: Settings,
    table: str,
    state: str,
    rows: int,
    expected: float,
    severity: str,
):
    assert spec.quality.min_segment_rows == 10
    prefix = "" if table in spec.feeds else "feature_"
    change = check(
        f"{prefix}segment_{state}", table, state, segment="carrier=ZZ", expected=expected
    ).model_copy(update={"rows": rows})
    write_findings(spec, FIRST, "segments", [change], settings)
    (found,) = see(spec, FIRST, settings).evidence
    assert (found.kind, found.family, found.severity) == ("news", "segment", severity)
    assert (found.leaves, found.home) == ({("schedules", "carrier")}, "schedules")
    assert (found.threshold, found.unit) == (expected, "rows")


def test_see_fault_that_a_person_accepted_is_none(spec: Spec, settings: Settings):
    name = "unit:weather.temperature_f"
    write_findings(
        spec, FIRST, "feeds", [check("unit", "weather", column="temperature_f")], settings
    )
    assert [e.name for e in see(spec, FIRST, settings).evidence] == [name]
    since = FIRST.end.replace(tzinfo=None)
    one = Block(
        window=FIRST.key,
        table_name="bronze.stg_flights__weather",
        blocked_by=name,
        state="unblocked",
        rows_path="findings/*/x.parquet",
        since=since,
    )
    block(spec, settings, one)
    assert see(spec, FIRST, settings).evidence == ()


def test_see_test_that_blocks_is_told_once_at_its_lowest_table(spec: Spec, settings: Settings):
    made = Block(
        window=FIRST.key,
        table_name="gold.feat_flights",
        blocked_by="not_null_origin",
        state="blocked",
        rows=3,
        rows_path="failed/rows.parquet",
        since=FIRST.end.replace(tzinfo=None),
    )
    unfinished = made.model_copy(update={"blocked_by": "unfinished_build", "rows_path": None})
    silver = made.model_copy(update={"table_name": "silver.int_flights__conformed"})
    block(spec, settings, made, unfinished, silver)
    (found,) = see(spec, FIRST, settings).evidence
    assert (found.name, found.subject, found.value) == (
        "test:not_null_origin",
        "int_flights__conformed",
        3,
    )
    assert found.feeds == {"schedules", "movements"}


def test_see_blocked_features_stop_the_scoring_and_page(
    spec: Spec, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    write_findings(spec, FIRST, "landing", [check("landing", "weather")], settings)
    assert [e.severity for e in see(spec, FIRST, settings).evidence] == ["ticket"]
    monkeypatch.setattr("ratchet.warehouse.why_blocked", lambda *_: "it is blocked")
    assert [e.severity for e in see(spec, FIRST, settings).evidence] == ["page"]


@pytest.mark.parametrize(
    ("cost", "severity"), [(99.0, "ticket"), (100.0, "page"), (None, "ticket")]
)
def test_see_model_pages_from_the_declared_cost_on(
    spec: Spec, settings: Settings, cost: float | None, severity: str
):
    alerts = spec.alerts.model_copy(update={"page_cost_per_window": 100.0})
    spec = spec.model_copy(update={"alerts": alerts})
    rows = 50
    worse = signal(
        family="performance",
        column=None,
        rows=rows,
        effect=2.0 if cost is None else cost / rows,
        unit="other" if cost is None else f"{spec.costs.unit} per {spec.gold.unit}",
    )
    (found,) = measured(spec, settings, worse)
    assert (found.severity, found.owner) == (severity, spec.owner)


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"family": "service", "rule": "errors"}, "page"),
        ({"family": "service", "rule": "latency"}, "ticket"),
        ({"family": "kpi", "rule": "guardrail"}, "page"),
        ({"family": "kpi", "rule": "level"}, "ticket"),
    ],
)
def test_see_consequence_decides_on_the_severity(
    spec: Spec, settings: Settings, changes: dict, severity: str
):
    (found,) = measured(spec, settings, signal(column=None, **changes))
    assert found.severity == severity


@pytest.mark.parametrize(
    ("changes", "compared"),
    [
        ({"value": 0.5, "expected": 0.0, "effect": 0.5}, (0.5, 0.1)),  # a distance
        ({"value": 26.0, "expected": 23.0, "effect": 3.0}, (26.0, 23.1)),
        ({"value": 20.0, "expected": 23.0, "effect": 3.0}, (20.0, 22.9)),
        ({"value": 600.0, "expected": 300.0, "effect": 1.0}, (1.0, 0.1)),  # a relative change
        ({"value": None, "expected": None, "effect": 3.0}, (3.0, 0.1)),
    ],
)
def test_see_value_and_threshold_are_on_one_scale(
    spec: Spec, settings: Settings, changes: dict, compared: tuple[float, float]
):
    kpi = signal(family="kpi", rule="level", subject="departures", column=None, **changes)
    (found,) = measured(spec, settings, kpi)
    assert (found.value, found.threshold) == pytest.approx(compared)


def test_see_slow_service_goes_back_to_no_feed_and_stale_features_do(
    spec: Spec, settings: Settings
):
    both = [
        signal(family="service", rule=rule, subject="scoring", column=None)
        for rule in ("latency", "staleness")
    ]
    slow, stale = measured(spec, settings, *both)
    assert slow.leaves == frozenset()
    assert ("weather", "temperature_f") in stale.leaves


@pytest.mark.parametrize(
    ("kpi", "worse", "direction", "is_verify"),
    [
        ("disrupted_share", "up", "up", False),
        ("disrupted_share", "up", "down", True),
        ("flights", "both", "up", True),  # more than ever: a good day, or counted twice
        ("flights", "both", "down", False),
    ],
)
def test_see_kpi_to_the_good_by_the_spec_is_to_be_verified(
    spec: Spec, settings: Settings, kpi: str, worse: str, direction: str, is_verify: bool
):
    assert spec.kpis[kpi].worse == worse
    moved = signal(family="kpi", rule="level", subject=kpi, column=None, direction=direction)
    (found,) = measured(spec, settings, moved)
    assert found.is_verify == is_verify
    assert found.owner == spec.owner


def test_see_drift_never_pages_however_large(spec: Spec, settings: Settings):
    for number in (0, 1):
        moved = [
            signal(window=week(number), effect=1e6),
            signal(window=week(number), family="prediction_drift", column=None),
        ]
        write_signals(spec, week(number), "made", moved, settings)
    judge_window(spec, week(1), settings)
    found = see(spec, week(1), settings).evidence
    assert {e.family: e.severity for e in found} == {
        "feature_drift": "digest",
        "prediction_drift": "ticket",
    }


def test_lineage_follows_features_tables_and_ages(spec: Spec, settings: Settings):
    lineage = Lineage(spec, settings)
    assert lineage.leaves("feat_flights", "temperature_f") == {("weather", "temperature_f")}
    assert lineage.leaves("weather", "humidity_pct") == {("weather", "humidity_pct")}
    aged = lineage.leaves("scoring", "weather")
    assert {("weather", "temperature_f"), ("weather", "wind_speed_mph")} <= aged
    mart = lineage.leaves("mart_decision_costs", None)
    assert {feed for feed, _ in mart} == {"schedules", "movements"}
    assert ("movements", "delay_min") in lineage.leaves("champion", None)


def test_lineage_what_cant_be_followed_may_come_from_anywhere(spec: Spec, settings: Settings):
    unknown = Lineage(spec, settings).leaves("feat_flights", "humidity_pct")
    assert {feed for feed, _ in unknown} == set(spec.feeds)


@pytest.mark.parametrize(
    ("feature", "home"),
    [
        ("temperature_f", "weather"),
        ("weather_age_min", "weather"),
        ("carrier", "schedules"),
        ("scheduled_elapsed_min", "schedules"),
        ("route_rate_28d", "movements"),
    ],
)
def test_lineage_home_is_the_feed_that_says_most(
    spec: Spec, settings: Settings, feature: str, home: str
):
    followed = {n: f for n, f in spec.gold.features.items() if n != "humidity_pct"}
    gold = spec.gold.model_copy(update={"features": followed})
    lineage = Lineage(spec.model_copy(update={"gold": gold}), settings)
    assert lineage.home(lineage.leaves("feat_flights", feature)) == home
