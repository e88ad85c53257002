"""The spec and the SQL say the same: every column, both ways."""

import duckdb
import pytest

TYPES = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
# what identifies a decision to people
EXPLAINING = {"scheduled_departure_at", "flight_number", "destination"}
PROVENANCE = {"_file", "_row", "_sha256", "_loaded_at", "_run_id", "_window", "_is_corrected"}


LABELS = {"boolean": {"boolean"}, "double": {"bigint", "double"}}  # by the kind of problem's type


@pytest.fixture(scope="module", params=["flights", "block_time"])
def spec(request):
    return request.getfixturevalue(f"{request.param}_spec")


@pytest.fixture(scope="module")
def built(request, spec):
    return request.getfixturevalue("three_weeks" if spec.name == "flights" else "block_time_weeks")


@pytest.fixture(scope="module")
def columns(built, spec):
    """Return the type of every column, by schema, table and column, as built."""
    with duckdb.connect(built.lake(spec.name).published, read_only=True) as connection:
        rows = connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns()"
        ).fetchall()
    found = {}
    for schema, table, column, kind in rows:
        found.setdefault(f"{schema}.{table}", {})[column] = kind
    return found


def test_features_of_the_spec_are_those_of_gold(models, spec):
    gold = spec.gold
    table = models[gold.features_table].columns
    known_at = {feature.known_at for feature in gold.features.values()}
    expected = {gold.key, gold.decided_at, spec.rule.column, *gold.features, *known_at}
    assert set(table) == expected | EXPLAINING
    for name, feature in gold.features.items():
        is_text = table[name].data_type == "varchar"
        assert is_text == (feature.kind == "categorical"), name
    assert table[spec.rule.column].data_type == spec.costs.rule_type


def test_features_of_the_spec_are_tested_to_know_nothing_of_the_future(manifest, spec):
    gold = spec.gold
    tests = [
        node.test_metadata.kwargs
        for node in manifest.nodes.values()
        if getattr(node, "test_metadata", None)
        and node.test_metadata.name == "known_by"
        and gold.features_table in node.test_metadata.kwargs["model"]
    ]
    (test,) = (kwargs.get("arguments", kwargs) for kwargs in tests)
    assert test["moment"] == gold.decided_at
    assert set(test["columns"]) == {feature.known_at for feature in gold.features.values()}


def test_labels_of_the_spec_are_those_of_gold(models, spec):
    gold = spec.gold
    table = {name: c.data_type for name, c in models[gold.outcomes_table].columns.items()}
    assert table[gold.label] in LABELS[spec.costs.label_type]
    assert table[gold.key] == "varchar"
    assert table[gold.decided_at] == table[gold.label_known_at] == "timestamp"


def test_feeds_of_the_spec_are_those_of_bronze(columns, spec, manifest):
    sources = {s.name for s in manifest.sources.values() if s.source_name == spec.name}
    assert sources == {*spec.feeds, "manifests", "quarantine"}
    for name, feed in spec.feeds.items():
        table = columns[f"bronze.stg_{spec.name}__{name}"]
        assert {"known_at", *PROVENANCE} <= set(table)
        own = {c: t for c, t in table.items() if c not in {"known_at", "flight_id", *PROVENANCE}}
        assert own == {c: TYPES[column.type] for c, column in feed.columns.items()}, name


def test_gold_was_built_with_the_columns_of_its_contract(columns, models, spec):
    folders = (f"gold/{spec.name}/", "gold/_shared/")
    gold = [model for model in models.values() if model.path.startswith(folders)]
    assert len(gold) >= 15
    for model in gold:
        built = {name: kind.lower() for name, kind in columns[f"gold.{model.name}"].items()}
        assert built == {name: c.data_type for name, c in model.columns.items()}, model.name
