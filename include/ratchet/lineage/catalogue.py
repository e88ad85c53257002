"""dbt's documentation as one static page, with what only Ratchet knows put into it.

dbt's own page shows the description of every table and column. To these is added: who owns it and
what was promised, how its data was last, which columns it is computed from, and which models and
releases use it. The page holds all its data, and asks no server for anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ratchet.errors import FeedError
from ratchet.feeds import read_landings
from ratchet.ledger import Ledger
from ratchet.lineage.graph import Graph, Leaf, graph_of
from ratchet.lineage.rows import published
from ratchet.lineage.sql import FEEDS
from ratchet.lineage.trace import landed_windows
from ratchet.quality import read_findings
from ratchet.registry import Release, load_release
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.warehouse import compile_project, open_blocks


def write_catalogue(spec: Spec, settings: Settings) -> Path:
    """Write the catalogue of a use case's data as it is now; return the page.

    Raises
    ------
    BuildError
        If nothing is published, or the dbt project does not compile.
    """
    with published(settings.lake(spec.name).published):
        manifest = compile_project(spec)
    catalogue = _Catalogue(spec, settings, manifest)
    catalogue.extend()
    page = files("dbt.task.docs").joinpath("index.html").read_text()
    for name, content in (("MANIFEST", manifest), ("CATALOG", catalogue.catalog())):
        data = json.dumps(content).replace("</", "<\\/")  # nothing in the data ends the script
        page = page.replace(f'"{name}.JSON INLINE DATA"', data)
    path = settings.home / "reports" / f"{spec.name}-catalogue.html"
    write_atomic(path, page.encode())
    return path


class _Catalogue:
    def __init__(self, spec: Spec, settings: Settings, manifest: dict[str, Any]) -> None:
        self.spec, self.settings, self.manifest = spec, settings, manifest
        self.graph: Graph = graph_of(manifest, spec)
        self.releases = _releases(spec, settings)
        self.users = _users(self.graph)
        self.windows = landed_windows(spec, settings)
        self.blocks = open_blocks(spec, settings)

    def extend(self) -> None:
        """Put into the manifest what dbt does not know."""
        manifest, spec = self.manifest, self.spec
        for node in manifest["nodes"].values():
            table = f"{node['schema']}.{node['name']}"
            if node["resource_type"] == "model" and table in self.graph.models:
                self._extend_model(node, table)
        for source in manifest["sources"].values():
            if source["source_name"] == spec.name and source["name"] in spec.feeds:
                self._extend_feed(source)
        manifest["docs"]["doc.dbt.__overview__"] = {
            "name": "__overview__",
            "resource_type": "doc",
            "package_name": "dbt",
            "unique_id": "doc.dbt.__overview__",
            "path": "overview.md",
            "original_file_path": "docs/overview.md",
            "block_contents": "\n".join(self._overview()),
        }

    def _extend_model(self, node: dict[str, Any], table: str) -> None:
        model, owner = self.graph.models[table], self.spec.owner
        node["meta"] = {"owner": f"{owner.name} <{owner.email}>", **node["meta"]}
        blocked = sorted({b.text for b in self.blocks if b.table_name == table})
        tests = self.manifest["child_map"].get(node["unique_id"], ())
        facts = [
            ("Owner", node["meta"]["owner"]),
            ("State", f"**blocked**: {'; '.join(blocked)}" if blocked else "not blocked"),
            ("Data tests", str(sum(child.startswith("test.") for child in tests))),
            ("Last findings", self._findings(table, node["name"])),
            ("Last decision on the data", self._last_decision()),
            ("Read by", ", ".join(sorted(self._readers(table))) or "no other model"),
            ("SQL", f"`{model.sha256[:12]}`"),
        ]
        if model.problem:
            facts.append(("Lineage", f"can't be followed: {model.problem}"))
        node["description"] = _with_facts(node["description"], facts)
        for name in model.columns:
            column = node["columns"].setdefault(
                name, {"name": name, "description": "", "meta": {}, "tags": [], "data_type": None}
            )
            column["description"] = _sentences(
                column["description"], self._origin(table, name), self._use((table, name))
            )

    def _extend_feed(self, source: dict[str, Any]) -> None:
        name = source["name"]
        feed, table = self.spec.feeds[name], f"{FEEDS}.{name}"
        owner = feed.owner or self.spec.owner
        tags = _tags(feed, known=("description", "producer", "owner", "columns"))
        source["meta"] = {"owner": f"{owner.name} <{owner.email}>", "producer": feed.producer}
        facts = [
            ("Owner", source["meta"]["owner"]),
            ("Producer", feed.producer),
            ("Promised", _promise(tags)),
            ("Last landed", self._last_landed(name)),
            ("Last findings", self._findings(name, table)),
            ("Read by", ", ".join(sorted(self._readers(table))) or "no model"),
        ]
        source["description"] = _with_facts(feed.description, facts)
        for column, declared in feed.columns.items():
            contract = _tags(declared, known=("description", "type"))
            source["columns"][column] = {
                "name": column,
                "description": _sentences(
                    declared.description, _promise(contract), self._use((table, column))
                ),
                "data_type": declared.type,
                "meta": contract,
                "tags": [*declared.tags],
            }

    def _origin(self, table: str, column: str) -> str:
        if self.graph.models[table].problem:
            return ""
        tags = {
            (name, key): f" ({', '.join(column.tags)})"
            for name, feed in self.spec.feeds.items()
            for key, column in feed.columns.items()
            if column.tags
        }
        text = ", ".join(
            f"`{'.'.join(leaf)}`{tags.get(leaf, '')}"
            for leaf in sorted(self.graph.sources(table, column))
            if not leaf[1].startswith("_")
        )
        return f"From {text}." if text else ""

    def _use(self, leaf: Leaf) -> str:
        """Say which features are computed from a column, and which releases read them."""
        users = self.users.get(leaf, set()) & {*self._features()}
        features = sorted(name for _, name in users)
        if not features:
            return ""
        versions = [r.version for r in self.releases if {*r.candidate.features} & {*features}]
        count = f"{len(versions)} release{'s' if len(versions) > 1 else ''}"
        read = f", read by {count}, the last one {versions[-1]}" if versions else ""
        return f"Used in {', '.join(f'`{feature}`' for feature in features)}{read}."

    def _features(self) -> Iterator[Leaf]:
        table = f"gold.{self.spec.gold.features_table}"
        yield from ((table, name) for name in self.spec.gold.features)

    def _readers(self, table: str) -> set[str]:
        return {name for name, model in self.graph.models.items() if table in model.parents}

    def _findings(self, *subjects: str) -> str:
        if not self.windows:
            return "nothing has landed"
        found = [
            finding
            for finding in read_findings(self.spec, self.windows[-1], self.settings, blocking=False)
            if finding.subject in subjects
        ]
        faults = [finding for finding in found if finding.is_fault]
        if not found:
            return "none of this table"
        return f"{len(found)} looked at in {self.windows[-1]}, {len(faults)} found" + "".join(
            f"; {fault.text}" for fault in faults
        )

    def _last_landed(self, feed: str) -> str:
        for window in reversed(self.windows):
            try:
                landings = read_landings(self.spec, window, self.settings)
            except FeedError:
                continue
            for landing in landings:
                if landing.feed == feed and landing.rows:
                    share = landing.quarantined / landing.rows
                    return f"{landing.rows:,} rows in {window}, {share:.2%} of them quarantined"
        return "nothing"

    def _last_decision(self) -> str:
        ledger = Ledger(self.settings.lake(self.spec.name).ledger)
        decisions = ledger.decisions("data")
        last = decisions[-1] if decisions else None
        return f"{last.verdict} for {last.window}: {'; '.join(last.reasons)}" if last else "none"

    def _overview(self) -> Iterator[str]:
        spec = self.spec
        yield f"# {spec.title}\n\n{spec.description}\n"
        windows = f"{self.windows[0]} … {self.windows[-1]}" if self.windows else "none"
        facts = [
            ("Owner", f"{spec.owner.name} <{spec.owner.email}>"),
            ("Region", spec.region or "may lie anywhere"),
            ("Landed windows", windows),
            ("Last decision on the data", self._last_decision()),
            ("Blocked now", ", ".join(sorted({b.table_name for b in self.blocks})) or "nothing"),
            ("Releases", f"{len(self.releases)}"),
        ]
        yield _with_facts("", facts)
        yield "\n## Features and where they come from\n"
        yield "| feature | computed from |\n|---|---|"
        for table, name in self._features():
            origin = self._origin(table, name).removeprefix("From ").removesuffix(".")
            yield f"| `{name}` | {origin} |"
        yield "\n## Feeds\n\n| feed | owner | last landed |\n|---|---|---|"
        for name, feed in spec.feeds.items():
            owner = feed.owner or spec.owner
            yield f"| `{name}` | {owner.name} | {self._last_landed(name)} |"

    def catalog(self) -> dict[str, Any]:
        """Return what dbt would find in the warehouse: here, what is published."""
        found: dict[str, dict[str, str]] = {}
        counts: dict[str, int] = {}
        with published(self.settings.lake(self.spec.name).published) as connection:
            columns = connection.execute(
                "select schema_name || '.' || table_name, column_name, data_type "
                "from duckdb_columns() order by schema_name, table_name, column_index"
            ).fetchall()
            for table, column, kind in columns:
                found.setdefault(table, {})[column] = kind
            rows = connection.execute(
                "select schema_name || '.' || table_name, estimated_size from duckdb_tables()"
            ).fetchall()
            counts.update(rows)
        nodes = {}
        for identifier, node in self.manifest["nodes"].items():
            table = f"{node['schema']}.{node['name']}"
            if table in self.graph.models and table in found:
                nodes[identifier] = _catalog_node(identifier, node, found[table], counts.get(table))
        sources = {
            identifier: _catalog_node(
                identifier,
                source,
                {n: c.type for n, c in self.spec.feeds[source["name"]].columns.items()},
                None,
            )
            for identifier, source in self.manifest["sources"].items()
            if source["name"] in self.spec.feeds
        }
        metadata = self.manifest["metadata"]
        return {"metadata": metadata, "nodes": nodes, "sources": sources, "errors": None}


def _catalog_node(
    identifier: str, node: dict[str, Any], columns: dict[str, str], rows: int | None
) -> dict[str, Any]:
    stats = {"has_stats": {"id": "has_stats", "label": "", "value": rows is not None}}
    if rows is not None:
        stats["rows"] = {"id": "rows", "label": "Rows", "value": rows}
    for stat in stats.values():
        stat |= {"include": stat["id"] != "has_stats", "description": "as published"}
    kind = "feed" if node["resource_type"] == "source" else "view" if rows is None else "table"
    return {
        "unique_id": identifier,
        "metadata": {
            "type": kind,
            "schema": node["schema"],
            "name": node["name"],
            "database": node["database"],
            "comment": None,
            "owner": node["meta"].get("owner"),
        },
        "columns": {
            name: {"type": kind, "index": number, "name": name, "comment": None}
            for number, (name, kind) in enumerate(columns.items())
        },
        "stats": stats,
    }


def _users(graph: Graph) -> dict[Leaf, set[Leaf]]:
    """Return by column all columns that are computed from it, over any number of steps."""
    users: dict[Leaf, set[Leaf]] = {}
    for table, model in reversed(graph.models.items()):
        for name, column in model.columns.items():
            own = {(table, name)} | users.get((table, name), set())
            for leaf in column.values:
                users.setdefault(leaf, set()).update(own)
    return users


def _releases(spec: Spec, settings: Settings) -> list[Release]:
    folders = settings.lake(spec.name).releases.glob("*/")
    versions = sorted((folder.name for folder in folders), key=lambda name: (len(name), name))
    return [load_release(spec, version, settings) for version in versions]


def _tags(declared: BaseModel, known: Iterable[str]) -> dict[str, Any]:
    """Return what a part of the spec declares beyond its defaults."""
    return declared.model_dump(mode="json", exclude_defaults=True, exclude={*known})


def _promise(tags: dict[str, Any]) -> str:
    said = (
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')}: {_plain(value)}"
        for name, value in tags.items()
    )
    return ", ".join(said)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_plain(part)}" for key, part in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _with_facts(description: str, facts: list[tuple[str, str]]) -> str:
    rows = "\n".join(f"| {name} | {text.replace('|', '/')} |" for name, text in facts)
    return f"{description}\n\n| | |\n|---|---|\n{rows}\n"


def _sentences(*texts: str) -> str:
    ended = (text if text.endswith(".") else f"{text}." for text in texts if text)
    return " ".join(ended)
