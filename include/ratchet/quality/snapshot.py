"""May a model learn from this snapshot? What all checks say of it, and the decision."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, timedelta

import duckdb

from ratchet.decision import Clause, Decision
from ratchet.quality.asof import last_as_of
from ratchet.quality.finding import Finding, write_findings
from ratchet.quality.leakage import REMEDY, Labelled, check_leakage, check_unlabelled
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

FAMILY = "leakage"


def check_snapshot(
    spec: Spec, window: Window, snapshot_id: str, settings: Settings
) -> list[Finding]:
    """Look for what a snapshot must not know, and keep what is found as family `leakage`.

    Looked at are each feature, and its being missing, against the label; when each value was
    known; whether a decision stands there twice; and what an earlier snapshot said of the same
    decisions. What `check_as_of` said last, which keeps its findings itself, counts as well.

    Returns
    -------
    list of Finding
        At least one of each check, faults first.

    Raises
    ------
    SnapshotError
        If the snapshot is not what its id says.
    BuildError
        If nothing is published.
    """
    from ratchet.warehouse import load_snapshot, read_features

    data = Labelled(spec, window, load_snapshot(spec, snapshot_id, settings))
    last_day = Window(window.end - timedelta(days=1), window.end)
    found = [
        *_moments(data, settings),
        *_repeated(data),
        *_changed(data, snapshot_id, settings),
        *check_unlabelled(data, read_features(spec, last_day, settings)),
        *check_leakage(data),
    ]
    write_findings(spec, window, FAMILY, _faults_first(found), settings)
    return _faults_first([*found, *last_as_of(spec, window, settings)])


def judge_snapshot(
    findings: list[Finding], spec: Spec, window: Window, snapshot_id: str
) -> Decision:
    """Decide whether a model may learn from a snapshot.

    Returns
    -------
    Decision
        Of kind `data`: `blocked` by each fault that is not accepted, with a clause for it. The
        subject names the faults, so accepting one makes it another decision.
    """
    faults = [finding for finding in findings if finding.is_fault]
    blocking = [f for f in faults if spec.quality.blocks(f.check, f.name)]
    subject = {"snapshot": snapshot_id}
    for name, group in (
        ("blocked_by", blocking),
        ("let_through", [f for f in faults if f not in blocking]),
    ):
        if group:
            subject[name] = ", ".join(finding.name for finding in group)
    return Decision(
        kind="data",
        use_case=spec.name,
        window=window.key,
        verdict="blocked" if blocking else "accepted",
        clauses=tuple(_clause(f, spec, is_blocking=f in blocking) for f in findings),
        subject=subject,
    )


def _faults_first(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda finding: not finding.is_fault)


def _clause(finding: Finding, spec: Spec, *, is_blocking: bool) -> Clause:
    reason = spec.quality.accepted.get(finding.name)
    accepted = f" Accepted: {reason}" if reason and finding.is_fault else ""
    return Clause(
        name=finding.name,
        passed=not is_blocking,
        observed=finding.state if finding.observed is None else finding.observed,
        required="ok" if finding.expected is None else finding.expected,
        text=f"{finding.text}.{accepted}",
    )


def _fault_or_ok(
    data: Labelled, check: str, rows: int, broken: int, text: str, column: str | None = None
) -> Finding:
    return Finding(
        check=check,
        subject=data.spec.gold.features_table,
        column=column,
        state="found" if broken else "ok",
        rows=rows,
        broken=broken,
        text=text if broken else f"{rows:,} decisions looked at; nothing to do",
    )


def _moments(data: Labelled, settings: Settings) -> Iterator[Finding]:
    """Compare when values and labels were known with when the decision was taken."""
    from ratchet.warehouse import read_published

    gold, rows = data.spec.gold, len(data.rows)
    columns = sorted({feature.known_at for feature in gold.features.values()})
    late = ", ".join(f"count(*) filter ({column} > {gold.decided_at})" for column in columns)
    untold = ", ".join(
        f"count(*) filter ({name} is not null and {feature.known_at} is null)"
        for name, feature in gold.features.items()
    )
    counts = read_published(
        data.spec,
        settings,
        f"select count(*), {late}, {untold} from gold.{gold.features_table} "  # noqa: S608
        f"where {gold.decided_at} < ?",
        [data.window.end.astimezone(UTC).replace(tzinfo=None)],
    ).iloc[0]
    decisions, *broken = map(int, counts)
    yield from _faults_or_one_ok(
        data,
        "known_too_late",
        decisions,
        {
            column: (
                number,
                f"{column} is later than {gold.decided_at} for {number:,} of {decisions:,} "
                f"decisions, so their features knew the future; {REMEDY}",
            )
            for column, number in zip(columns, broken, strict=False)
        },
    )
    yield from _faults_or_one_ok(
        data,
        "known_at_missing",
        decisions,
        {
            name: (
                number,
                f"{name} has a value for {number:,} of {decisions:,} decisions where "
                f"{feature.known_at} is missing, so nobody can tell when it was known; let the "
                "SQL say so",
            )
            for (name, feature), number in zip(
                gold.features.items(), broken[len(columns) :], strict=True
            )
        },
    )
    early = int((data.rows[gold.label_known_at] <= data.rows[gold.decided_at]).sum())
    yield _fault_or_ok(
        data,
        "label_known_before_decision",
        rows,
        early,
        f"{gold.label} of {early:,} of {rows:,} decisions was known when they were taken, so "
        "there was nothing to decide; leave them out, or mend the moment",
        column=gold.label_known_at,
    )


def _faults_or_one_ok(
    data: Labelled, check: str, rows: int, broken: dict[str, tuple[int, str]]
) -> Iterator[Finding]:
    """Yield a fault for each column with broken rows, or one that says that there is none."""
    faults = {column: fault for column, fault in broken.items() if fault[0]}
    for column, (number, text) in faults.items():
        yield _fault_or_ok(data, check, rows, number, text, column)
    if not faults:
        yield _fault_or_ok(data, check, rows, 0, "")


def _repeated(data: Labelled) -> Iterator[Finding]:
    """Find decisions that stand there twice: a copy in the holdout was learned by heart."""
    gold = data.spec.gold
    repeated = data.rows[data.rows[gold.key].duplicated(keep=False)]
    later = repeated[gold.decided_at] >= data.holdout_start
    both = set(repeated.loc[later, gold.key]) & set(repeated.loc[~later, gold.key])
    yield _fault_or_ok(
        data,
        "decision_repeated",
        len(data.rows),
        len(repeated),
        f"{len(repeated):,} rows share their {gold.key} with another one, {len(both):,} of them "
        "across training and holdout; let the features table have one row per decision",
        column=gold.key,
    )


def _changed(data: Labelled, snapshot_id: str, settings: Settings) -> Iterator[Finding]:
    """Compare values with those that the last earlier snapshot has for the same decisions."""
    gold = data.spec.gold
    folder = settings.lake(data.spec.name).snapshots
    earlier = _last_snapshot_before(data, snapshot_id, settings)
    if earlier is None:
        yield Finding(
            check="value_changed_later",
            subject=gold.features_table,
            state="not_enough_data",
            rows=len(data.rows),
            text="there is no earlier snapshot to compare with; nothing to do",
        )
        return
    with duckdb.connect(config={"threads": 1}) as connection:
        paths = [str(folder / f"{name}.parquet") for name in (snapshot_id, earlier)]
        before = {
            row[0]
            for row in connection.execute(
                "select name from parquet_schema(?)", [paths[1]]
            ).fetchall()
        }
        names = [n for n in (*gold.features, gold.decided_at, gold.label) if n in before]
        counts = ", ".join(f"count(*) filter (a.{n} is distinct from b.{n})" for n in names)
        query = (
            f"select count(*), {counts} from read_parquet(?) as a "  # noqa: S608
            f"inner join read_parquet(?) as b on a.{gold.key} = b.{gold.key}"
        )
        rows, *broken = connection.execute(query, paths).fetchone()
    yield from _faults_or_one_ok(
        data,
        "value_changed_later",
        rows,
        {
            name: (
                number,
                f"{name} of {number:,} of {rows:,} decisions is not what snapshot {earlier[:12]} "
                f"said; what changes after a decision was not known then; {REMEDY}",
            )
            for name, number in zip(names, broken, strict=True)
        },
    )


def _last_snapshot_before(data: Labelled, snapshot_id: str, settings: Settings) -> str | None:
    records = [
        json.loads(path.read_bytes())
        for path in settings.lake(data.spec.name).snapshots.glob("*.json")
    ]
    earlier = [
        (Window.parse(record["window"]).end, record["id"])
        for record in records
        if record["id"] != snapshot_id and Window.parse(record["window"]).end < data.window.end
    ]
    return max(earlier)[1] if earlier else None
