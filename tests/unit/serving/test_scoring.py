from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from model_lake import SECOND

from ratchet.errors import EvidenceError
from ratchet.problems import problem_of
from ratchet.serving import score


def release(spec, version, probability):
    return SimpleNamespace(
        version=version,
        spec=spec,
        problem=problem_of(spec),
        answers=lambda rows: np.full(len(rows), probability),
        reasons=lambda rows, count: [f"{count} of row {number}" for number in range(len(rows))],
    )


@pytest.fixture
def champions(monkeypatch):
    """Let version 5 be champion, and 1 have been the first."""

    def champion_at(spec, moment, settings):
        assert moment == SECOND.start
        return release(spec, "5", 0.3)

    monkeypatch.setattr("ratchet.serving.scoring.champion_at", champion_at)
    monkeypatch.setattr(
        "ratchet.serving.scoring.first_champion", lambda spec, settings: release(spec, "1", 0.25)
    )


def run(lake):
    report = score(lake.spec, SECOND, lake.settings)
    return report, pd.read_parquet(report.path)


def test_score_without_a_champion_the_rule_decides(model_lake):
    report, rows = run(model_lake)
    assert (report.champion, report.first, report.rows) == (None, None, len(rows))
    assert set(rows["role"]) == {"rule"}
    assert rows["is_decision"].all()
    gold, rule = model_lake.spec.gold, model_lake.spec.rule
    merged = rows.merge(model_lake.rows, on=gold.key)
    assert len(merged) == report.rows == 420
    assert (merged["probability"] == merged[rule.column]).all()


@pytest.mark.usefixtures("champions")
def test_score_champion_decides_beside_the_first_and_the_rule(model_lake):
    report, rows = run(model_lake)
    assert (report.champion, report.first, report.rows) == ("5", "1", 420)
    roles = rows.groupby("role")
    assert roles.size().to_dict() == {"champion": 420, "first": 420, "rule": 420}
    assert roles["version"].first().to_dict() == {"champion": "5", "first": "1", "rule": "rule"}
    assert rows.loc[rows["is_decision"], "role"].unique().tolist() == ["champion"]


def test_score_decides_by_the_costs_and_features_that_the_champion_was_released_with(
    model_lake, monkeypatch
):
    today = model_lake.spec
    costs = today.costs.model_copy(update={"negative_acted_on": 30.0})
    model_lake.spec = today.model_copy(
        update={
            "costs": costs,
            "gold": today.gold.model_copy(
                update={
                    "features": {
                        name: each
                        for name, each in today.gold.features.items()
                        if name != "wind_speed_mph"
                    }
                }
            ),
        }
    )
    of_then = release(today, "5", 0.3)
    of_then.answers = lambda rows: np.where(rows["wind_speed_mph"] > 0, 0.3, 0.2)
    module = "ratchet.serving.scoring"
    monkeypatch.setattr(f"{module}.champion_at", lambda *_: of_then)
    monkeypatch.setattr(f"{module}.first_champion", lambda *_: of_then)
    _, rows = run(model_lake)
    assert rows.groupby("role")["threshold"].first().to_dict() == {
        "champion": 0.25,  # 10 / 40
        "first": 0.25,
        "rule": 0.5,  # 30 / 60
    }
    merged = rows[rows["role"] == "champion"].merge(model_lake.rows, on=today.gold.key)
    assert (merged["is_acted"] == (merged["wind_speed_mph"] > 0)).all()
    assert set(merged["is_acted"]) == {True, False}


@pytest.mark.usefixtures("champions")
def test_score_acts_from_the_threshold_on_and_says_what_it_costs(model_lake):
    _, rows = run(model_lake)
    costs = model_lake.spec.costs
    assert (rows["threshold"] == costs.threshold).all()
    assert (rows["is_acted"] == (rows["probability"] >= costs.threshold)).all()
    assert rows.loc[rows["role"] == "first", "is_acted"].all()
    by_action = rows.groupby("is_acted")[["cost_if_positive", "cost_if_negative"]].first()
    assert by_action.loc[True].tolist() == [70, 10]
    assert by_action.loc[False].tolist() == [100, 0]


@pytest.mark.usefixtures("champions")
def test_score_again_writes_the_same_bytes_sorted(model_lake):
    report, rows = run(model_lake)
    before = report.path.read_bytes()
    model_lake.rows = model_lake.rows.sample(frac=1, random_state=0)
    model_lake.publish()
    assert score(model_lake.spec, SECOND, model_lake.settings) == report
    assert report.path.read_bytes() == before
    key = model_lake.spec.gold.key
    assert rows.equals(rows.sort_values([key, "role"], ignore_index=True))


def test_score_writes_the_columns_that_others_read(model_lake):
    _, rows = run(model_lake)
    assert list(rows.columns) == [
        "flight_id",
        "decision_at",
        "window",
        "role",
        "version",
        "probability",
        "threshold",
        "is_acted",
        "cost_if_positive",
        "cost_if_negative",
        "is_decision",
        "stale_features",
        "fallback",
        "reasons",
    ]
    assert str(rows["decision_at"].dtype) == "datetime64[us]"


@pytest.mark.usefixtures("champions")
def test_score_champion_says_why_where_that_is_asked_for(model_lake):
    _, rows = run(model_lake)
    why = rows.set_index("role")["reasons"]
    assert why["champion"].str.startswith("3 of row").all()
    assert why["champion"].nunique() == 420
    assert why[["first", "rule"]].isna().all()
    model_lake.spec = model_lake.spec.model_copy(update={"explanations": None})
    _, rows = run(model_lake)
    assert "reasons" not in rows


@pytest.mark.usefixtures("champions")
def test_score_champion_of_before_explanations_says_nothing(model_lake, monkeypatch):
    silent = release(model_lake.spec, "5", 0.3)
    silent.reasons = lambda rows, count: None
    monkeypatch.setattr("ratchet.serving.scoring.champion_at", lambda *_: silent)
    _, rows = run(model_lake)
    assert rows["reasons"].isna().all()


def test_score_no_decisions_raises(model_lake):
    model_lake.rows = model_lake.rows.iloc[:100]
    model_lake.publish()
    with pytest.raises(EvidenceError, match="feat_flights has no rows"):
        run(model_lake)


def test_score_rule_without_an_answer_raises(model_lake):
    model_lake.rows["carrier_hour_rate"] = np.nan
    model_lake.publish()
    with pytest.raises(EvidenceError, match="rule: carrier_hour_rate: some answers are missing"):
        run(model_lake)
