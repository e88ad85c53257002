"""What a use case's models decided, what it cost, and what each decision rested on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import duckdb
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.decision import Decision
from ratchet.incidents import Finding, Incident, all_incidents, incident_windows, read_judged
from ratchet.ledger import Ledger
from ratchet.monitoring import Performance, realised, scored_windows
from ratchet.settings import Lake, Settings
from ratchet.spec import Spec
from ratchet.window import Window

_OF_FEATURES = ("feature_drift", "missingness")

State = Literal["nothing_scored", "no_champion", "no_labels", "complete"]


class Record(BaseModel):
    """Base of all parts of a summary."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeedCount(Record):
    """Rows of one feed over all windows, and why most of the quarantined ones are there."""

    feed: str
    accepted: int
    quarantined: int
    reason: str | None

    @property
    def landed(self) -> int:
        """All rows that were sent."""
        return self.accepted + self.quarantined


class Week(Record):
    """One window in which a champion decided, and what each policy did."""

    window: str
    version: str
    by_policy: dict[str, Performance]
    prediction_psi: FiniteFloat | None
    drifted_features: int | None

    def saved(self, reference: str) -> float | None:
        """Total cost that the decisions saved against another policy; None without it."""
        other = self.by_policy.get(reference)
        return other.total_cost - self.by_policy["decision"].total_cost if other else None


class Summary(Record):
    """Everything that the report shows. `state` says how far the use case has come.

    `overall` and `weeks` cover the windows in which a champion decided, and the labels known by
    the end of the last of them. `decisions` are all of the ledger's, in order of their windows.
    `findings` are what monitoring found, window by window, and `incidents` all that there were.
    """

    spec: Spec
    state: State
    overall: dict[str, Performance]
    weeks: tuple[Week, ...]
    decisions: tuple[Decision, ...]
    findings: tuple[Finding, ...] = ()
    incidents: tuple[Incident, ...] = ()
    feeds: tuple[FeedCount, ...]

    @property
    def period(self) -> Window | None:
        """From the first to the last window in which a champion decided."""
        if not self.weeks:
            return None
        first, last = (Window.parse(self.weeks[position].window) for position in (0, -1))
        return Window(first.start, last.end)

    @property
    def message(self) -> str:
        """What `state` means, in a sentence."""
        if self.state == "nothing_scored":
            return "Nothing has been scored yet, so there is nothing to compare."
        if self.state == "no_champion":
            return "No model has become champion yet: the rule has decided so far."
        if self.state == "no_labels":
            return "A champion decides, but none of its labels has arrived yet."
        decided = self.overall["decision"]
        return (
            f"{decided.total:,} {self.spec.gold.unit}s in {len(self.weeks)} "
            f"{'window' if len(self.weeks) == 1 else 'windows'}, "
            f"{self.period}; {decided.labelled / decided.total:.1%} of their labels are known."
        )

    def of_kind(self, *kinds: str) -> list[Decision]:
        """Return the decisions of some kinds, in order of time."""
        return [decision for decision in self.decisions if decision.kind in kinds]

    def saved_per_unit(self, reference: str) -> float | None:
        """Cost per unit that the decisions saved against another policy; higher is better."""
        ours, other = (self.overall.get(policy) for policy in ("decision", reference))
        if not ours or not other or ours.cost_per_unit is None or other.cost_per_unit is None:
            return None
        return other.cost_per_unit - ours.cost_per_unit


def summarise(spec: Spec, settings: Settings) -> Summary:
    """Read what stands in the lake and the ledger; change nothing.

    Predictions are read once and summed up in DuckDB, so a long history stays cheap.

    Raises
    ------
    EvidenceError
        If predictions are not usable.
    LedgerError
        If the ledger's chain is broken.
    """
    lake = settings.lake(spec.name)
    scored = scored_windows(spec, settings)
    windows = _championed(lake, scored)
    judged = {w.key: read_judged(spec, w, settings) for w in incident_windows(spec, settings)}
    overall: dict[str, Performance] = {}
    weeks: list[Week] = []
    if windows:
        results = realised(spec, windows, scored[-1].end, settings)
        overall = {str(row.policy): row for row in results.measure("policy")}
        weeks = _weeks(results.measure("window", "policy"), judged)
    return Summary(
        spec=spec,
        state=_state(scored, overall),
        overall=overall,
        weeks=tuple(weeks),
        decisions=tuple(
            sorted(Ledger(lake.ledger).decisions(), key=lambda d: Window.parse(d.window).end)
        ),
        findings=tuple(
            finding
            for findings in judged.values()
            for finding in findings
            if finding.state == "found"
        ),
        incidents=tuple(all_incidents(spec, settings)),
        feeds=tuple(_count(lake, feed) for feed in spec.feeds),
    )


def _state(scored: Sequence[Window], overall: dict[str, Performance]) -> State:
    if not scored:
        return "nothing_scored"
    if not overall:
        return "no_champion"
    return "complete" if overall["decision"].labelled else "no_labels"


def _championed(lake: Lake, scored: Sequence[Window]) -> list[Window]:
    paths = [lake.predictions / f"{window.key}.parquet" for window in scored]
    rows = _query(
        """
        select distinct "window" from read_parquet($paths)
        where role = 'champion' and is_decision order by "window"
        """,
        paths,
    )
    return [Window.parse(key) for (key,) in rows]


def _drift(judged: Iterable[Finding]) -> tuple[float | None, int]:
    """Return the PSI of the answers, and how many features were found to have moved."""
    whole = [finding for finding in judged if finding.segment is None]
    psi = (each.value for each in whole if each.source == "prediction_drift.psi")
    moved = {each.column for each in whole if each.family in _OF_FEATURES and each.state == "found"}
    return next(psi, None), len(moved)


def _weeks(rows: Sequence[Performance], judged: Mapping[str, list[Finding]]) -> list[Week]:
    by_window: dict[str, dict[str, Performance]] = {}
    for row in rows:
        by_window.setdefault(str(row.window), {})[str(row.policy)] = row
    drift = {window: _drift(findings) for window, findings in judged.items() if findings}
    return [
        Week(
            window=window,
            version=str(by_policy["decision"].version),
            by_policy=by_policy,
            prediction_psi=drift.get(window, (None, None))[0],
            drifted_features=drift.get(window, (None, None))[1],
        )
        for window, by_policy in sorted(by_window.items())
    ]


def _count(lake: Lake, feed: str) -> FeedCount:
    landed = lake.root / "landing" / feed
    accepted, quarantined = (
        sorted(landed.glob(f"*/{name}.parquet")) for name in ("accepted", "quarantine")
    )
    reasons = """
        select reason from read_parquet($paths), unnest(reasons) as one (reason)
        group by reason order by count(*) desc, reason limit 1
    """
    return FeedCount(
        feed=feed,
        accepted=_rows(accepted),
        quarantined=_rows(quarantined),
        reason=next((reason for (reason,) in _query(reasons, quarantined)), None),
    )


def _rows(paths: Sequence[Path]) -> int:
    return sum(n for (n,) in _query("select count(*) from read_parquet($paths)", paths))


def _query(sql: str, paths: Sequence[Path]) -> list[tuple[Any, ...]]:
    """Rows of a query over some Parquet files; none if there are no files."""
    if not paths:
        return []
    with duckdb.connect() as connection:
        result = connection.execute(sql, {"paths": [str(path) for path in paths]})
        rows: list[tuple[Any, ...]] = result.fetchall()
        return rows
