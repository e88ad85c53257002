"""Does a feature follow from what was known when it was used? Rebuilding tells."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from ratchet.errors import EvidenceError
from ratchet.quality.finding import Finding, read_findings, write_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

FAMILY = "as_of"
CHECK = "as_of"

_BRONZE = """
    create table {table} as
    from published.{schema}.{name}
    where known_at <= $moment
        and try_strptime(split_part(_window, '--', 1), '%Y-%m-%dT%H%M') <= $moment
"""
_RANGE = """
    set variable range_start = timestamp '{start:%Y-%m-%d %H:%M}';
    set variable range_end = timestamp '{moment}' + interval '1 microsecond';
    set variable window_end = getvariable('range_end');
"""


class _Model(NamedTuple):
    """A table that the features rest on: its schema and name, and the SQL that makes it."""

    schema: str
    name: str
    sql: str


def check_as_of(spec: Spec, window: Window, settings: Settings, sample: int) -> list[Finding]:
    """Rebuild a sample of published decisions from what was known then, and compare.

    For each moment of the sample a scratch warehouse gets those rows of bronze that were known by
    then (`known_at`, and landed in a window that had begun), all of silver and the features are
    computed from them by today's SQL, and every feature of every decision of that moment must
    come out bit for bit as it is published. What differs rested on the future. So did a decision
    that the rebuilt table lacks.

    Parameters
    ----------
    window
        Its decisions are sampled.
    sample
        How many moments of decision to rebuild; each costs about as much as a build of all history
        without dbt and tests. The same sample is taken each time.

    Returns
    -------
    list of Finding
        One for each column that differs, or one that says that none does. Kept as family `as_of`.

    Raises
    ------
    BuildError
        If nothing is published, or the project does not compile.
    EvidenceError
        If nothing was decided in the window, or a model of bronze has no `known_at`.
    """
    from ratchet.warehouse import compile_project, read_published

    gold = spec.gold
    start, end = (b.astimezone(UTC).replace(tzinfo=None) for b in (window.start, window.end))
    moments = read_published(
        spec,
        settings,
        f"select distinct {gold.decided_at} as moment from gold.{gold.features_table} "  # noqa: S608
        "where moment >= ? and moment < ? order by md5(moment::varchar) limit ?",
        [start, end, sample],
    )["moment"]
    if moments.empty:
        raise EvidenceError(f"{spec.name} {window}: nothing was decided; give another window")
    models = _models(compile_project(spec), spec)
    columns = [gold.key, *gold.features, spec.rule.column]
    decisions, broken = 0, dict.fromkeys(columns, 0)
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        connection.execute("set threads = 1")  # sums in one order, as the pipeline takes them
        published = settings.lake(spec.name).published
        connection.execute(f"attach '{published}' as published (read_only)")
        for moment in sorted(moments):
            _rebuild(connection, spec, models, moment, Path(folder) / f"{moment:%Y%m%d%H%M%S%f}")
            rows, *different = _compare(connection, spec, columns, moment)
            decisions += rows
            for column, number in zip(columns, different, strict=True):
                broken[column] += number
            connection.execute(f'detach "{spec.name}"')
    findings = _findings(spec, window, len(moments), decisions, broken)
    write_findings(spec, window, FAMILY, findings, settings)
    return findings


def last_as_of(spec: Spec, window: Window, settings: Settings) -> list[Finding]:
    """Return what the last checks up to a window's end said; at least one finding.

    The last ones are those whose windows end last. So a later check, or the same one made again,
    supersedes what was found; and of two that end together, none hides what the other one found.
    """
    folder = settings.lake(spec.name).findings / FAMILY
    checked = sorted(Window.parse(path.stem) for path in folder.glob("*.parquet"))
    ends = [other.end for other in checked if other.end <= window.end]
    return [
        finding
        for other in checked
        if ends and other.end == max(ends)
        for finding in read_findings(spec, other, settings, blocking=False, family=FAMILY)
    ] or [
        Finding(
            check=CHECK,
            subject=spec.gold.features_table,
            state="not_enough_data",
            rows=0,
            text="no decision up to here was rebuilt from what was known then; "
            "ratchet data check-as-of does it",
        )
    ]


def _models(manifest: dict[str, Any], spec: Spec) -> list[_Model]:
    """Return what the features table rests on, each after what it rests on itself."""
    nodes = {key: node for key, node in manifest["nodes"].items() if key.startswith("model.")}
    found: dict[str, _Model] = {}

    def add(key: str) -> None:
        node = nodes[key]
        if node["schema"] != "bronze":
            for below in node["depends_on"]["nodes"]:
                if below in nodes and below not in found:
                    add(below)
        found[key] = _Model(node["schema"], node["name"], node["compiled_code"])

    add(next(key for key, node in nodes.items() if node["name"] == spec.gold.features_table))
    return list(found.values())


def _rebuild(
    connection: duckdb.DuckDBPyConnection,
    spec: Spec,
    models: list[_Model],
    moment: datetime,
    path: Path,
) -> None:
    """Build the features from what was known at a moment, in a scratch warehouse."""
    connection.execute(f"attach '{path}' as \"{spec.name}\"")
    history_start = spec.schedule.history_start.astimezone(UTC)
    connection.execute(_RANGE.format(start=history_start, moment=moment))
    for schema, name, sql in models:
        table = f'"{spec.name}".{schema}.{name}'
        connection.execute(f'create schema if not exists "{spec.name}".{schema}')
        if schema != "bronze":
            connection.execute(f"create table {table} as {sql}")
            continue
        try:
            query = _BRONZE.format(table=table, schema=schema, name=name)
            connection.execute(query, {"moment": moment})
        except duckdb.BinderException as error:
            raise EvidenceError(
                f"{schema}.{name} does not say when its rows were known: {error}; give it columns "
                "known_at and _window"
            ) from error


def _compare(
    connection: duckdb.DuckDBPyConnection, spec: Spec, columns: list[str], moment: datetime
) -> tuple[int, ...]:
    """Return the decisions of a moment, and how many differ in each column."""
    gold = spec.gold
    differences = ", ".join(
        f"count(*) filter (stored.{column} is distinct from rebuilt.{column}"
        f"{'' if column == gold.key else f' and rebuilt.{gold.key} = stored.{gold.key}'})"
        for column in columns
    )
    query = f"""
        select count(*), {differences}
        from (from published.gold.{gold.features_table} where {gold.decided_at} = $moment) as stored
        full join (
            from "{spec.name}".gold.{gold.features_table} where {gold.decided_at} = $moment
        ) as rebuilt on stored.{gold.key} = rebuilt.{gold.key}"""  # noqa: S608
    counts: tuple[int, ...] = connection.execute(query, {"moment": moment}).fetchone()
    return counts


def _findings(
    spec: Spec, window: Window, moments: int, decisions: int, broken: dict[str, int]
) -> list[Finding]:
    gold = spec.gold
    looked = (
        f"{decisions:,} decisions of {moments} moments in {window} were rebuilt from what was "
        "known then"
    )
    faults = [
        Finding(
            check=CHECK,
            subject=gold.features_table,
            column=column,
            state="found",
            rows=decisions,
            broken=number,
            text=f"{looked}; {number:,} of them "
            + ("are not the same ones" if column == gold.key else f"have another {column}")
            + ": what is published rests on the future; look for later rows in its SQL, mend and "
            "publish it, and check the same window again",
        )
        for column, number in broken.items()
        if number
    ]
    return faults or [
        Finding(
            check=CHECK,
            subject=gold.features_table,
            state="ok",
            rows=decisions,
            broken=0,
            text=f"{looked}, and came out the same; nothing to do",
        )
    ]
