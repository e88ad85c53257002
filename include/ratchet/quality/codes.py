"""Codes: values replaced by others, or swapped, which leaves every total as it was."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ratchet.quality.finding import Finding
from ratchet.quality.rows import FeedRows
from ratchet.quality.tails import rare_count

CHECK = "code_swap"
MIN_SWAPPED = 10  # rows of one code under another: fewer are single errors
MIN_MOVED = 5  # contexts of such rows: fewer were moved, as a flight to another airport
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
    codes = _known_codes(rows, tellers)
    told: dict[str, list[tuple[float, tuple[str, ...]]]] = {name: [] for name in rows.groups}
    for context in [*((name,) for name in tellers), *combinations(tellers, 2)]:
        open_to = [name for name in rows.groups if name not in context]
        for column, share in _telling(codes, context, open_to).items():
            told[column].append((share, context))
    for column, contexts in told.items():
        for share, context in sorted(contexts, reverse=True)[:_CONTEXTS]:
            if share >= _KNOWN * _PURE:
                for finding in _swapped(rows, column, context):
                    findings.setdefault(finding.name, finding)
    return list(findings.values())


def _known_codes(rows: FeedRows, names: list[str]) -> dict[str, NDArray[np.int64]]:
    """Return the past's values of columns as numbers from 0; a missing value is one of its own."""
    listed = ", ".join(f'"{name}"' for name in names)
    past = rows.connection.execute(f"select {listed} from rows where not _is_new")  # noqa: S608
    table = past.to_arrow_table()
    return {name: pd.factorize(table[name].to_pandas(), use_na_sentinel=False)[0] for name in names}


def _telling(
    codes: dict[str, NDArray[np.int64]], context: tuple[str, ...], columns: list[str]
) -> dict[str, float]:
    """Return for columns the share of past rows whose code the context tells, 0 if it tells few."""
    joint = codes[context[0]]
    for name in context[1:]:
        joint = pd.factorize(joint * (codes[name].max() + 1) + codes[name])[0]
    sizes = np.bincount(joint)
    seen = sizes >= MIN_SEEN
    known = sizes[seen].sum() / joint.size
    shares = {}
    for column in columns:
        levels = int(codes[column].max()) + 1
        table = np.bincount(joint * levels + codes[column], minlength=sizes.size * levels)
        pure = table.reshape(-1, levels).max(axis=1)[seen].sum() / joint.size
        shares[column] = float(pure) if known >= _KNOWN and pure / known >= _PURE else 0.0
    return shares


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
        group by 1, 2
        having count(*) filter (_is_new) >= {MIN_SWAPPED}
            and count(distinct row({by})) filter (_is_new) >= {MIN_MOVED}
        order by 1, 2"""  # noqa: S608
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
