"""What is odd in the data that landed, found without being told what to look for.

Not faults by themselves, and nothing is blocked by them: what a data engineer would want to know
before building on the feeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection as Connection

from ratchet.errors import FeedError
from ratchet.quality.rows import MAX_LEVELS
from ratchet.settings import Settings
from ratchet.spec.types import Feed, Spec

_FINDABLE = 0.5  # of the values are found in the other feed: then it is meant to hold all of them
_CONCENTRATED = 3.0  # times the overall share: missing values that lie together
_NOTABLE = 1.2  # times the overall share: under it, a group is like all others
_NEARLY_ALL = 0.9  # of a group's values: they lie together, whatever the overall share
_NEARLY_KEY = 0.05  # of the rows collide: a key that nearly holds misleads
_MIN_ROWS = 50  # of a segment or a group: fewer show no share
_SPELLINGS = 5  # ways to write one name; more names that begin alike are different things


@dataclass(frozen=True)
class Fact:
    """Something that an engineer should know: what, in how many rows, and the first of them."""

    feed: str
    rows: int
    text: str
    example: str


def profile_feeds(spec: Spec, settings: Settings) -> list[Fact]:
    """Look through all landed windows of all feeds; return what is odd, most rows first.

    Raises
    ------
    FeedError
        If a feed was never landed.
    """
    facts: list[Fact] = []
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, feed in spec.feeds.items():
            folder = settings.lake(spec.name).root / "landing" / name
            if not any(folder.glob("*/accepted.parquet")):
                raise FeedError(f"{name}: nothing was landed; land a window first")
            for table, file in ((name, "accepted"), (f"{name} refused", "quarantine")):
                connection.execute(
                    f'create temp view "{table}" as select * from '  # noqa: S608
                    f"read_parquet('{folder}/*/{file}.parquet', union_by_name = true)"
                )
            for detect in (_refused, _missing, _key, _constant, _spellings, _implausible):
                facts += detect(connection, name, feed)
        facts += _orphans(connection, spec)
    return sorted(facts, key=lambda fact: (-fact.rows, fact.feed, fact.text))


def _rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    answer: list[tuple[Any, ...]] = connection.execute(query).fetchall()
    return answer


_FIRST = "arg_min(_file || ' line ' || _row, (_file, _row))"


def _refused(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:  # noqa: ARG001
    query = f"""
        select count(*), min(place), min(reason)
        from (
            select _file || coalesce(' line ' || _row, '') as place, unnest(reasons) as reason
            from "{name} refused"
        )
        group by regexp_replace(reason, '[0-9][0-9.]*', '#', 'g')"""  # noqa: S608
    for count, example, reason in _rows(connection, query):
        yield Fact(name, count, f"quarantined, as {reason}", example)


def _groups(connection: Connection, name: str, feed: Feed) -> list[str]:
    texts = [column for column, declared in feed.columns.items() if declared.type == "text"]
    counts = ", ".join(f'count(distinct "{column}")' for column in texts)
    levels = _rows(connection, f'select {counts or 0} from "{name}"')[0]  # noqa: S608
    return [c for c, n in zip(texts, levels, strict=False) if 2 <= n <= MAX_LEVELS]


def _missing(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:
    """Missing values: how many, in which groups, and beside which other missing or high value."""
    for column in [c for c, declared in feed.columns.items() if declared.nullable]:
        gone = f'"{column}" is null'
        total, missing, example = _rows(
            connection,
            f'select count(*), count(*) filter ({gone}), {_FIRST} filter ({gone}) from "{name}"',  # noqa: S608
        )[0]
        if not missing:
            continue
        where = []
        for group in _groups(connection, name, feed):
            query = f"""
                select "{group}", count(*) filter ({gone}) / count(*) as share from "{name}"
                where "{group}" is not null group by 1
                having count(*) >= {_MIN_ROWS}
                    and share >= least({_CONCENTRATED * missing / total}, {_NEARLY_ALL})
                    and share > {_NOTABLE * missing / total}
                order by share desc limit 3"""  # noqa: S608
            where += [f"{group} {g} {s:.0%}" for g, s in _rows(connection, query)]
        for other, declared in feed.columns.items():
            if declared.type in ("integer", "number") and other != column:
                here, there = _rows(
                    connection,
                    f'select avg(("{other}" > 0)::int) filter ({gone}), '  # noqa: S608
                    f'avg(("{other}" > 0)::int) filter (not {gone}) from "{name}"',
                )[0]
                if here and there and here > _CONCENTRATED * there:
                    where.append(f"{other} above 0 in {here:.0%} of them, else in {there:.0%}")
        most = f"; most in {', '.join(where)}" if where else ""
        yield Fact(name, missing, f"{column} is missing in {missing / total:.2%}{most}", example)


def _key(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:
    """Key columns without which few rows collide: a key that nearly holds misleads."""
    for part in feed.key if len(feed.key) > 1 else ():
        rest = ", ".join(f'"{column}"' for column in feed.key if column != part)
        query = f"""
            select count(*), sum(n), min(example) from (
                select count(*) as n, {_FIRST} as example from "{name}" group by {rest}
                having n > 1
            )"""  # noqa: S608
        groups, rows, example = _rows(connection, query)[0]
        total = _rows(connection, f'select count(*) from "{name}"')[0][0]  # noqa: S608
        if groups and rows < _NEARLY_KEY * total:
            yield Fact(name, rows, f"{groups} groups share a key without {part}", example)


def _constant(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:
    for column in feed.columns:
        rows, distinct, value, example = _rows(
            connection,
            f'select count("{column}"), count(distinct "{column}"), min("{column}"), {_FIRST} '  # noqa: S608
            f'from "{name}"',
        )[0]
        if distinct == 1:
            yield Fact(name, rows, f"{column} is always {value}", example)


def _spellings(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:
    """Texts that are one without case, punctuation and all but their first word."""
    for column in _groups(connection, name, feed):
        if column in feed.key:
            continue
        query = f"""
            select string_agg("{column}", ', ' order by n desc), sum(n) - max(n), min(example)
            from (
                select "{column}", count(*) as n, {_FIRST} as example,
                    regexp_extract(lower("{column}"), '^[a-z]{{4,}}') as word
                from "{name}" where "{column}" is not null group by 1
            )
            where word <> '' group by word having count(*) between 2 and {_SPELLINGS}
            order by 2 desc limit 5"""  # noqa: S608
        for names, rows, example in _rows(connection, query):
            yield Fact(name, rows, f"{column} may be one name, spelt {names}", example)


def _implausible(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:
    """Numbers that stand apart from nearly all others of their column: sentinels, or wonders."""
    for column, declared in feed.columns.items():
        if declared.type not in ("integer", "number") or column in feed.key:
            continue
        query = f"""
            with q as (
                select quantile_cont("{column}", [0.001, 0.25, 0.75, 0.999]) as q from "{name}"
            )
            select count(*), any_value("{column}"), {_FIRST} from "{name}", q
            where "{column}" > q[4] + 3 * (q[4] - q[3]) or "{column}" < q[1] - 3 * (q[2] - q[1])"""  # noqa: S608
        rows, value, example = _rows(connection, query)[0]
        if rows:
            yield Fact(name, rows, f"{column} stands far apart, as {value:g}", example)


def _orphans(connection: Connection, spec: Spec) -> Iterator[Fact]:
    """Texts that name a row of another feed, and that it lacks; with where they lie together."""
    keyed = {name: feed.key[0] for name, feed in spec.feeds.items() if len(feed.key) == 1}
    for (name, feed), other in (
        (item, o) for item in spec.feeds.items() for o in keyed if o != item[0]
    ):
        for column, declared in feed.columns.items():
            if declared.type != "text" or declared.values:
                continue
            lost = f'"{column}" not in (select "{keyed[other]}" from "{other}")'  # noqa: S608
            total, rows, example = _rows(
                connection,
                f'select count("{column}"), count(*) filter ({lost}), {_FIRST} filter ({lost}) '  # noqa: S608
                f'from "{name}"',
            )[0]
            if not rows or rows > _FINDABLE * total:
                continue
            where = []
            for group in {column, *_groups(connection, name, feed)}:
                query = f"""
                    select "{group}", count(*) filter ({lost}) / count(*) as share from "{name}"
                    where "{column}" is not null and "{group}" is not null group by 1
                    having count(*) >= {_MIN_ROWS} and share > {_CONCENTRATED * rows / total}
                    order by share desc, count(*) desc limit 4"""  # noqa: S608
                if group != column or rows < total / 10:
                    where += [f"{group} {g} {s:.0%}" for g, s in _rows(connection, query)]
            most = f"; most of {', '.join(where)}" if where else ""
            text = f"{column} is not in {other}, {rows / total:.1%} of those that are told{most}"
            yield Fact(name, rows, text, example)
