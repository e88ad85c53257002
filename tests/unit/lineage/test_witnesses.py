"""Asked only of a row's witnesses, a query gives that row again: what Cui and Widom demand.

Tables are random, and the oracle is DuckDB on tables from which all other rows were removed.
"""

import random

import duckdb
import pytest

from ratchet.lineage.sql import parse
from ratchet.lineage.witnesses import WHETHER, WHICH, with_witnesses

SCHEMA = {"s": {"a": ["i", "k", "x", "t"], "b": ["i", "k", "y", "t"]}}
COLUMNS = {"a": "i, k, x, t", "b": "i, k, y, t"}
QUERIES = {
    "filter": "select k, x + t as z from s.a where x > 3",
    "join": "select a.i, a.x, b.y from s.a join s.b on a.k = b.k",
    "left join": "select a.i, a.x, b.y from s.a left join s.b on a.k = b.k and b.y > 5",
    "asof join": "select a.i, b.y from s.a asof left join s.b on a.k = b.k and a.t >= b.t",
    "group": "select k, sum(x) as n, count(*) as c from s.a group by all",
    "filtered aggregate": "select k, sum(x) filter (t > 4) as n from s.a group by k",
    "no group": "select max(x) as m from s.a",
    "distinct": "select distinct k from s.a",
    "union": "select k, x as v from s.a union all select k, y from s.b",
    "group of a join": (
        "with c as (select k, sum(y) as n from s.b group by k) "
        "select a.i, c.n from s.a left join c on a.k = c.k"
    ),
    "running sum": "select i, sum(x) over (partition by k order by t, i) as n from s.a",
    "named window": (
        "select k, t, sum(sum(x)) over ever as n from s.a group by k, t "
        "window ever as (partition by k order by t)"
    ),
    "first of many": (
        "select k, x from s.a qualify row_number() over (partition by k order by t, i) = 1"
    ),
    "unnest": "select i, x + unnest(range(3)) as u from s.a",
}


@pytest.fixture(scope="module")
def tables():
    rng = random.Random(7)
    return {
        name: [(i, rng.randrange(4), rng.randrange(9), rng.randrange(9)) for i in range(14)]
        for name in COLUMNS
    }


def connect(tables):
    connection = duckdb.connect()
    connection.execute("create schema s")
    for name, rows in tables.items():
        columns = ", ".join(f"{column} bigint" for column in COLUMNS[name].split(", "))
        connection.execute(f"create table s.{name} ({columns})")
        if rows:
            connection.executemany(f"insert into s.{name} values (?, ?, ?, ?)", rows)
    return connection


def witnessed(connection, sql, needed=None):
    """Return each row with the tables' rows that it was made of."""
    tree = parse(sql, SCHEMA)
    sources = {
        f"s.{name}": f"select *, [{number * 100} + i] as _witnesses from s.{name}"
        for number, name in enumerate(COLUMNS)
    }
    rewritten, _ = with_witnesses(tree, needed or tree.named_selects, sources, WHICH)
    return [(row[:-1], set(row[-1])) for row in connection.execute(rewritten).fetchall()]


@pytest.mark.parametrize("name", QUERIES)
def test_witnesses_alone_make_the_row_again(tables, name):
    sql, connection = QUERIES[name], connect(tables)
    rows = witnessed(connection, sql)
    assert sorted(map(str, (row for row, _ in rows))) == sorted(
        map(str, connection.execute(sql).fetchall())
    )
    assert len(rows) > 0
    for row, witnesses in rows:
        kept = {
            table: [r for r in tables[table] if number * 100 + r[0] in witnesses]
            for number, table in enumerate(COLUMNS)
        }
        assert row in connect(kept).execute(sql).fetchall(), (name, row, witnesses)


@pytest.mark.parametrize("name", QUERIES)
def test_whether_a_row_was_made_of_marked_ones_agrees_with_which(tables, name):
    connection, marked = connect(tables), {3, 5, 108, 111}
    tree = parse(QUERIES[name], SCHEMA)
    sources = {
        f"s.{table}": f"select *, {number * 100} + i in {tuple(marked)} as _witnesses "
        f"from s.{table}"
        for number, table in enumerate(COLUMNS)
    }
    sql, _ = with_witnesses(tree, tree.named_selects, sources, WHETHER)
    found = sorted(map(str, connection.execute(sql).fetchall()))
    expected = [
        (*row, bool(witnesses & marked)) for row, witnesses in witnessed(connection, QUERIES[name])
    ]
    assert found == sorted(map(str, expected))


def test_group_is_made_of_all_its_rows_and_no_other(tables):
    rows = witnessed(connect(tables), QUERIES["group"])
    assert {row[0]: ids for row, ids in rows} == {
        k: {r[0] for r in tables["a"] if r[1] == k} for k in {r[1] for r in tables["a"]}
    }


def test_left_join_that_nobody_reads_is_no_witness(tables):
    rows = witnessed(connect(tables), QUERIES["left join"], needed=["i", "x"])
    assert all(len(ids) == 1 and ids < set(range(100)) for _, ids in rows)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select k from s.a union select k from s.b", "write union all"),
        ("select k from s.a order by t limit 3", "write qualify"),
    ],
)
def test_query_whose_rows_cannot_be_told_is_refused(sql, reason):
    with pytest.raises(ValueError, match=reason):
        with_witnesses(parse(sql, SCHEMA), ["k"], {}, WHICH)
