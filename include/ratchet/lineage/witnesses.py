"""A query that also says, for each of its rows, which rows of its tables it was made of.

The definition is that of Cui, Widom and Wiener: a joined row is made of the rows that were joined,
a group of all rows of the group, a union's row of its branch's. Filters add nothing. Two things go
beyond theirs: a value over a window is made of the rows of its frame, and a left join counts only
if a column that was asked for reads what it joined.

References
----------
Y. Cui, J. Widom, J. L. Wiener: Tracing the Lineage of View Data in a Warehousing Environment.
ACM Transactions on Database Systems 25(2), 2000, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlglot import exp
from sqlglot.optimizer.scope import Scope, build_scope

from ratchet.lineage.sql import DIALECT

WITNESSES = "_witnesses"


@dataclass(frozen=True)
class Algebra:
    """How witnesses are written: of a row, of rows joined, and of rows gathered."""

    none: str
    join: Callable[[exp.Expr, exp.Expr], exp.Expr]
    gather: Callable[[exp.Expr], exp.Expr]
    flatten: Callable[[exp.Expr], exp.Expr]


def _call(name: str, *arguments: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this=name, expressions=list(arguments))


# which rows: a list of identifiers, with repetitions
WHICH = Algebra(
    none="cast([] as bigint[])",
    join=lambda one, other: _call("list_concat", one, other),
    gather=lambda rows: _call("list", rows),
    flatten=lambda lists: _call("flatten", lists),
)
# whether any of some marked rows: far cheaper
WHETHER = Algebra(
    none="false",
    join=lambda one, other: exp.Paren(this=exp.Or(this=one, expression=other)),
    gather=lambda rows: _call("bool_or", rows),
    flatten=lambda marked: marked,
)


def with_witnesses(
    tree: exp.Query, needed: Iterable[str], tables: Mapping[str, str], algebra: Algebra
) -> tuple[str, dict[str, set[str]]]:
    """Write a query that also returns the rows that each of its rows was made of.

    Parameters
    ----------
    tree
        A query whose columns all know their tables, as `parse` returns it.
    needed
        Its columns that somebody reads.
    tables
        By `<schema>.<table>`: a query for that table's rows and their `_witnesses`. What stands in
        none of them is no witness.
    algebra
        What a witness is: `WHICH` rows, or `WHETHER` it was one of those that are marked.

    Returns
    -------
    sql
        The query, with a column `_witnesses`.
    read
        Columns that it needs of each of the tables.

    Raises
    ------
    ValueError
        If the query has a form whose rows can't be followed.
    """
    tree = tree.copy()
    root = build_scope(tree)
    if root is None:
        raise ValueError("it selects nothing")
    rewriting = _Rewriting(tables, algebra, {id(root): set(needed)}, {})
    # a scope comes after all that read it, so what is needed of it is complete
    for scope in reversed([*root.traverse()]):
        if id(scope) in rewriting.needs:
            rewriting.rewrite(scope)
    return tree.sql(DIALECT), rewriting.read


@dataclass(frozen=True)
class _Rewriting:
    tables: Mapping[str, str]
    algebra: Algebra
    needs: dict[int, set[str]]
    read: dict[str, set[str]]

    def rewrite(self, scope: Scope) -> None:
        query, needed = scope.expression, self.needs[id(scope)]
        if isinstance(query, exp.SetOperation):
            if query.args.get("distinct"):
                raise ValueError("a union that removes repetitions; write union all")
            for branch in scope.set_operation_scopes:
                own_query = branch.expression
                if not isinstance(own_query, exp.Query):
                    raise ValueError(f"a union of {own_query.key}; write selects")
                names = zip(query.named_selects, own_query.named_selects, strict=True)
                self.needs[id(branch)] = {own for name, own in names if name in needed}
        elif isinstance(query, exp.Select):
            if query.args.get("limit"):
                raise ValueError("a limit, whose rows can't be told again; write qualify")
            self._rewrite_select(query, scope, needed)

    def _rewrite_select(self, query: exp.Select, scope: Scope, needed: set[str]) -> None:
        wanted = [select for select in query.selects if select.alias_or_name in needed]
        clauses = ("where", "group", "having", "qualify", "windows")
        parts = [*wanted, *_listed(query.args.get(clause) for clause in clauses)]
        columns = [column for part in parts for column in part.find_all(exp.Column)]
        used = {column.table for column in columns}
        witnesses = []
        for join in _listed(query.args.get(clause) for clause in ("from_", "joins")):
            alias = join.this.alias_or_name
            if join.args.get("kind") in ("SEMI", "ANTI"):
                columns += _columns_of(join.args.get("on"))
            elif join.args.get("side") != "LEFT" or alias in used:
                columns += _columns_of(join.args.get("on"))
                if self._has_witnesses(scope.sources.get(alias)):
                    witnesses.append(exp.column(WITNESSES, alias, quoted=True))
                    self._need(scope.sources[alias], WITNESSES)
        for column in columns:
            self._need(scope.sources.get(column.table), column.name)
        self._select_witnesses(query, wanted, witnesses)
        for table in list(scope.tables):
            if rows := self.tables.get(f"{table.db}.{table.name}"):
                alias = table.alias_or_name
                subquery: exp.Expr = exp.maybe_parse(f"({rows})", dialect=DIALECT)
                table.replace(exp.alias_(subquery, alias, table=True, quoted=True))

    def _has_witnesses(self, source: object) -> bool:
        if isinstance(source, Scope):
            return isinstance(source.expression, exp.Select | exp.SetOperation)
        return isinstance(source, exp.Table) and f"{source.db}.{source.name}" in self.tables

    def _need(self, source: object, column: str) -> None:
        if isinstance(source, Scope):
            self.needs.setdefault(id(source), set()).add(column)
        elif isinstance(source, exp.Table) and source.db and column != WITNESSES:
            self.read.setdefault(f"{source.db}.{source.name}", set()).add(column)

    def _select_witnesses(
        self, query: exp.Select, wanted: list[exp.Expr], witnesses: list[exp.Column]
    ) -> None:
        """Select what a row, a group, or a frame of rows was made of."""
        algebra, made_of = self.algebra, self._joined(witnesses)
        aggregates = (part for select in query.selects for part in select.find_all(exp.AggFunc))
        is_grouped = query.args.get("group") or any(not _frame_of(part) for part in aggregates)
        if query.args.get("distinct"):
            query.set("distinct", None)
            query.set("group", exp.Group(all=True))
            is_grouped = True
        if is_grouped:
            made_of = algebra.flatten(algebra.gather(made_of))
        frames = []
        for part in (part for select in wanted for part in select.find_all(exp.AggFunc)):
            if frame := _frame_of(part):
                framed = frame.copy()
                framed.set("this", algebra.gather(made_of.copy()))
                frames.append(algebra.flatten(framed))
        query.append(
            "expressions", exp.alias_(self._joined([made_of, *frames]), WITNESSES, quoted=True)
        )

    def _joined(self, witnesses: Sequence[exp.Expr]) -> exp.Expr:
        """Join witnesses; a left join that found nothing has none."""
        none: exp.Expr = exp.maybe_parse(self.algebra.none, dialect=DIALECT)
        known: list[exp.Expr] = [
            exp.Coalesce(this=one, expressions=[none.copy()]) for one in witnesses
        ]
        return reduce(self.algebra.join, known) if known else none


def _frame_of(aggregate: exp.Expr) -> exp.Window | None:
    """Return the window over which an aggregate is taken, if it is."""
    outermost = aggregate.parent if isinstance(aggregate.parent, exp.Filter) else aggregate
    window = outermost.parent
    return window if isinstance(window, exp.Window) and outermost.arg_key == "this" else None


def _columns_of(part: exp.Expr | None) -> list[exp.Column]:
    return [*part.find_all(exp.Column)] if part else []


def _listed(parts: Iterable[Any]) -> list[exp.Expr]:
    lists = (part if isinstance(part, list) else [part] for part in parts if part)
    return [part for parts in lists for part in parts]
