"""What sqlglot makes of a model's SQL: columns that know their tables, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, build_scope

FEEDS = "feeds"
ROWS = "*"  # stands for which rows there are, beside a table's columns
DIALECT = "duckdb"

Leaf = tuple[str, str]
Leaves = tuple[set[Leaf], set[Leaf]]
Columns = dict[str, Leaves]


def parse(sql: str, schema: Mapping[str, Mapping[str, Iterable[str]]]) -> exp.Query:
    """Parse a query, and write out every star and the table of every column.

    Parameters
    ----------
    schema
        Columns by schema and table.

    Raises
    ------
    ValueError
        If the SQL can't be parsed, or a column's table can't be told.
    """
    known: dict[str, Any] = {
        name: {table: dict.fromkeys(columns, "unknown") for table, columns in tables.items()}
        for name, tables in schema.items()
    }
    try:
        tree = parse_one(sql, dialect=DIALECT)
        # what is no feed declares no columns: it has those that the query asks it for; and what
        # landing adds to a feed's own columns begins with an underscore
        asked = dict.fromkeys((column.name for column in tree.find_all(exp.Column)), "unknown")
        added = {name: kind for name, kind in asked.items() if name.startswith("_")}
        for table in tree.find_all(exp.Table):
            if table.db == FEEDS:
                declared = known.setdefault(FEEDS, {}).get(table.name)
                known[FEEDS][table.name] = asked if declared is None else declared | added
        tree = qualify(tree, dialect=DIALECT, schema=known)
    except SqlglotError as error:
        raise ValueError(" ".join(str(error).split())) from error
    if not isinstance(tree, exp.Query):
        raise ValueError(f"{tree.key} is no query")
    if whole := tree.find(exp.TableColumn):
        raise ValueError(f"{whole.name} is used as one value; name its columns")
    return tree


def trace_columns(tree: exp.Query) -> Columns:
    """Return what each column of a parsed query is computed from, and which columns decide on rows.

    Returns
    -------
    dict
        By the query's column: (table, column) pairs of values, and of conditions. Last, under
        `ROWS`, what decides which rows there are. A pair (table, `ROWS`) among the conditions
        stands for what decides that of a table, in whatever column that may show.
    """
    scope = build_scope(tree)
    if scope is None:
        raise ValueError("it selects nothing")
    return _columns(scope, {})


def _columns(scope: Scope, done: dict[int, Columns]) -> Columns:
    """Trace a scope, once, however often it is read."""
    if id(scope) not in done:
        done[id(scope)] = _columns_of(scope, done)
    return done[id(scope)]


def _columns_of(scope: Scope, done: dict[int, Columns]) -> Columns:
    query = scope.expression
    if isinstance(query, exp.SetOperation):
        left, right = (_columns(branch, done) for branch in scope.set_operation_scopes)
        columns = {
            name: (left[name][0] | other[0], left[name][1] | other[1])
            for name, other in zip(left, right.values(), strict=True)
        }
        adds_up = isinstance(query, exp.Union) and not query.args.get("distinct")
        deciding = columns[ROWS][1] if adds_up and not _is_cut(query) else _all(columns.values())
    elif isinstance(query, exp.Select):
        columns = {s.alias_or_name: _leaves(s, scope, done) for s in query.selects}
        deciding = _all(_leaves(part, scope, done) for part in _deciding_parts(query))
        for _, source in scope.selected_sources.values():
            if isinstance(source, Scope):
                deciding |= _columns(source, done)[ROWS][1]
            else:
                deciding.add((_table(source), ROWS))
    else:
        raise ValueError(f"{query.key} can't be followed; write a select")
    columns.pop(ROWS, None)
    every = {name: (values, found | deciding) for name, (values, found) in columns.items()}
    return every | {ROWS: (set(), deciding)}


def _all(found: Iterable[Leaves]) -> set[Leaf]:
    return set().union(*(leaves for pair in found for leaves in pair))


def _is_cut(query: exp.Query) -> bool:
    return any(query.args.get(clause) for clause in ("limit", "offset", "distinct"))


def _deciding_parts(query: exp.Select) -> Iterator[exp.Expr]:
    """Yield what decides which rows count."""
    for clause in ("where", "group", "having", "qualify", "windows", "distinct"):
        yield from _listed(query.args.get(clause))
    for join in _listed(query.args.get("joins")):
        yield from [*_listed(join.args.get("on")), *_listed(join.args.get("using"))]
    if _is_cut(query):
        yield from _listed(query.args.get("order"))
    if (distinct := query.args.get("distinct")) and not distinct.args.get("on"):
        yield from query.selects


def _leaves(node: exp.Expr, scope: Scope, done: dict[int, Columns]) -> Leaves:
    """Return the columns of tables behind all that an expression reads."""
    nested = {id(sub.expression): sub for sub in scope.subquery_scopes}
    found: list[Leaves] = []
    for part in node.walk():
        if id(part) in nested:
            found += _columns(nested[id(part)], done).values()
        elif isinstance(part, exp.Column):
            source = scope.sources.get(part.table)
            if isinstance(source, Scope):
                found.append(_columns(source, done).get(part.name, (set(), set())))
            elif source is not None:
                found.append(({(_table(source), part.name)}, set()))
    return (
        set().union(*(values for values, _ in found)),
        set().union(*(conditions for _, conditions in found)),
    )


def _listed(value: object) -> list[exp.Expr]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, exp.Expr) else []


def _table(source: exp.Expr) -> str:
    """Name a table as `<schema>.<table>`, and what is no table by its SQL."""
    if isinstance(source, exp.Table) and isinstance(source.this, exp.Identifier):
        return f"{source.db}.{source.name}" if source.db else source.name
    return source.sql(DIALECT)
