"""A feed's contract as SQL: each value is typed strictly, and each breach has its sentence."""

from __future__ import annotations

from ratchet.spec.types import Column, Feed, Type

# How a type is written in a file, read in DuckDB, and called in a sentence. What DuckDB alone
# would let through (12.7 as an integer, nan, 1_000, a time without its zone) is not of the type.
_NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])"
_TYPES: dict[Type, tuple[str, str, str]] = {
    "text": (r"[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*", "{0}", "text without control characters"),
    "integer": ("[+-]?[0-9]+", "try_cast({0} as bigint)", "a whole number"),
    "number": (
        _NUMBER,
        "case when isfinite(try_cast({0} as double)) then try_cast({0} as double) end",
        "a finite number",
    ),
    "boolean": ("(?i)true|false", "try_cast({0} as boolean)", "true or false"),
    "date": (_DATE, "try_cast({0} as date)", "a date like 2013-03-01"),
    "timestamp": (
        f"{_DATE}[T ]{_TIME}",
        "try_cast({0} as timestamptz) at time zone 'UTC'",
        "a time with its zone like 2013-03-01T10:15:00Z",
    ),
}


def text_column(name: str) -> str:
    """Return the name under which `checked_sql` expects a column's text."""
    return f"_text_{name}"


def literal(text: str) -> str:
    """Quote text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def checked_sql(feed: Feed, relation: str) -> str:
    """Return a query that types every row of `relation` and lists its breaches.

    Parameters
    ----------
    feed
        The contract.
    relation
        Table with `_file`, `_row`, `_sha256`, `_is_corrected` and each column's text, named by
        `text_column`.

    Returns
    -------
    str
        The same columns, those of the feed typed (NULL where missing or
        wrong), and `_reasons`: a list with one sentence per breach, empty if there is none. Of
        rows that share a key, those after the first one without a breach have one more.
    """
    texts = ", ".join(
        f"nullif(nullif({text_column(name)}, ''), 'NA') as {text_column(name)}"
        for name in feed.columns
    )
    typed = ", ".join(
        f'{_typed(name, column)} as "{name}"' for name, column in feed.columns.items()
    )
    breaches = ", ".join(_breach(name, column) for name, column in feed.columns.items())
    key = ", ".join(f'"{name}"' for name in feed.key)
    return f"""
        with texts as (select _file, _row, _sha256, _is_corrected, {texts} from {relation}),
        typed as (select *, {typed} from texts),
        breached as (
            select *, list_filter([{breaches}], lambda reason: reason is not null) as _breaches
            from typed
        ),
        first_of_many as (
            select {key}, min((_file, _row)) filter (_breaches = []) as _first
            from breached group by {key} having count(*) > 1
        )
        select
            * exclude (_breaches, _first),
            case when (_file, _row) > _first
                then list_append(
                    _breaches,
                    format('{", ".join(feed.key)}: repeats {{}} line {{}}', _first[1], _first[2])
                )
                else _breaches
            end as _reasons
        from breached left join first_of_many using ({key})"""  # noqa: S608


def _typed(name: str, column: Column) -> str:
    pattern, cast, _ = _TYPES[column.type]
    text = text_column(name)
    return f"case when regexp_full_match({text}, {literal(pattern)}) then {cast.format(text)} end"


def _breach(name: str, column: Column) -> str:
    """Return SQL for the sentence that says what is wrong with a column's value, or NULL."""
    text = text_column(name)
    cases = []

    def when(condition: str, sentence: str) -> None:
        cases.append(f"when {condition} then '{name}: ' || {sentence}")

    when(f"{text} is null", "null" if column.nullable else "'is missing'")
    when(f'"{name}" is null', f"{text} || ' is not {_TYPES[column.type][2]}'")
    if column.min is not None:
        when(f'"{name}" < {column.min!r}', f"{text} || ' is under {column.min:.15g}'")
    if column.max is not None:
        when(f'"{name}" > {column.max!r}', f"{text} || ' is over {column.max:.15g}'")
    if column.values is not None:
        allowed = ", ".join(map(literal, column.values))
        when(
            f"{text} not in ({allowed})",
            f"{text} || {literal(' is none of ' + ', '.join(column.values))}",
        )
    return f"case {' '.join(cases)} end"
