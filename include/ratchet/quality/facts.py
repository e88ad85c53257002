"""What is odd in the data that landed, found without being told what to look for.

Not faults by themselves, and nothing is blocked by them: what a data engineer would want to know
before building on the feeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

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
_RARE = 0.02  # of all: a level this rare in a reference is an oddity there, or an error
_APART = 3.0  # times as large or as small in the middle: another kind of thing
_CLOCK_LEVELS = 100  # a number that never ends in 60 to 99 by chance has fewer values than that
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
            for detect in (_refused, _missing, _key, _constant, _spellings, _implausible, _clocks):
                facts += detect(connection, name, feed)
        for reference in _references(connection, spec):
            facts += _orphans(connection, spec, reference)
            facts += _rare_kinds(connection, spec, reference)
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
        for group in _groups(connection, name, feed) if missing >= _MIN_ROWS else ():
            query = f"""
                select "{group}", count(*) filter ({gone}) / count(*) as share from "{name}"
                where "{group}" is not null group by 1
                having count(*) >= {_MIN_ROWS}
                    and share >= least({_CONCENTRATED * missing / total}, {_NEARLY_ALL})
                    and share > {_NOTABLE * missing / total}
                order by share desc limit 3"""  # noqa: S608
            where += [f"{group} {g} {s:.0%}" for g, s in _rows(connection, query)]
        for other, declared in feed.columns.items() if missing >= _MIN_ROWS else ():
            if declared.type in ("integer", "number") and other != column:
                here, there = _rows(
                    connection,
                    f'select avg(("{other}" > 0)::int) filter ({gone}), '  # noqa: S608
                    f'avg(("{other}" > 0)::int) filter (not {gone}) from "{name}"',
                )[0]
                if here and there and here > _CONCENTRATED * there:
                    where.append(f"{other} above 0 in {here:.0%} of them, else in {there:.0%}")
        most = f"; most in {', '.join(where)}" if where else ""
        yield Fact(
            name, missing, f"{column} is missing in {100 * missing / total:.3g} %{most}", example
        )


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
    """Texts that begin with another one, whole, without case and punctuation."""
    for column in _groups(connection, name, feed):
        if column in feed.key:
            continue
        query = f"""
            select string_agg("{column}", ', ' order by n desc, "{column}"), sum(n) - max(n),
                min(example)
            from (
                select *, min_by(plain, length(plain)) over (partition by word) as shortest
                from (
                    select "{column}", count(*) as n, {_FIRST} as example,
                        trim(regexp_replace(lower("{column}"), '[^a-z0-9]+', ' ', 'g')) as plain,
                        regexp_extract(plain, '^[a-z]{{4,}}') as word
                    from "{name}" where "{column}" is not null group by 1
                )
            )
            where word <> '' group by word, shortest
            having count(*) between 2 and {_SPELLINGS}
                and bool_and(starts_with(plain || ' ', shortest || ' '))
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


def _clocks(connection: Connection, name: str, feed: Feed) -> Iterator[Fact]:
    """Clock values, as hours and minutes in one number, that no clock shows."""
    for column in [c for c, declared in feed.columns.items() if declared.type == "integer"]:
        wrong = f'"{column}" not between 0 and 2359 or "{column}" % 100 > 59'
        total, levels, rows, values, example = _rows(
            connection,
            f'select count("{column}"), count(distinct "{column}"), count(*) filter ({wrong}), '  # noqa: S608
            f'list(distinct "{column}" order by "{column}") filter ({wrong}), '
            f'{_FIRST} filter ({wrong}) from "{name}"',
        )[0]
        if levels > _CLOCK_LEVELS and 0 < rows < _RARE * total:
            said = ", ".join(str(value) for value in values[:_SPELLINGS])
            yield Fact(
                name, rows, f"{column} is a clock in all other rows, and says {said}", example
            )


class _Reference(NamedTuple):
    """A column whose texts name rows of another feed: how many do, and how many find none."""

    name: str
    column: str
    other: str
    key: str
    rows: int
    lost: int
    example: str


def _references(connection: Connection, spec: Spec) -> list[_Reference]:
    keyed = {name: feed.key[0] for name, feed in spec.feeds.items() if len(feed.key) == 1}
    found = []
    for (name, feed), other in (
        (item, o) for item in spec.feeds.items() for o in keyed if o != item[0]
    ):
        for column, declared in feed.columns.items():
            if declared.type != "text" or declared.values:
                continue
            lost = f'"{column}" not in (select "{keyed[other]}" from "{other}")'  # noqa: S608
            counts = _rows(
                connection,
                f'select count("{column}"), count(*) filter ({lost}), {_FIRST} filter ({lost}) '  # noqa: S608
                f'from "{name}"',
            )[0]
            if counts[0] and counts[1] <= _FINDABLE * counts[0]:
                found.append(_Reference(name, column, other, keyed[other], *counts))
    return found


def _orphans(connection: Connection, spec: Spec, reference: _Reference) -> Iterator[Fact]:
    """Texts that name a row of another feed, and that it lacks; with where they lie together."""
    name, column, other, key, total, rows, example = reference
    if not rows:
        return
    lost = f'"{column}" not in (select "{key}" from "{other}")'  # noqa: S608
    groups = _groups(connection, name, spec.feeds[name])
    if rows >= total / 10:
        groups = [group for group in groups if group != column]
    elif column not in groups:
        groups.append(column)
    most = _most(connection, name, groups, f'"{column}" is not null', lost, rows / total)
    text = f"{column} is not in {other}, {rows / total:.1%} of those that are told{most}"
    yield Fact(name, rows, text, example)


def _most(
    connection: Connection, name: str, groups: list[str], counted: str, hit: str, overall: float
) -> str:
    """Return in which groups the share of hits is far above the overall one, as text."""
    where = []
    for group in groups:
        query = f"""
            select "{group}", count(*) filter ({hit}) / count(*) as share from "{name}"
            where {counted} and "{group}" is not null group by 1
            having count(*) >= {_MIN_ROWS} and share > {max(_CONCENTRATED * overall, _RARE)}
            order by share desc, count(*) desc limit 4"""  # noqa: S608
        where += [f"{group} {g} {s:.0%}" for g, s in _rows(connection, query)]
    return f"; most of {', '.join(where)}" if where else ""


def _rare_kinds(connection: Connection, spec: Spec, reference: _Reference) -> Iterator[Fact]:
    """Rows that name one of a kind that next to nothing in the other feed is, and few name.

    Where a column has many levels, rare ones are usual. So together they must be rare, too.
    """
    name, column, other, key = reference[:4]
    columns = spec.feeds[other].columns
    connection.execute(f"""
        create or replace temp table named as
        select o.*, f.uses from "{other}" as o
        left join (
            select "{column}" as named, count(*) as uses from "{name}" group by 1
        ) as f on named = "{key}"
        """)  # noqa: S608
    for kind in [c for c, declared in columns.items() if declared.type in ("text", "integer")]:
        levels = _rows(
            connection,
            f"""
            select "{kind}", sum(uses)::bigint, count(*) / sum(count(*)) over (),
                sum(uses) / sum(sum(uses)) over ()
            from named where "{kind}" is not null group by 1 order by 2 desc nulls last, 1""",  # noqa: S608
        )
        rare = [
            (level, uses) for level, uses, held, used in levels if uses and max(held, used) < _RARE
        ]
        rows, total = sum(u for _, u in rare), sum(uses or 0 for _, uses, *_ in levels)
        if kind == key or not 0 < rows < _RARE * total:
            continue
        said = ", ".join(f"{level} in {uses:,}" for level, uses in rare[:_SPELLINGS])
        marked = ", ".join("'" + str(level).replace("'", "''") + "'" for level, _ in rare)
        is_rare = f'coalesce("{kind}"::varchar in ({marked}), false)'
        for number, declared in columns.items():
            if declared.type not in ("integer", "number") or number == kind:
                continue
            here, there = _rows(
                connection,
                f'select median("{number}") filter ({is_rare}), '  # noqa: S608
                f'median("{number}") filter (not {is_rare}) from named where uses > 0',
            )[0]
            if here and there and not 1 / _APART < here / there < _APART:
                said += f"; their {number} is {here:g} in the middle, else {there:g}"
        hit = f'"{column}" in (select "{key}" from named where {is_rare})'  # noqa: S608
        counted = f'"{column}" in (select "{key}" from named)'  # noqa: S608
        groups = [g for g in _groups(connection, name, spec.feeds[name]) if g != column]
        most = _most(connection, name, groups, counted, hit, rows / total)
        example = _rows(connection, f'select {_FIRST} from "{name}" where {hit}')[0][0]  # noqa: S608
        text = f"{column} names {other} of a rare {kind}: {said}{most}"
        yield Fact(name, rows, text, example)
