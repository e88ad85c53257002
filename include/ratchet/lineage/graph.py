"""Which column comes from which, read from the SQL that dbt compiles."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from ratchet.errors import BuildError
from ratchet.lineage.sql import FEEDS, ROWS, parse, trace_columns
from ratchet.settings import Settings
from ratchet.spec import Spec, refuse_restricted, restricted_columns
from ratchet.storage import write_atomic
from ratchet.warehouse import compile_project, sql_sha256

Leaf = tuple[str, str]

_FORMAT = 2  # of the cached file


class Record(BaseModel):
    """Base of what the graph is made of."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Column(Record):
    """Where a model's column comes from, one step back.

    `values` are the columns that it is computed from; `conditions` those that decide which rows
    count: join keys, filters, groups. Each is (table, column); a table is `<schema>.<model>`, or
    `feeds.<feed>` where a producer's file begins.
    """

    values: frozenset[Leaf]
    conditions: frozenset[Leaf]


class Model(Record):
    """One dbt model of a use case.

    `sql` is what dbt compiles it to, and `sha256` the hash of that. `key` tells its rows apart, as
    its `unique_combination` test says. `range` are the conditions that name the rows that a build
    replaces. `rows` are the columns that decide which rows there are; in them, and in a column's
    conditions, `*` stands for what decides that of a table. `problem` says why its columns could
    not be followed, if so.
    """

    table: str
    path: str
    sql: str
    sha256: str
    parents: tuple[str, ...]
    key: tuple[str, ...]
    range: tuple[str, ...]
    columns: dict[str, Column]
    rows: frozenset[Leaf]
    problem: str | None


class Graph(Record):
    """All models of a use case by table, each after those that it reads; and its feeds."""

    models: dict[str, Model]
    feeds: dict[str, tuple[str, ...]]

    def sources(self, table: str, column: str, *, conditions: bool = False) -> frozenset[Leaf]:
        """Return the (feed, column) pairs that a column goes back to.

        Parameters
        ----------
        conditions
            Also follow what decided which rows count, at every step.

        Raises
        ------
        BuildError
            If a model on the way has SQL that could not be followed, or there is no such column.
        """
        found: set[Leaf] = set()
        seen: set[Leaf] = set()
        open_ends = [(table, column)]
        while open_ends:
            leaf = open_ends.pop()
            if leaf in seen:
                continue
            seen.add(leaf)
            schema, _, name = leaf[0].partition(".")
            if schema == FEEDS:
                found |= {(name, leaf[1])} - {(name, ROWS)}
            elif leaf[0] in self.models:
                step = self._column(*leaf)
                open_ends += step.values | (step.conditions if conditions else set())
        return frozenset(found)

    def _column(self, table: str, column: str) -> Column:
        model = self.models[table]
        if model.problem:
            raise BuildError(
                f"{model.path}: its columns can't be followed: {model.problem}; write it so that "
                "`ratchet catalogue` finds no problem with it"
            )
        if column == ROWS:
            return Column(values=frozenset(), conditions=model.rows)
        if column not in model.columns:
            raise BuildError(f"{model.path} has no column {column}; it has {[*model.columns]}")
        return model.columns[column]


def column_lineage(spec: Spec, settings: Settings) -> dict[Leaf, frozenset[Leaf]]:
    """Return the (feed, column) pairs behind every column of every model of a use case.

    Returns
    -------
    dict
        By (table, column), as in `("gold.feat_flights", "temperature_f")`. Columns of a model
        whose SQL can't be followed are left out.
    """
    graph = load_graph(spec, settings)
    lineage = {}
    for table, model in graph.models.items():
        for column in model.columns:
            try:
                lineage[table, column] = graph.sources(table, column)
            except BuildError:
                continue
    return lineage


def feature_sources(
    spec: Spec, settings: Settings, *, conditions: bool = False
) -> dict[str, frozenset[Leaf]]:
    """Return the (feed, column) pairs that each feature of a use case is computed from.

    Parameters
    ----------
    conditions
        Also those that decided which rows count: a count of rows that have some value tells of
        that value, too.

    Raises
    ------
    BuildError
        If the project does not compile, or a feature can't be followed back to its feeds.
    """
    graph, gold = load_graph(spec, settings), spec.gold
    table = f"gold.{gold.features_table}"
    if table not in graph.models:
        raise BuildError(
            f"{spec.name}: no model makes {table}; write it in models/gold/{spec.name}"
        )
    return {name: graph.sources(table, name, conditions=conditions) for name in gold.features}


def known_sources(spec: Spec, settings: Settings) -> dict[str, frozenset[Leaf]] | None:
    """Return what `feature_sources` does, if the SQL of today was read before; else None.

    Raises
    ------
    BuildError
        If a feature can't be followed back to its feeds.
    """
    return feature_sources(spec, settings) if _cached(spec, settings).exists() else None


def refuse_restricted_features(spec: Spec, settings: Settings) -> None:
    """Refuse features that tell of restricted columns, by the lineage of the SQL as it is.

    Raises
    ------
    AccessError
        If a feature is computed from a restricted column; or if one decides which rows it counts,
        and nobody has accepted that.
    BuildError
        If the project does not compile, or a feature can't be followed back to its feeds.
    """
    if restricted_columns(spec):
        values, every = (feature_sources(spec, settings, conditions=c) for c in (False, True))
        refuse_restricted(spec, values, every)


def load_graph(spec: Spec, settings: Settings) -> Graph:
    """Return the lineage of a use case's SQL, from its cache where the SQL is the same.

    Raises
    ------
    BuildError
        If the project does not compile.
    """
    path = _cached(spec, settings)
    if path.exists():
        return Graph.model_validate_json(path.read_bytes())
    graph = _graph(spec.model_dump_json(), path.stem)
    write_atomic(path, graph.model_dump_json().encode())
    return graph


def _cached(spec: Spec, settings: Settings) -> Path:
    feeds = {name: tuple(feed.columns) for name, feed in spec.feeds.items()}
    digest = hashlib.sha256(json.dumps([_FORMAT, sql_sha256(), feeds]).encode()).hexdigest()
    return settings.lake(spec.name).root / "lineage" / f"{digest}.json"


@cache
def _graph(spec_json: str, _digest: str) -> Graph:
    """Make the graph; once in a process for the same spec and SQL, as dbt takes its time."""
    spec = Spec.model_validate_json(spec_json)
    return graph_of(compile_project(spec), spec)


def graph_of(manifest: dict[str, Any], spec: Spec) -> Graph:
    """Read the graph from dbt's manifest."""
    feeds = {name: tuple(feed.columns) for name, feed in spec.feeds.items()}
    schema = {FEEDS: {name: list(columns) for name, columns in feeds.items()}}
    nodes = {
        identifier: node
        for identifier, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and node["fqn"][2] == spec.name
    }
    keys = _keys(manifest)
    parents = {identifier: node["depends_on"]["nodes"] for identifier, node in nodes.items()}
    models = {}
    for identifier in TopologicalSorter(parents).static_order():
        if identifier in nodes:
            model = _model(nodes[identifier], manifest, schema, keys.get(identifier, ()))
            models[model.table] = model
            name = model.table.partition(".")[2]
            declared = nodes[identifier]["columns"]
            schema.setdefault(nodes[identifier]["schema"], {})[name] = [*model.columns] or [
                *declared
            ]
    return Graph(models=models, feeds=feeds)


def _keys(manifest: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the columns that tell a model's rows apart, where a test says so."""
    return {
        node["attached_node"]: tuple(node["test_metadata"]["kwargs"]["columns"])
        for node in manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "unique_combination"
    }


def _model(
    node: dict[str, Any],
    manifest: dict[str, Any],
    schema: dict[str, dict[str, list[str]]],
    key: tuple[str, ...],
) -> Model:
    read = [i for i in node["depends_on"]["nodes"] if i.split(".")[0] in ("model", "source")]
    sources = {
        manifest["sources"][i]["relation_name"]: f"{FEEDS}.{manifest['sources'][i]['name']}"
        for i in read
        if i in manifest["sources"]
    }
    sql = node["compiled_code"].replace(f'"{node["database"]}".', "")
    for relation, table in sources.items():
        sql = sql.replace(relation, table)
    steps, rows, problem = {}, set[Leaf](), None
    try:
        steps = trace_columns(parse(sql, schema))
        rows = steps.pop(ROWS)[1]
    except ValueError as error:
        problem = str(error)
    return Model(
        table=f"{node['schema']}.{node['name']}",
        path=node["original_file_path"],
        sql=sql,
        sha256=hashlib.sha256(sql.encode()).hexdigest(),
        parents=(
            *(f"{n['schema']}.{n['name']}" for i in read if (n := manifest["nodes"].get(i))),
            *sources.values(),
        ),
        key=key,
        range=tuple(node["config"].get("incremental_predicates") or ()),
        columns={
            name: Column(values=frozenset(values), conditions=frozenset(conditions))
            for name, (values, conditions) in steps.items()
        },
        rows=frozenset(rows),
        problem=problem,
    )
