"""What decisions cost, and how well they were ranked, once their labels are known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import duckdb
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.errors import EvidenceError
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

Policy = Literal["decision", "first", "rule", "never", "always", "perfect"]
POLICIES: tuple[Policy, ...] = get_args(Policy)
Group = Literal["window", "policy"]


class Performance(BaseModel):
    """What one policy did on one group of decisions.

    `window` is None for all windows together, `version` where there is none or several.
    Costs are in the spec's unit and cover labelled rows only. `roc_auc` and `pr_auc` (average
    precision) lie in [0, 1] and are better when higher; `brier` lies in [0, 1] and is better when
    lower. Each is None where it is undefined: no label of one of the two kinds, or a policy that
    gives no probability.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str | None = None
    policy: str | None = None
    version: str | None = None
    total: int
    labelled: int
    total_cost: FiniteFloat
    cost_per_unit: FiniteFloat | None
    roc_auc: FiniteFloat | None
    pr_auc: FiniteFloat | None
    brier: FiniteFloat | None


def scored_windows(spec: Spec, settings: Settings) -> list[Window]:
    """Return the windows that have predictions, oldest first."""
    folder = settings.lake(spec.name).predictions
    return sorted(Window.parse(path.stem) for path in folder.glob("*.parquet"))


@dataclass(frozen=True)
class Realised:
    """Predictions of some windows beside the labels known by a moment; see `realised`."""

    connection: duckdb.DuckDBPyConnection

    def measure(self, *by: Group) -> list[Performance]:
        """Return one `Performance` per group that has rows, sorted by group."""
        rows = self.connection.sql(_MEASURE.format(by=", ".join(f'"{name}"' for name in by)))
        return [Performance(**dict(zip(rows.columns, row, strict=True))) for row in rows.fetchall()]


@contextmanager
def realised(
    spec: Spec, windows: Sequence[Window], known_by: datetime, settings: Settings
) -> Iterator[Realised]:
    """Join the predictions of `windows` with the labels known by `known_by`.

    Every policy is put beside what was really decided, on the same rows: the first champion, the
    rule, acting never, always, and with perfect foresight. All sums run in DuckDB, in one thread,
    so that they add up in the same order each time.

    Parameters
    ----------
    windows
        Scored windows, at least one.
    known_by
        Aware moment; labels that became known later do not count.

    Raises
    ------
    EvidenceError
        If a window has no predictions, a probability is not a finite number, or the policies do
        not speak of the same rows.
    """
    from ratchet.warehouse import read_outcomes

    paths = [settings.lake(spec.name).predictions / f"{window.key}.parquet" for window in windows]
    if missing := [str(path) for path in paths if not path.exists()]:
        raise EvidenceError(f"no predictions: {', '.join(missing)}; score the window first")
    decided = Window(min(w.start for w in windows), max(w.end for w in windows))
    gold = spec.gold
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("outcomes", read_outcomes(spec, decided, known_by, settings))
        for name, values in (("window_key", [w.key for w in windows]), ("policy_name", POLICIES)):
            connection.execute(f"create type {name} as enum ({str(list(values))[1:-1]})")
        connection.execute(
            f"""
            create table scored as
            select "window"::window_key as "window", role, version, is_decision,
                o."{gold.label}" as label, probability, cost_if_positive, cost_if_negative
            from read_parquet($paths) as p
            left join outcomes as o on p."{gold.key}" = o."{gold.key}"
            """,  # noqa: S608 - names come from the spec, which allows only [a-z0-9_]
            {"paths": [str(path) for path in paths]},
        )
        _refuse_bad_rows(connection, paths[0].parent)
        connection.execute(_POLICIES, _policy_costs(spec))
        yield Realised(connection)


def _refuse_bad_rows(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    problems = connection.sql(
        """
        with counted as (
            select "window", role, count(*) as n, count(*) filter (is_decision) as decisions,
                count(*) filter (probability is null or not isfinite(probability)) as unusable
            from scored group by all
        )
        select "window", role,
            case when unusable > 0 then unusable || ' probabilities that are not finite numbers'
                else n || ' rows where ' || decided || ' decisions were taken' end
        from (select *, sum(decisions) over (partition by "window") as decided from counted)
        where unusable > 0 or n != decided
        order by all
        """
    ).fetchall()
    if problems:
        window, role, what = problems[0]
        raise EvidenceError(f"{folder / window}.parquet: {role} has {what}; score the window again")


def _policy_costs(spec: Spec) -> dict[str, float]:
    costs = spec.costs
    return {
        "left_positive": costs.positive_left_alone,
        "left_negative": costs.negative_left_alone,
        "acted_positive": costs.positive_acted_on,
        "acted_negative": costs.negative_acted_on,
    }


_POLICIES = """
create table policies as
with decisions as (select * from scored where is_decision),
answers as (
    select "window", 'decision' as policy, version, label, probability,
        cost_if_positive, cost_if_negative
    from decisions
    union all
    select "window", role, version, label, probability, cost_if_positive, cost_if_negative
    from scored where role in ('first', 'rule')
    union all
    select "window", 'never', null, label, null, $left_positive, $left_negative from decisions
    union all
    select "window", 'always', null, label, null, $acted_positive, $acted_negative from decisions
    union all
    select "window", 'perfect', null, label, null,
        least($left_positive, $acted_positive), least($left_negative, $acted_negative)
    from decisions
)
select * replace (policy::policy_name as policy) from answers
"""

# Rows with the same probability are one step of the ROC and precision-recall curves: a positive
# beats each negative below it, and ties with half of those beside it. Sums of doubles over the
# rows of a window are several times faster than DuckDB's defaults, huge integers over a range.
_MEASURE = """
with steps as (
    select {by}, probability,
        min(version) as least_version,
        max(version) as greatest_version,
        count(*) as total,
        count(label) as labelled,
        count(*) filter (label)::double as positives,
        count(*) filter (not label)::double as negatives,
        sum(case when label then cost_if_positive when not label then cost_if_negative end) as cost
    from policies group by {by}, probability
),
curves as (
    select *,
        sum(positives) over curve as positives_so_far,
        sum(negatives) over curve as negatives_so_far
    from steps
    window curve as (partition by {by} order by probability desc rows unbounded preceding)
)
select {by},
    case when min(least_version) = max(greatest_version) then min(least_version) end as version,
    sum(total)::bigint as total,
    sum(labelled)::bigint as labelled,
    coalesce(sum(cost), 0) as total_cost,
    total_cost / nullif(sum(labelled), 0) as cost_per_unit,
    case when count(probability) > 0
        then sum(negatives * (positives_so_far - positives / 2))
            / nullif(sum(positives) * sum(negatives), 0) end as roc_auc,
    case when count(probability) > 0 and sum(negatives) > 0
        then sum(positives * positives_so_far / nullif(positives_so_far + negatives_so_far, 0))
            / nullif(sum(positives), 0) end as pr_auc,
    sum(positives * (1 - probability) ^ 2 + negatives * probability ^ 2)
        / nullif(sum(labelled), 0) as brier
from curves group by {by} order by {by}
"""
