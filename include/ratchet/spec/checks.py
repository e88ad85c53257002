"""What several parts of a spec must agree on, once each part is right by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta

from croniter import croniter

from ratchet.spec.access import CONDITION, condition_name, restricted_columns
from ratchet.spec.costs import Metric
from ratchet.spec.marts import gold_columns
from ratchet.spec.source import Field
from ratchet.spec.types import Canary, Invariance, Plausible, Spec

Disagreement = tuple[Field, str]

MATURE_DAYS = 2  # of a holdout, from which on it can be seen how much days differ


def disagreements(spec: Spec) -> Iterator[Disagreement]:
    """Yield each field that can't stand beside another one, with the reason and a remedy."""
    yield from _of_schedule(spec)
    yield from _of_feeds(spec)
    yield from _of_segments(spec)
    yield from _of_columns(spec)
    yield from _of_access(spec)
    yield from _of_training(spec)
    yield from _of_estimators(spec)
    yield from _of_evaluation(spec)
    yield from _of_behaviour(spec)
    yield from _of_gate(spec)
    yield from _of_estimates(spec)
    yield from _of_kpis(spec)
    yield from _of_alerts(spec)
    if spec.explanations and spec.costs.problem == "segmentation":
        text = "can't be kept: a segment is no number that a feature could move; remove it"
        yield ("explanations", "per_row"), text


def _of_schedule(spec: Spec) -> Iterator[Disagreement]:
    cron = spec.schedule.cron
    if not croniter.is_valid(cron):
        text = f"{cron!r} has no ticks; write minute, hour, day of month, month, day of week"
        yield ("schedule", "cron"), text
        return
    for name in ("history_start", "start", "end"):
        bound = getattr(spec.schedule, name)
        if bound is None:
            continue
        if bound.second or bound.microsecond:
            yield ("schedule", name), "is finer than a minute; leave out the seconds"
        elif name != "history_start" and not croniter.match(cron, bound.astimezone(UTC)):
            text = f"is no tick of {cron!r}, so windows would not join; move it to one"
            yield ("schedule", name), text


def _of_feeds(spec: Spec) -> Iterator[Disagreement]:
    first = spec.schedule.history_start.astimezone(UTC).date()
    for name, feed in spec.feeds.items():
        if feed.files == "once" and feed.active.start < first:
            text = f"is before the first window, so the file is never landed; give {first} or later"
            yield ("feeds", name, "active", "start"), text


def _of_segments(spec: Spec) -> Iterator[Disagreement]:
    tables = [name for name, feed in spec.feeds.items() if feed.event_time]
    for table, keys in spec.quality.segments.items():
        field: Field = ("quality", "segments", table)
        if table == spec.gold.features_table:
            continue
        if table not in tables:
            known = ", ".join([*tables, spec.gold.features_table])
            yield field, f"is no table with a past; name one of {known}"
            continue
        columns = spec.feeds[table].columns
        if unknown := sorted({name for key in keys for name in key} - columns.keys()):
            yield field, f"names unknown columns {unknown}; name columns of the feed"


def _of_columns(spec: Spec) -> Iterator[Disagreement]:
    gold = spec.gold
    if gold.features_table == gold.outcomes_table:
        yield ("gold", "outcomes_table"), "is the features table too; give outcomes a table"
    roles: dict[str, str] = {}
    for column, part, role in (
        (gold.key, "gold", "key"),
        (gold.decided_at, "gold", "decided_at"),
        (gold.label, "gold", "label"),
        (gold.label_known_at, "gold", "label_known_at"),
        (spec.rule.column, "rule", "column"),
    ):
        if column in roles:
            yield (part, role), f"{column!r} is {roles[column]} too; give each its own column"
        roles.setdefault(column, f"{part}.{role}")
    for position, column in enumerate(gold.entity):
        if column in roles:
            yield ("gold", "entity", position), f"{column!r} is {roles[column]}; name what recurs"
    for column in gold.features:
        if column in roles:
            text = f"is {roles[column]}, which a model must not read; remove the feature"
            yield ("gold", "features", column), text
    for name, feature in gold.features.items():
        if feature.known_at in (*gold.features, gold.label, gold.label_known_at, gold.key):
            text = f"{feature.known_at!r} holds no moment of its own; name a column that does"
            yield ("gold", "features", name, "known_at"), text
    yield from _of_staleness(spec)


def _of_staleness(spec: Spec) -> Iterator[Disagreement]:
    features, staleness = spec.gold.features, spec.gold.staleness
    if staleness and staleness.on_stale == "refuse" and spec.costs.do_nothing is None:
        text = f"a {spec.costs.problem} problem leaves no unit alone; use baseline or go_on"
        yield ("gold", "staleness", "on_stale"), text
    for source, limit in staleness.max_age.items() if staleness else ():
        field: Field = ("gold", "staleness", "max_age", source)
        if limit.age not in features or features[limit.age].kind != "numeric":
            yield (*field, "age"), f"{limit.age!r} is no numeric feature; name one"
        if unknown := [name for name in limit.features if name not in features]:
            yield (*field, "features"), f"{unknown} are no features; name columns of gold.features"


def _of_access(spec: Spec) -> Iterator[Disagreement]:
    for name, feed in spec.feeds.items():
        if feed.region not in (None, spec.region):
            there = f"in {spec.region!r}" if spec.region else "in no region"
            text = f"keeps its rows in {feed.region!r}, and the use case is {there}; let them agree"
            yield ("feeds", name, "region"), text
    restricted = sorted(restricted_columns(spec))
    known = {condition_name(spec, name, leaf) for name in spec.gold.features for leaf in restricted}
    for name in spec.quality.accepted:
        if name.startswith(f"{CONDITION}:") and name not in known:
            text = (
                "names no feature and restricted column; write "
                f"{CONDITION}:{spec.gold.features_table}.<feature>[<feed>.<column>], or remove it"
            )
            yield ("quality", "accepted", name), text
    for feed_name, column in restricted:
        if column in spec.gold.features:
            text = f"is {feed_name}.{column}, which is tagged restricted; remove the feature"
            yield ("gold", "features", column), text


def _of_training(spec: Spec) -> Iterator[Disagreement]:
    training, schedule = spec.training, spec.schedule
    history = (schedule.start - schedule.history_start) / timedelta(days=1)
    if training.holdout_days >= history:
        text = (
            f"leaves nothing of the first {history:g} days to train on; "
            "shorten it, or let schedule.start be later"
        )
        yield ("training", "holdout_days"), text
    if training.max_history_days is not None and training.max_history_days <= training.holdout_days:
        text = f"is no longer than the {training.holdout_days} days of holdout; lengthen it"
        yield ("training", "max_history_days"), text
    if training.max_rows is not None and training.max_rows < training.min_rows:
        text = f"is less than training.min_rows, {training.min_rows:,}; raise it"
        yield ("training", "max_rows"), text
    pool = training.resources.pool
    if pool and pool.endswith("_warehouse"):
        text = f"{pool!r} is the name of a warehouse's pool, of one writer; give another name"
        yield ("training", "resources", "pool"), text


def _of_estimators(spec: Spec) -> Iterator[Disagreement]:
    known = spec.costs.estimators
    for name, declared in spec.training.estimators.items():
        field: Field = ("training", "estimators", name)
        own = ":" in declared.type
        if not own and declared.type not in known:
            text = (
                f"{declared.type!r} is no estimator of a {spec.costs.problem} problem; "
                f"use one of {sorted(known)}, or package.module:factory"
            )
            yield (*field, "type"), text
        if declared.trusted_types and not own:
            text = "are needed by estimators of your own only; remove them"
            yield (*field, "trusted_types"), text
        if declared.search:
            yield from _of_folds(spec, (*field, "search", "folds"), declared.search.folds)


def _of_evaluation(spec: Spec) -> Iterator[Disagreement]:
    evaluation, features = spec.evaluation, spec.gold.features
    for part, guard in (("slices", evaluation.slices), ("fairness", evaluation.fairness)):
        for position, columns in enumerate(guard.columns if guard else ()):
            if unknown := [name for name in columns if name not in features]:
                text = f"{unknown} are no features; name columns of gold.features"
                yield ("evaluation", part, "columns", position), text
    yield from _of_folds(spec, ("evaluation", "folds"), evaluation.folds)


def _of_folds(spec: Spec, field: Field, folds: int) -> Iterator[Disagreement]:
    needed = (folds + 1) * spec.training.holdout_days
    history = (spec.schedule.start - spec.schedule.history_start) / timedelta(days=1)
    reach = min(history, spec.training.max_history_days or history)
    if spec.training.holdout_days < reach <= needed:
        text = (
            f"reach back {needed} days with the holdout, and there are not so many to learn from; "
            "give fewer"
        )
        yield field, text


def _of_behaviour(spec: Spec) -> Iterator[Disagreement]:
    features = spec.gold.features
    is_number = spec.costs.columns[spec.costs.watched] == "double"
    for name, declared in spec.evaluation.behaviour.items():
        field: Field = ("evaluation", "behaviour", name)
        given: list[tuple[str, float | str]]
        if isinstance(declared, Invariance):
            given = [(declared.feature, value) for value in declared.values]
        elif isinstance(declared, Canary):
            given = [*declared.row.items()]
        else:
            given = [*declared.add.items()]
        for feature, value in given:
            if feature not in features:
                yield field, f"{feature!r} is no feature; name columns of gold.features"
            elif (features[feature].kind == "numeric") == isinstance(value, str):
                text = f"{value!r} is no value of {features[feature].kind} {feature!r}; correct it"
                yield field, text
        bounds = None if isinstance(declared, Invariance) else (declared.least, declared.most)
        if bounds and (bounds[0] is not None) != is_number:
            what = "numbers; give least and most" if is_number else "texts; give a canary and among"
            yield field, f"answers of a {spec.costs.problem} problem are {what}"
        elif bounds and bounds[0] is not None and bounds[1] is not None and bounds[0] > bounds[1]:
            yield field, "least is above most, so nothing passes; swap them"


def _of_plausible(spec: Spec) -> Iterator[Disagreement]:
    for name, bounds in spec.gate.plausible.items():
        field: Field = ("gate", "plausible", name)
        metric = spec.costs.metrics.get(name)
        if metric is None:
            text = (
                f"is no metric of a {spec.costs.problem} problem; "
                f"use one of {sorted(spec.costs.metrics)}"
            )
            yield field, text
            continue
        sign = 1 if metric.is_higher_better else -1
        if sign * bounds.worst >= sign * bounds.best:
            yield field, "worst is not worse than best, so nothing passes; swap them"
        if metric.chance is not None and sign * bounds.worst < sign * metric.chance:
            text = f"lets answers pass that are worse than chance; give {metric.chance} or more"
            yield (*field, "worst"), text
            continue
        is_by_row = name == spec.costs.leading[0] and spec.costs.leads_by_row
        for part, text in _of_slice(bounds, metric, is_by_row):
            yield (*field, part), text


def _of_slice(bounds: Plausible, metric: Metric, is_by_row: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with bounds that can be had of the leading metric alone."""
    worst, sign = bounds.worst_in_slice, 1 if metric.is_higher_better else -1
    if not is_by_row:
        text = "is of means over rows: give it to the leading metric, if that is one"
        for name in ("worst_in_slice", "max_regret"):
            if getattr(bounds, name) is not None:
                yield name, text
    elif worst is not None and sign * worst > sign * bounds.worst:
        text = f"asks more of a part than of the whole; give {bounds.worst:g} or what is worse"
        yield "worst_in_slice", text
    elif worst is not None and metric.chance is not None and sign * worst < sign * metric.chance:
        text = f"lets answers pass that are worse than chance; give {metric.chance} or more"
        yield "worst_in_slice", text


def _of_gate(spec: Spec) -> Iterator[Disagreement]:
    yield from _of_plausible(spec)
    pairing = spec.gate.comparison
    if pairing.by == "entity" and (pairing.test == "blocks" or not spec.gold.entity):
        text = "needs gold.entity, and the test clusters: blocks are of days; add them, or say day"
        yield ("gate", "comparison", "by"), text
    if spec.quality.max_separation is None and "roc_auc" not in spec.gate.plausible:
        text = (
            "is missing, and there is no plausible roc_auc to take it from; say how well a single "
            "feature may tell the label"
        )
        yield ("quality", "max_separation"), text
    if spec.gate.min_holdout_days > spec.training.holdout_days:
        text = f"is more than the {spec.training.holdout_days} days of holdout; lower it"
        yield ("gate", "min_holdout_days"), text
    if (spec.gate.max_calibration_error is None) == spec.costs.has_probabilities:
        text = "is of probabilities: give it where answers are some, and nowhere else"
        yield ("gate", "max_calibration_error"), text
    if spec.gate.min_holdout_rows >= spec.training.min_rows:
        text = "is not below training.min_rows, so the holdout may be all there is; lower it"
        yield ("gate", "min_holdout_rows"), text
    if spec.monitoring.min_rows < spec.monitoring.bins:
        text = f"leaves bins empty; give a row for each of the {spec.monitoring.bins} or more"
        yield ("monitoring", "min_rows"), text


def _of_estimates(spec: Spec) -> Iterator[Disagreement]:
    """Yield a wait that leaves nothing of the holdout to learn from what answers will cost."""
    holdout, wait = spec.training.holdout_days, spec.monitoring.label_wait_days
    if spec.costs.problem not in ("ranking", "segmentation") and holdout - wait < MATURE_DAYS:
        text = (
            f"leaves {max(holdout - wait, 0)} of the {holdout} days of training.holdout_days whose "
            f"labels had time to come, and without {MATURE_DAYS} no cost is estimated before "
            f"labels arrive; shorten it, or give training.holdout_days as {wait + MATURE_DAYS} or "
            "more"
        )
        yield ("monitoring", "label_wait_days"), text


def _of_alerts(spec: Spec) -> Iterator[Disagreement]:
    alerts = spec.alerts
    for severity in type(alerts.routes).model_fields:
        if unknown := [c for c in getattr(alerts.routes, severity) if c not in alerts.channels]:
            text = f"{unknown} are no channels; name some of {sorted(alerts.channels)}"
            yield ("alerts", "routes", severity), text


def _of_kpis(spec: Spec) -> Iterator[Disagreement]:
    tables = gold_columns(spec.name) if spec.kpis else {}
    for name, kpi in spec.kpis.items() if tables else ():  # without tables, there is no SQL yet
        field: Field = ("kpis", name)
        if kpi.table not in tables:
            text = f"{kpi.table!r} is no gold table of {spec.name}; name one of {sorted(tables)}"
            yield (*field, "table"), text
            continue
        columns = tables[kpi.table]
        for role, column in kpi.columns.items():
            if column not in columns:
                text = f"{column!r} is no column of {kpi.table}; name one of {sorted(columns)}"
                yield (*field, role), text
            elif (columns[column] == "date") != (role == "date"):
                kind = "a date" if role == "date" else "a number"
                text = f"{column!r} of {kpi.table} is a {columns[column]}; name {kind}"
                yield (*field, role), text
