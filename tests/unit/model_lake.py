"""A lake with flights that a model can learn from, small enough to train on in a moment."""

from dataclasses import dataclass
from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
from sklearn.base import ClassifierMixin
from threadpoolctl import threadpool_limits

from ratchet.problems import problem_of
from ratchet.settings import Lake, Settings
from ratchet.spec import Spec
from ratchet.spec.types import Serving
from ratchet.warehouse import take_snapshot
from ratchet.window import Window

FIRST = Window.parse("2012-12-31T0000--2013-03-01T0000")
SECOND = Window.parse("2013-03-01T0000--2013-03-08T0000")
THIRD = Window.parse("2013-03-08T0000--2013-03-15T0000")
FLIGHTS_A_DAY = 60


def small(spec: Spec) -> Spec:
    """Let a use case be content with the few rows of a test."""
    training = spec.training.model_copy(update={"min_rows": 1000})
    plausible = {"roc_auc": spec.gate.plausible["roc_auc"].model_copy(update={"worst": 0.6})}
    gate = spec.gate.model_copy(update={"min_holdout_rows": 500, "plausible": plausible})
    # features are normal deviates here, so a fixed case in real units means nothing
    behaviour = {
        name: each for name, each in spec.evaluation.behaviour.items() if each.test != "canary"
    }
    evaluation = spec.evaluation.model_copy(
        update={
            "behaviour": behaviour,
            # how fast a busy machine answers is not what these tests are about
            "serving": Serving(max_row_ms=60_000, max_memory_mb=4_000, max_seconds=600),
            "slices": spec.evaluation.slices.model_copy(update={"min_rows": 50}),
            "fairness": spec.evaluation.fairness.model_copy(update={"min_rows": 50}),
        }
    )
    return spec.model_copy(update={"training": training, "evaluation": evaluation, "gate": gate})


def flights(
    spec: Spec, window: Window, seed: int = 0, flights_a_day: int = FLIGHTS_A_DAY
) -> pd.DataFrame:
    """Return flights with features, the rule's answer and labels, sorted by time.

    Delays so far and wind make a flight late. Some numbers are missing, as in the real feeds; one
    flight in fifty has a label that becomes known only two days later.
    """
    rng = np.random.default_rng(seed)
    rows = int(window.days) * flights_a_day
    gold = spec.gold
    frame = pd.DataFrame(
        {name: rng.normal(size=rows) for name, f in gold.features.items() if f.kind == "numeric"}
    )
    frame["wind_gust_mph"] = np.where(rng.random(rows) < 0.7, np.nan, frame["wind_gust_mph"])
    frame["origin"] = rng.choice(["EWR", "JFK", "LGA"], rows)
    frame["carrier"] = rng.choice(["AA", "B6", "DL", "EV", "UA"], rows)
    spacing = timedelta(days=1) / flights_a_day
    start = np.datetime64(window.start.replace(tzinfo=None), "us")
    frame[gold.decided_at] = start + np.arange(rows) * np.timedelta64(spacing)
    frame["scheduled_weekday"] = frame[gold.decided_at].dt.day_name().str[:3]
    logit = frame["origin_mean_delay_min"] + 0.7 * frame["wind_speed_mph"] - 1.3
    logit += np.where(frame["origin"] == "EWR", 0.3, 0)
    frame[gold.label] = rng.random(rows) < 1 / (1 + np.exp(-logit))
    frame[spec.rule.column] = np.clip(0.26 + 0.03 * frame["carrier_rate_14d"], 0.02, 0.9)
    late = rng.random(rows) < 0.02
    frame[gold.label_known_at] = frame[gold.decided_at] + np.where(
        late, np.timedelta64(2, "D"), np.timedelta64(6, "h")
    )
    for column in {feature.known_at for feature in gold.features.values()}:
        frame[column] = frame[gold.decided_at] - np.timedelta64(1, "h")
    frame[gold.key] = [f"{window.start:%m%d}-{number:05d}" for number in range(rows)]
    return frame


def fit(spec: Spec, rows: pd.DataFrame, estimator: str) -> ClassifierMixin:
    """Fit one of the spec's estimators, in one thread: two of them wait for each other."""
    model = problem_of(spec).estimator(estimator)
    with threadpool_limits(1):
        return model.fit(rows[list(spec.gold.features)], rows[spec.gold.label])


@dataclass
class ModelLake:
    """Published gold tables with all flights of three windows, in a lake of its own."""

    spec: Spec
    settings: Settings
    rows: pd.DataFrame

    @property
    def lake(self) -> Lake:
        return self.settings.lake(self.spec.name)

    def publish(self) -> None:
        """Write the gold tables, as a build whose tests passed would."""
        gold = self.spec.gold
        labels = [gold.label, gold.label_known_at]
        self.lake.published.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(self.lake.published) as connection:
            connection.execute("create schema if not exists gold")
            connection.execute("create schema if not exists control")
            connection.execute(
                'create or replace table control.held (table_name varchar, "window" varchar)'
            )
            for table, frame in (
                (gold.features_table, self.rows.drop(columns=labels)),
                (gold.outcomes_table, self.rows[[gold.key, gold.decided_at, *labels]]),
            ):
                connection.register("frame", frame)
                connection.execute(f"create or replace table gold.{table} as from frame")

    def snapshot_id(self, window: Window) -> str:
        return take_snapshot(self.spec, window, self.settings).id
