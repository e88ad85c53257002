"""From a prediction back to the lines of the files it was made of, and from a file forward."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

import duckdb
import pandas as pd

from ratchet.errors import LineageError
from ratchet.feeds import LandedFile, read_landings
from ratchet.ledger import Ledger
from ratchet.lineage.graph import load_graph
from ratchet.lineage.rows import FileRows, Rows, Step, published
from ratchet.problems import problem_of
from ratchet.registry import Release, load_release
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.warehouse import Snapshot, describe_snapshot, read_features, sql_sha256
from ratchet.window import Window

_EXAMPLES = 3  # of touched predictions: enough to look one up


@dataclass(frozen=True)
class Prediction:
    """A decision as it was scored: by which version, on what day's data, and what it says."""

    key: str
    decided_at: str
    window: str
    role: str
    version: str
    says: str


@dataclass(frozen=True)
class Code:
    """What made the data: the hash of all SQL then and now, and the commit, where it is known."""

    sql_then: str | None
    sql_now: str
    commit: str | None


@dataclass(frozen=True)
class BackwardTrace:
    """All that a prediction was made of.

    `release` and `snapshot` are None where the rule decided. `again` is what is answered to
    today's gold row, and `is_same` whether that is the prediction's own answer: if not, the row
    changed.
    """

    use_case: str
    prediction: Prediction
    release: Release | None
    trigger: str | None
    snapshot: Snapshot | None
    again: str
    is_same: bool
    code: Code
    steps: list[Step]
    files: list[FileRows]
    own: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class TouchedSnapshot:
    """A training snapshot with rows that were made of a file's, and the releases trained on it."""

    id: str
    rows: int
    touched: int
    versions: tuple[str, ...]


@dataclass(frozen=True)
class ForwardTrace:
    """All that was made of a file.

    `tables` counts rows by table. `predictions` are those whose own features were made of the
    file's rows; `acted` says how many of them led to an action, where that is what is decided;
    `by_releases` those that a release answered which had learned from them.
    """

    use_case: str
    feed: str
    window: str
    file: LandedFile
    tables: dict[str, int]
    snapshots: list[TouchedSnapshot]
    predictions: int
    acted: int | None
    examples: list[str]
    by_releases: int


def trace_prediction(spec: Spec, key: str, settings: Settings) -> BackwardTrace:
    """Walk back from a prediction to the lines of the files that it was made of.

    Parameters
    ----------
    key
        Of the decision, as in the features table.

    Raises
    ------
    LineageError
        If nothing was predicted for it.
    BuildError
        If nothing is published, or a model's rows can't be followed.
    ReleaseError
        If the version that answered is not what was released.
    """
    prediction, stored = _prediction(spec, key, settings)
    gold, table = spec.gold, f"gold.{spec.gold.features_table}"
    is_rule = prediction.role == "rule"
    release = None if is_rule else load_release(spec, prediction.version, settings)
    used = {spec.rule.column} if release is None else {*release.candidate.features}
    with published(settings.lake(spec.name).published) as connection:
        rows = Rows(load_graph(spec, settings), connection)
        steps, files = rows.made_of(table, (gold.key, key), used)
        own = {
            f"{step.model.table} {file}": tuple(lines)
            for step in steps
            if gold.key in step.model.columns and "_row" in step.model.columns
            for file, lines in connection.execute(
                f"select _file, list(_row order by _row) from "  # noqa: S608
                f"({rows.marked(step.model.table, '*')}) where {gold.key} = ? group by _file",
                [key],
            ).fetchall()
        }
    again, is_same = _answer_again(spec, prediction, stored, release, settings)
    return BackwardTrace(
        use_case=spec.name,
        prediction=prediction,
        release=release,
        trigger=_trigger(spec, release, settings) if release else None,
        snapshot=describe_snapshot(spec, release.manifest.snapshot_id, settings)
        if release
        else None,
        again=again,
        is_same=is_same,
        code=_code(spec, prediction.window, settings),
        steps=steps,
        files=files,
        own=own,
    )


def trace_file(spec: Spec, name: str, settings: Settings) -> list[ForwardTrace]:
    """Walk forward from a landed file to every table, model and prediction that it touched.

    Parameters
    ----------
    name
        Its name, or the first eight or more digits of its SHA-256. A name that came again with
        other content is traced once for each.

    Raises
    ------
    LineageError
        If no such file has landed.
    BuildError
        If nothing is published, or a model's rows can't be followed.
    """
    found = [
        (landing.feed, landing.window, file)
        for window in landed_windows(spec, settings)
        for landing in read_landings(spec, window, settings)
        for file in landing.files
        if name == file.name or (len(name) >= 8 and file.sha256.startswith(name.lower()))
    ]
    if not found:
        raise LineageError(
            f"{spec.name}: no file {name!r} has landed; give the name or the SHA-256 of a file "
            f"that stands in a manifest below {settings.lake(spec.name).root / 'landing'}"
        )
    return [_trace_forward(spec, *landed, settings) for landed in found]


def _trace_forward(
    spec: Spec, feed: str, window: str, file: LandedFile, settings: Settings
) -> ForwardTrace:
    gold, lake = spec.gold, settings.lake(spec.name)
    features, outcomes = f"gold.{gold.features_table}", f"gold.{gold.outcomes_table}"
    targets = {
        features: {*gold.features, gold.key},
        outcomes: {gold.label, gold.label_known_at, gold.key},
    }
    since = Window.parse(window).start.replace(tzinfo=None)
    with published(lake.published) as connection:
        rows = Rows(load_graph(spec, settings), connection)
        tables = rows.touched_by(file.sha256, since, targets)
        connection.execute(
            f"create temp table touched_features as {rows.marked(features, gold.key)}"
        )
        connection.execute(
            f"create temp table touched as from touched_features union "
            f"{rows.marked(outcomes, gold.key)}"
        )
        snapshots = _touched_snapshots(spec, connection, settings)
        versions = [version for snapshot in snapshots for version in snapshot.versions]
        predictions, acted, examples, by_releases = _touched_predictions(
            spec, connection, versions, settings
        )
    return ForwardTrace(
        use_case=spec.name,
        feed=feed,
        window=window,
        file=file,
        tables=tables,
        snapshots=snapshots,
        predictions=predictions,
        acted=acted,
        examples=examples,
        by_releases=by_releases,
    )


def _touched_snapshots(
    spec: Spec, connection: duckdb.DuckDBPyConnection, settings: Settings
) -> list[TouchedSnapshot]:
    lake = settings.lake(spec.name)
    versions: dict[str, list[str]] = {}
    for folder in sorted(lake.releases.glob("*/"), key=lambda path: (len(path.name), path.name)):
        manifest = load_release(spec, folder.name, settings).manifest
        versions.setdefault(manifest.snapshot_id, []).append(folder.name)
    touched = []
    for path in sorted(lake.snapshots.glob("*.parquet")):
        row = connection.execute(
            f"select count(*), count(*) filter ({spec.gold.key} in (from touched)) "  # noqa: S608
            "from read_parquet(?)",
            [str(path)],
        ).fetchone()
        if row and row[1]:
            of = tuple(versions.get(path.stem, ()))
            touched.append(TouchedSnapshot(path.stem, int(row[0]), int(row[1]), of))
    return sorted(touched, key=lambda snapshot: (snapshot.rows, snapshot.id))


def _touched_predictions(
    spec: Spec, connection: duckdb.DuckDBPyConnection, versions: list[str], settings: Settings
) -> tuple[int, int | None, list[str], int]:
    folder = settings.lake(spec.name).predictions
    if not any(folder.glob("*.parquet")):
        return 0, 0, [], 0
    key, acts = spec.gold.key, spec.costs.acts
    query = f"""
        select
            count(*) filter (is_touched),
            {f"count(*) filter (is_touched and {acts})" if acts else "null"},
            coalesce(list({key} order by {key}) filter (is_touched), [])[:{_EXAMPLES}],
            count(*) filter (list_contains(?, version))
        from (
            select *, {key} in (from touched_features) as is_touched
            from read_parquet(?) where is_decision
        )"""  # noqa: S608
    row = connection.execute(query, [versions or [""], str(folder / "*.parquet")]).fetchone()
    predictions, acted, examples, by_releases = row or (0, 0, [], 0)
    return predictions, acted, examples, by_releases


def _prediction(spec: Spec, key: str, settings: Settings) -> tuple[Prediction, pd.DataFrame]:
    """Return a prediction, and as one row what was stored of it."""
    folder, gold = settings.lake(spec.name).predictions, spec.gold
    query = f"""
        select {gold.key}, {gold.decided_at}::varchar as decided_at, "window", role, version,
            {", ".join(spec.costs.columns)}
        from read_parquet(?) where {gold.key} = ? and is_decision"""  # noqa: S608
    rows = pd.DataFrame()
    if any(folder.glob("*.parquet")):
        rows = duckdb.execute(query, [str(folder / "*.parquet"), key]).df().tail(1)
    if rows.empty:
        raise LineageError(
            f"{spec.name}: nothing was predicted for {gold.key} {key!r}; "
            f"look one up in gold.fct_predictions"
        )
    row = dict(rows.iloc[0])
    key, decided_at, window, role, version = (
        str(row[name]) for name in (gold.key, "decided_at", "window", "role", "version")
    )
    says = problem_of(spec).tell(row)
    return Prediction(key, decided_at, window, role, version, says), rows


def _answer_again(
    spec: Spec,
    prediction: Prediction,
    stored: pd.DataFrame,
    release: Release | None,
    settings: Settings,
) -> tuple[str, bool]:
    """Return what the same version answers to today's gold row, and whether that is the same."""
    frame = read_features(spec, Window.parse(prediction.window), settings)
    is_asked = (frame[spec.gold.key] == prediction.key).to_numpy()
    if not is_asked.any():
        raise LineageError(
            f"{spec.name}: {prediction.key} was predicted, and {spec.gold.features_table} has no "
            f"such row any more; build {prediction.window} again"
        )
    problem = problem_of(spec)
    # all of the window at once, as it was scored: the last bits depend on who else is asked
    answers = release.answers(frame) if release else problem.rule(frame)
    again = dict(pd.DataFrame(problem.decide(answers, frame))[is_asked].iloc[0])
    difference = problem.max_difference(answers[is_asked], problem.answers_in(stored))
    return problem.tell(again), difference == 0


def _trigger(spec: Spec, release: Release, settings: Settings) -> str:
    """Return why the release was trained, as the ledger knows it."""
    from ratchet.retraining import trainings

    window = release.manifest.window
    reasons = [each.reason for each in trainings(spec, settings) if each.trained == window]
    return reasons[-1] if reasons else "new data, or by hand"


def _code(spec: Spec, window: str, settings: Settings) -> Code:
    """Return what code built a window: with itself, or first of all with a later one."""
    end = Window.parse(window).end
    built = {
        Window.parse(decision.window).end: decision.subject["code"]
        for decision in Ledger(settings.lake(spec.name).ledger).decisions("data")
        if decision.verdict == "accepted" and Window.parse(decision.window).end >= end
    }
    then = built[min(built)] if built else None
    return Code(sql_then=then, sql_now=sql_sha256(), commit=_commit())


def _commit() -> str | None:
    """Return the commit that is checked out, with `+` if files differ from it; None without git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PROJECT), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def landed_windows(spec: Spec, settings: Settings) -> list[Window]:
    """Return the windows that have landed, oldest first."""
    folders = (settings.lake(spec.name).root / "landing" / next(iter(spec.feeds))).glob("*/")
    return sorted(Window.parse(folder.name) for folder in folders)
