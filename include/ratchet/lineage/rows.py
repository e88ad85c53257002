"""Which rows a row was made of, and which rows were made of a file's: through all models."""
# ruff: noqa: S608 (every name in these queries is one of the graph's)

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from sqlglot import exp, parse_one

from ratchet.errors import BuildError
from ratchet.lineage.graph import Graph, Model
from ratchet.lineage.sql import DIALECT, FEEDS, parse
from ratchet.lineage.witnesses import WHETHER, WHICH, WITNESSES, with_witnesses

_CHUNK = timedelta(days=7)  # computed at once: what a weekly build takes, whatever the history
_MEMORY = "2GB"  # then DuckDB spills: a trace runs beside whatever else the machine does
_BITS = 40  # of a row's number in an identifier; the bits above name its table


@dataclass(frozen=True)
class Step:
    """Rows of one model on the way.

    `changed` of them are not what today's SQL makes of today's rows, and so go back to nothing.
    """

    model: Model
    rows: int
    changed: int


@dataclass(frozen=True)
class FileRows:
    """Rows of one landed file: `lines` are its lines, sorted."""

    table: str
    feed: str
    file: str
    sha256: str
    window: str
    lines: tuple[int, ...]


class Rows:
    """Follows rows through a use case's published tables.

    Parameters
    ----------
    graph
        Its lineage.
    connection
        Of the published copy; see `published`.
    """

    def __init__(self, graph: Graph, connection: duckdb.DuckDBPyConnection) -> None:
        self._graph, self._connection = graph, connection
        self._schema: dict[str, dict[str, list[str]]] = {
            FEEDS: {feed: [*columns] for feed, columns in graph.feeds.items()}
        }
        for table, model in graph.models.items():
            schema, _, name = table.partition(".")
            self._schema.setdefault(schema, {})[name] = [*model.columns]

    def made_of(
        self, table: str, key: tuple[str, str], columns: set[str]
    ) -> tuple[list[Step], list[FileRows]]:
        """Return all rows that the columns of one row were made of, by model and by file.

        Parameters
        ----------
        table, key
            Where the row is: `<schema>.<model>`, and column and value of its key.
        columns
            What of it was used.

        Raises
        ------
        BuildError
            If a model on the way can't be followed.
        """
        self._mark(table, f"select rowid from {self._relation(table)} where {key[0]} = ?", key[1])
        needed, steps, files = {table: columns | {key[0]}}, [], []
        for name, model in reversed(self._graph.models.items()):
            if name not in needed:
                continue
            if any(parent.startswith(f"{FEEDS}.") for parent in model.parents):
                steps.append(Step(model, self._count(name), 0))
                files += self._files(model)
            else:
                changed, read = self._step_back(model, needed[name])
                steps.append(Step(model, self._count(name), changed))
                for parent, asked in read.items():
                    needed.setdefault(parent, set()).update(asked)
        return steps, files

    def touched_by(
        self, sha256: str, since: datetime, targets: Mapping[str, set[str]]
    ) -> dict[str, int]:
        """Mark all rows that were made of a file's, and count them by table.

        Parameters
        ----------
        sha256
            Of the file.
        since
            When its rows could first be known (naive UTC): nothing from before was made of them.
        targets
            Tables to which to follow them, with the columns that are used of each. Their marked
            rows stand in `marked` then.
        """
        needed = self._needed_for(targets)
        counts: dict[str, int] = {}
        for name, model in self._graph.models.items():
            if name not in needed:
                continue
            if any(parent.startswith(f"{FEEDS}.") for parent in model.parents):
                asked = f"select rowid from {self._relation(name)} where _sha256 = ?"
                self._mark(name, asked, sha256)
            elif any(counts.get(parent) for parent in model.parents):
                self._mark_touched(model, needed[name], since)
            else:
                continue
            counts[name] = self._count(name)
        return counts

    def marked(self, table: str, columns: str) -> str:
        """Return a query for the marked rows of a table; none are, if it was never reached."""
        if _marks(table) not in self._tables():
            return f"select {columns} from {table} limit 0"
        return (
            f"select {columns} from {self._relation(table)} "
            f"where rowid in (select row_id from {_marks(table)})"
        )

    def _mark_touched(self, model: Model, columns: set[str], since: datetime) -> None:
        """Mark the rows that were made of marked ones, some days at a time."""
        sql, _ = with_witnesses(self._tree(model), columns, self._marked_tables(model), WHETHER)
        relation = self._relation(model.table)
        row = self._connection.execute("select range_end from control.build_window").fetchone()
        end = row[0] if row else since
        # a model without a range is computed whole
        step = _CHUNK if model.range else end - since
        while since < end:
            self._set_range(since, min(since + step, end))
            self._execute(model, f"create or replace temp table made as {sql}")
            self._mark(
                model.table,
                f"select rowid from {relation} as found semi join "
                f"(from made where {WITNESSES}) as made on {_same(model, 'found')}",
            )
            since += step
        self._connection.execute("drop table if exists made")

    def _needed_for(self, targets: Mapping[str, set[str]]) -> dict[str, set[str]]:
        needed = {table: {*columns} for table, columns in targets.items()}
        for name, model in reversed(self._graph.models.items()):
            if name in needed and not any(p.startswith(f"{FEEDS}.") for p in model.parents):
                _, read = with_witnesses(self._tree(model), needed[name], {}, WHETHER)
                for parent, asked in read.items():
                    if parent in self._graph.models:
                        needed.setdefault(parent, set()).update(asked)
        return needed

    def _step_back(self, model: Model, columns: set[str]) -> tuple[int, dict[str, set[str]]]:
        """Mark the rows of its parents that a model's marked rows were made of."""
        self._set_range(*self._span(model))
        rows = {
            parent: f"select *, [{number}::bigint << {_BITS} | rowid] as {WITNESSES} "
            f"from {self._relation(parent)}"
            for number, parent in enumerate(model.parents)
        }
        sql, read = with_witnesses(self._tree(model), columns, rows, WHICH)
        self._execute(model, f"create temp table made as {sql}")
        self._connection.execute(
            f"create temp table same as select made.{WITNESSES} from made semi join "
            f"({self.marked(model.table, '*')}) as wanted on {_same(model, 'wanted')}"
        )
        (found,) = self._connection.execute("select count(*) from same").fetchone() or (0,)
        self._connection.execute(
            f"create temp table witnesses as select distinct unnest({WITNESSES}) as id from same"
        )
        for number, parent in enumerate(model.parents):
            self._mark(
                parent,
                f"select id & ((1::bigint << {_BITS}) - 1) from witnesses where id >> {_BITS} = ?",
                number,
            )
        for table in ("made", "same", "witnesses"):
            self._connection.execute(f"drop table {table}")
        reached = {parent: asked for parent, asked in read.items() if parent in model.parents}
        return self._count(model.table) - int(found), reached

    def _span(self, model: Model) -> tuple[datetime | None, datetime | None]:
        """Return first and last moment of what a build must compute to make the marked rows."""
        predicates = [parse_one(text, dialect=DIALECT) for text in model.range]
        named = [c.name for p in predicates for c in p.find_all(exp.Column)]
        column = next((name for name in named if name in model.columns), None)
        if column is None:
            return None, None
        # of a day, the clock and the zone are not known: a day more on each side holds it
        slack = f"if(typeof({column}) = 'DATE', interval 1 day, interval 0 day)"
        row = self._connection.execute(
            f"select min({column} - {slack})::timestamp, max({column} + 2 * {slack})::timestamp "
            f"from ({self.marked(model.table, column)})"
        ).fetchone()
        return (row[0], row[1]) if row else (None, None)

    def _set_range(self, first: datetime | None, last: datetime | None) -> None:
        """Let the models compute from `first` to `last`, or all that there is."""
        bounds = {
            "range_start": f"timestamp '{first}'" if first else "history_start",
            "range_end": f"timestamp '{last}' + interval 1 microsecond" if last else "range_end",
            "window_end": "range_end",
            "landed": "'*'",
            "lake": "lake",
        }
        for name, value in bounds.items():
            self._connection.execute(
                f"set variable {name} = (select {value} from control.build_window)"
            )

    def _files(self, model: Model) -> list[FileRows]:
        feed = next(p for p in model.parents if p.startswith(f"{FEEDS}.")).partition(".")[2]
        found = self._connection.execute(
            f"select _file, _sha256, _window, list(distinct _row order by _row) "
            f"from ({self.marked(model.table, '*')}) group by all order by all"
        ).fetchall()
        return [
            FileRows(model.table, feed, file, sha256, window, tuple(lines))
            for file, sha256, window, lines in found
        ]

    def _marked_tables(self, model: Model) -> dict[str, str]:
        tables = self._tables()
        return {
            parent: f"select *, rowid in (select row_id from {_marks(parent)}) as {WITNESSES} "
            f"from {self._relation(parent)}"
            for parent in model.parents
            if _marks(parent) in tables
        }

    def _mark(self, table: str, query: str, *parameters: object) -> None:
        name = _marks(table)
        self._connection.execute(f"create temp table if not exists {name} (row_id bigint)")
        self._connection.execute(
            f"insert into {name} {query} except select row_id from {name}", parameters
        )

    def _count(self, table: str) -> int:
        row = self._connection.execute(f"select count(*) from {_marks(table)}").fetchone()
        return int(row[0]) if row else 0

    def _relation(self, table: str) -> str:
        """Return where a table's rows are told apart by `rowid`: for a view, in a copy of it."""
        copy = f"copy_{table.replace('.', '_')}"
        if copy in self._tables():
            return copy
        found = self._connection.execute(
            "select count(*) from duckdb_views() where schema_name || '.' || view_name = ?", [table]
        ).fetchone()
        if found == (0,):
            return table
        self._connection.execute(f"create temp table {copy} as from {table}")
        return copy

    def _tree(self, model: Model) -> exp.Query:
        if model.problem:
            raise BuildError(f"{model.path}: its rows can't be followed: {model.problem}")
        return parse(model.sql, self._schema)

    def _execute(self, model: Model, sql: str) -> None:
        try:
            self._connection.execute(sql)
        except duckdb.Error as error:
            raise BuildError(f"{model.path}: its rows can't be followed: {error}") from error

    def _tables(self) -> set[str]:
        found = self._connection.execute("select table_name from duckdb_tables() where temporary")
        return {name for (name,) in found.fetchall()}


@contextmanager
def published(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open what is published, read-only; what is marked lies in memory."""
    if not path.exists():
        raise BuildError(f"nothing is published at {path}: build and publish first")
    with TemporaryDirectory() as spilled:
        config = {"memory_limit": _MEMORY, "temp_directory": spilled}
        with duckdb.connect(path, read_only=True, config=config) as connection:
            yield connection


def _same(model: Model, other: str) -> str:
    """Return the condition that a row of `made` is one of `other`, in every column."""
    return " and ".join(
        f'made."{column}" is not distinct from {other}."{column}"' for column in model.columns
    )


def _marks(table: str) -> str:
    return f"marked_{table.replace('.', '_')}"
