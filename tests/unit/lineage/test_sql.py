"""Columns of small queries, whose sources anyone can read off."""

import pytest

from ratchet.lineage.sql import parse, trace_columns

SCHEMA = {"s": {"a": ["k", "x", "t"], "b": ["k", "y", "t"]}, "feeds": {"raw": ["k", "v"]}}


def lineage(sql):
    columns = trace_columns(parse(sql, SCHEMA))
    return {
        name: tuple({".".join(leaf) for leaf in leaves} for leaves in pair)
        for name, pair in columns.items()
    }


def columns_of(leaves):
    return {leaf for leaf in leaves if not leaf.endswith("*")}


@pytest.mark.parametrize(
    ("sql", "column", "values", "conditions"),
    [
        ("select x + t as z from s.a where k > 1", "z", {"s.a.x", "s.a.t"}, {"s.a.k"}),
        ("select * from s.a", "x", {"s.a.x"}, set()),
        ("select * replace (y * 2 as y) from s.b", "y", {"s.b.y"}, set()),
        ("select a.* exclude (t), y from s.a join s.b using (k)", "y", {"s.b.y"}, {"s.a.k"}),
        (
            "select a.x, b.y from s.a asof left join s.b on a.k = b.k and a.t >= b.t",
            "y",
            {"s.b.y"},
            {"s.a.k", "s.b.k", "s.a.t", "s.b.t"},
        ),
        (
            "with c as (select k, sum(x) filter (t > 0) as n from s.a group by all) "
            "select b.y, c.n from s.b join c on c.k = b.k",
            "n",
            {"s.a.x", "s.a.t"},
            {"s.a.k", "s.b.k"},
        ),
        ("select k, count(*) as n from s.a where x = 1 group by k", "n", set(), {"s.a.x", "s.a.k"}),
        ("select unnest([k, x]) + 1 as u from s.a", "u", {"s.a.k", "s.a.x"}, set()),
        ("select x as one from s.a union all select y from s.b", "one", {"s.a.x", "s.b.y"}, set()),
        (
            "select x, sum(x) over w as total from s.a window w as (partition by k order by t)",
            "total",
            {"s.a.x"},
            {"s.a.k", "s.a.t"},
        ),
        (
            "select x from s.a qualify row_number() over (partition by k order by t) = 1",
            "x",
            {"s.a.x"},
            {"s.a.k", "s.a.t"},
        ),
        ("select (select max(y) from s.b where t > 3) as m from s.a", "m", {"s.b.y"}, {"s.b.t"}),
        ("select x, getvariable('lake') as v from s.a", "v", set(), set()),
        ("select x * 2 as d, d + k as e from s.a", "e", {"s.a.x", "s.a.k"}, set()),
        (
            "with raw as (select v as k from feeds.raw) select k from raw",
            "k",
            {"feeds.raw.v"},
            set(),
        ),
    ],
)
def test_columns_come_from_where_the_query_says(sql, column, values, conditions):
    found = lineage(sql)[column]
    assert found[0] == values
    found_conditions = columns_of(found[1])
    assert found_conditions >= conditions if "using" in sql else found_conditions == conditions


@pytest.mark.parametrize(
    ("sql", "deciding"),
    [
        ("select 1 as n from s.a", {"s.a.*"}),
        ("select count(*) as n from (select k from s.a where x > 1)", {"s.a.*", "s.a.x"}),
        ("with c as (select k from s.a where x > 1) select count(*) as n from c, s.b",
         {"s.a.*", "s.a.x", "s.b.*"}),
        ("select count(*) as n from (select distinct x, k from s.a)", {"s.a.*", "s.a.x", "s.a.k"}),
        ("select count(*) as n from (select k from s.a order by x limit 3)", {"s.a.*", "s.a.x"}),
        ("select k as n from s.a except select y from s.b",
         {"s.a.*", "s.b.*", "s.a.k", "s.b.y"}),
        ("select k as n from s.a union select y from s.b",
         {"s.a.*", "s.b.*", "s.a.k", "s.b.y"}),
        ("select k as n from s.a union all select y from s.b where t > 1",
         {"s.a.*", "s.b.*", "s.b.t"}),
        ("select exists(select 1 from s.b where y = 2) as n", {"s.b.*", "s.b.y"}),
    ],
)  # fmt: skip
def test_what_decides_which_rows_there_are_counts_though_no_column_shows_it(sql, deciding):
    assert lineage(sql)["n"][1] == deciding


def test_source_without_declared_columns_has_those_that_are_asked_of_it():
    sql = (
        "with f as (select one, unnest(many) as many from feeds.manifest) select f.many.name from f"
    )
    assert lineage(sql)["name"] == ({"feeds.manifest.many"}, {"feeds.manifest.*"})


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select nothing from s.a", "nothing"),
        ("select k from s.a, s.b", "k"),
        ("select from where", "select"),
        ("drop table s.a", "no query"),
        ("select b as whole_row from s.b", "name its columns"),
    ],
)
def test_query_that_cannot_be_followed_is_refused(sql, reason):
    with pytest.raises(ValueError, match=reason):
        trace_columns(parse(sql, SCHEMA))
