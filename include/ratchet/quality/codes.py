"""Codes: values replaced by others, or swapped, which leaves every total as it was."""

from __future__ import annotations

from itertools import combinations

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import rare_count

CHECK = "code_swap"
MIN_SWAPPED = 10  # rows of one code under another: fewer are single errors
MIN_SEEN = 3  # rows of a context in the past: then it says which code to expect
_KNOWN, _PURE = 0.5, 0.9  # of the rows have a context, and its usual code: it tells the code
_CONTEXTS = 2  # the best are asked: where one is silent, the other may know
_CLUMPING = 10.0  # variance over mean of such rows in a window: a renumbering moves many at once


def code_swap(rows: FeedRows) -> list[Finding]:
    """Find codes that stand where the past had another one.

    For each column with few codes, the one or two other columns that tell it best, as a tail
    number its airline, say which code to expect. Rows that have another one are counted by pair.
    """
    columns = rows.feed.columns
    tellers = [name for name in columns if columns[name].type in ("text", "integer")]
    findings: dict[str, Finding] = {}
    for column in rows.groups:
        others = [name for name in tellers if name != column]
        contexts = [(name,) for name in others] + list(combinations(others, 2))
        told = sorted(((_telling(rows, column, c), c) for c in contexts), reverse=True)
        for share, context in told[:_CONTEXTS]:
            if share >= _KNOWN * _PURE:
                for finding in _swapped(rows, column, context):
                    findings.setdefault(finding.name, finding)
    return list(findings.values())


def _telling(rows: FeedRows, column: str, context: tuple[str, ...]) -> float:
    """Return the share of past rows whose code their context tells, 0 if it tells few."""
    by = ", ".join(f'"{name}"' for name in context)
    known, pure = rows.ask(
        f"""
        select sum(n) filter (n >= {MIN_SEEN}) / sum(n), sum(most) filter (n >= {MIN_SEEN}) / sum(n)
        from (
            select sum(n) as n, max(n) as most
            from (
                select {by}, "{column}", count(*) as n from rows
                where not _is_new and concat({by}) is not null group by all
            ) group by {by}
        )"""  # noqa: S608
    )[0]
    return float(pure) if known and known >= _KNOWN and pure / known >= _PURE else 0.0


def _swapped(rows: FeedRows, column: str, context: tuple[str, ...]) -> list[Finding]:
    by = ", ".join(f'"{name}"' for name in context)
    pairs = rows.ask(
        f"""
        with known as (
            select {by}, mode("{column}") as usual from rows where not _is_new
            group by all having count(*) >= {MIN_SEEN}
        )
        select
            usual, "{column}", count(*) filter (_is_new), count(*) filter (not _is_new),
            min(rows.rowid) filter (_is_new)
        from rows join known using ({by}) where usual <> "{column}"
        group by 1, 2 having count(*) filter (_is_new) >= {MIN_SWAPPED} order by 1, 2"""  # noqa: S608
    )
    total = rows.ask("select count(*) from rows where not _is_new")[0][0]
    findings = []
    for usual, code, new, past, first in pairs:
        expected = past * rows.new / total
        levels = len(rows.groups) * 100  # pairs that could have been swapped, about
        if rare_count(new, expected, _CLUMPING) < rows.quality.false_discovery_rate / levels:
            text = (
                f"{new:,} rows have {column} {code} where {' and '.join(context)} had {usual} in "
                f"the past ({expected:.1f} would be usual); first {rows.place(first)}; {rows.ender}"
            )
            findings.append(
                rows.finding(
                    CHECK,
                    text,
                    column=column,
                    segment=f"{usual}->{code}",
                    broken=new,
                    observed=new,
                    expected=expected,
                )
            )
    return findings
