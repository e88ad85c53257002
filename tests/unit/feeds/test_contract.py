"""A value is of its type or it is not, and each breach of a contract has its sentence."""

from datetime import date, datetime
from typing import Any

import duckdb
import pytest

from ratchet.feeds.contract import checked_sql, text_column
from ratchet.spec.types import Active, Column, Feed

naive = datetime.fromisoformat


def make_feed(**columns: dict[str, Any]) -> Feed:
    return Feed(
        producer="Gate desks",
        description="One row per gate.",
        files="daily",
        active=Active(start=date(2013, 3, 1)),
        key=("gate",),
        max_quarantined_share=0.1,
        columns={
            "gate": Column(type="text", description="Name."),
            **{name: Column(description=name, **column) for name, column in columns.items()},
        },
    )


def check(feed: Feed, *rows: dict[str, str]) -> list[dict[str, Any]]:
    """Check rows, each given by the texts that are not empty."""
    names = ["_file", "_row", "_sha256", "_is_corrected", *map(text_column, feed.columns)]
    with duckdb.connect() as connection:
        texts = ", ".join(f"{text_column(name)} varchar" for name in feed.columns)
        connection.execute(
            "create table read "
            f"(_file varchar, _row bigint, _sha256 varchar, _is_corrected boolean, {texts})"
        )
        for number, row in enumerate(rows, start=2):
            texts = (row.get(c, "") for c in feed.columns)
            values = ["gates_20130301.csv", number, "sha", False, *texts]
            connection.execute(f"insert into read values ({', '.join('?' * len(names))})", values)
        result = connection.execute(f"{checked_sql(feed, 'read')} order by _row")
        columns = [column[0] for column in result.description]
        return [dict(zip(columns, values, strict=True)) for values in result.fetchall()]


def check_value(column: dict[str, Any], text: str) -> tuple[Any, list[str]]:
    row = check(make_feed(value=column), {"gate": "A1", "value": text})[0]
    return row["value"], row["_reasons"]


@pytest.mark.parametrize(
    "kind, text, value",
    [
        ("text", " Zürich, HB ", " Zürich, HB "),
        ("integer", "12", 12),
        ("integer", "-007", -7),
        ("integer", "9223372036854775807", 9223372036854775807),
        ("number", "12.75", 12.75),
        ("number", "-1e3", -1000.0),
        ("number", ".5", 0.5),
        ("number", "10.357019999999999", 10.357019999999999),
        ("boolean", "True", True),
        ("boolean", "false", False),
        ("date", "2012-02-29", date(2012, 2, 29)),
        ("timestamp", "2013-03-10T07:30:00Z", naive("2013-03-10T07:30:00")),
        ("timestamp", "2013-03-10 02:30:00-05:00", naive("2013-03-10T07:30:00")),
        ("timestamp", "2013-03-01T00:00:00.250+0530", naive("2013-02-28T18:30:00.250000")),
    ],
)
def test_checked_sql_value_of_type_is_accepted(kind: str, text: str, value: object) -> None:
    assert check_value({"type": kind}, text) == (value, [])


@pytest.mark.parametrize(
    "kind, text",
    [
        *(("integer", text) for text in ["12.7", "12.0", "1e3", "1_000", "0x1f", " 12", "½", "١٢"]),
        *(("integer", text) for text in ["9223372036854775808", "nan", "--1", "12\n"]),
        *(
            ("number", text)
            for text in ["NaN", "inf", "-Infinity", "1e999", "-1e999", "1,5", "1_0"]
        ),
        *(("number", text) for text in [".", "1e", "1_0", "12 mph", "0x1f"]),
        *(("boolean", text) for text in ["1", "yes", "t"]),
        *(("date", text) for text in ["2013-02-29", "2013-3-1", "01/03/2013", "infinity"]),
        *(("date", text) for text in ["2013-03-01T00:00:00Z", "epoch"]),
        *(("timestamp", text) for text in ["2013-03-01T10:15:00", "2013-03-01", "now", "infinity"]),
        *(("timestamp", text) for text in ["2013-03-01T25:00:00Z", "2013-03-01T10:15:00 CET"]),
        *(("timestamp", text) for text in ["2013-03-01T00:00:00+99:99", "0000-00-00T00:00:00Z"]),
    ],
)
def test_checked_sql_value_of_other_type_is_a_breach(kind: str, text: str) -> None:
    value, reasons = check_value({"type": kind}, text)
    assert value is None
    assert len(reasons) == 1
    assert reasons[0].startswith(f"value: {text} is not a") or "is not true or false" in reasons[0]


@pytest.mark.parametrize("text", ["", "NA"])
@pytest.mark.parametrize("kind", ["text", "integer", "number", "boolean", "date", "timestamp"])
def test_checked_sql_missing_value_is_a_breach_unless_nullable(kind: str, text: str) -> None:
    assert check_value({"type": kind}, text) == (None, ["value: is missing"])
    assert check_value({"type": kind, "nullable": True}, text) == (None, [])


@pytest.mark.parametrize(
    "column, text, reasons",
    [
        ({"type": "number", "max": 253}, "253", []),
        ({"type": "number", "max": 253}, "1048.36", ["value: 1048.36 is over 253"]),
        ({"type": "number", "min": -40.5}, "-40.5", []),
        ({"type": "number", "min": -40.5}, "-41", ["value: -41 is under -40.5"]),
        ({"type": "integer", "min": 1, "max": 9999}, "0", ["value: 0 is under 1"]),
        ({"type": "integer", "max": 1e7}, "10000001", ["value: 10000001 is over 10000000"]),
        ({"type": "text", "values": ("EWR", "O'Hare")}, "O'Hare", []),
        (
            {"type": "text", "values": ("EWR", "O'Hare")},
            "ewr",
            ["value: ewr is none of EWR, O'Hare"],
        ),
    ],
)
def test_checked_sql_value_out_of_bounds_is_a_breach(
    column: dict[str, Any], text: str, reasons: list[str]
) -> None:
    assert check_value(column, text)[1] == reasons


def test_checked_sql_row_lists_all_breaches() -> None:
    feed = make_feed(size={"type": "integer"}, opened={"type": "date"})
    row = check(feed, {"size": "big", "opened": "soon"})[0]
    assert row["_reasons"] == [
        "gate: is missing",
        "size: big is not a whole number",
        "opened: soon is not a date like 2013-03-01",
    ]


def test_checked_sql_repeated_key_is_a_breach_after_first_sound_row() -> None:
    feed = make_feed(size={"type": "integer"})
    rows = [("A1", "big"), ("A1", "1"), ("B2", "1"), ("A1", "2"), ("A1", "big"), ("A1", "3")]
    checked = check(feed, *({"gate": gate, "size": size} for gate, size in rows))
    repeats = "gate: repeats gates_20130301.csv line 3"
    wrong = "size: big is not a whole number"
    both = [wrong, repeats]
    assert [row["_reasons"] for row in checked] == [[wrong], [], [], [repeats], both, [repeats]]


def test_checked_sql_row_with_an_unreadable_key_repeats_nothing() -> None:
    feed = make_feed(size={"type": "integer"})
    checked = check(feed, {"gate": "A1", "size": "1"}, {"size": "1"}, {"size": "2"})
    assert [row["_reasons"] for row in checked] == [[], *[["gate: is missing"]] * 2]


@pytest.mark.parametrize("text", ["\x07", "A\x1b[0m", "\x7f"])
def test_checked_sql_control_character_is_no_text(text: str) -> None:
    reason = f"value: {text} is not text without control characters"
    assert check_value({"type": "text"}, text) == (None, [reason])


def test_checked_sql_tab_and_line_end_are_text() -> None:
    assert check_value({"type": "text"}, "a\tb\r\nc") == ("a\tb\r\nc", [])


def test_checked_sql_keys_are_compared_by_value() -> None:
    feed = make_feed(at={"type": "timestamp"}).model_copy(update={"key": ("at",)})
    rows = [
        {"gate": "A1", "at": at} for at in ("2013-03-01T00:00:00Z", "2013-03-01 01:00:00+01:00")
    ]
    assert check(feed, *rows)[1]["_reasons"] == ["at: repeats gates_20130301.csv line 2"]


def test_checked_sql_columns_named_like_keywords_work() -> None:
    feed = make_feed(order={"type": "integer"}, group={"type": "text"}, file={"type": "text"})
    row = check(feed, {"gate": "A1", "order": "1", "group": "x", "file": "y"})[0]
    assert (row["order"], row["group"], row["file"], row["_reasons"]) == (1, "x", "y", [])
