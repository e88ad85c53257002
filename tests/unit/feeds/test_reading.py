"""Every line of a broken file is a row or a bad line, and a hopeless file says what is wrong."""

import gzip
import io
import random
import zipfile

import pytest

from ratchet.errors import FeedError
from ratchet.feeds import reading
from ratchet.feeds.reading import Sheet
from ratchet.spec.types import Column

COLUMNS = {
    "gate": Column(type="text", description="Name."),
    "note": Column(type="text", description="Remark."),
}
MAX_BYTES = 10 * reading.MB


def read_sheet(name: str, content: bytes, max_bytes: int = MAX_BYTES) -> Sheet:
    return reading.read_sheet(name, content, COLUMNS, max_bytes)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, "gate,note\n1,a\n" * 50)
    return buffer.getvalue()


def zip_one(content: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("any.csv", content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content, rows",
    [
        pytest.param(b"gate,note\n1,a\n2,b\n", {2: ["1", "a"], 3: ["2", "b"]}, id="plain"),
        pytest.param(b"gate,note\r\n1,a\r\n2,b\r\n", {2: ["1", "a"], 3: ["2", "b"]}, id="crlf"),
        pytest.param(b"gate,note\r1,a\r2,b", {2: ["1", "a"], 3: ["2", "b"]}, id="cr"),
        pytest.param(b"\xef\xbb\xbfgate,note\n1,a\n", {2: ["1", "a"]}, id="bom"),
        pytest.param(b'"gate","note"\n1,"a, ""b"""\n', {2: ["1", 'a, "b"']}, id="quoted"),
        pytest.param(
            b'gate,note\n1,"two\nlines"\n2,b\n',
            {2: ["1", "two\nlines"], 4: ["2", "b"]},
            id="newline",
        ),
        pytest.param(b"gate,note\n\n1,a\n\n\n2,b\n\n", {3: ["1", "a"], 6: ["2", "b"]}, id="blank"),
        pytest.param(
            "gate,note\n1,Köln\u2028\x85\x0c\n2,b\n".encode(),
            {2: ["1", "Köln\u2028\x85\x0c"], 3: ["2", "b"]},
            id="unicode",
        ),
        pytest.param(b"gate,note\n,\n", {2: ["", ""]}, id="empty values"),
    ],
)
def test_read_sheet_sound_file_keeps_every_row(content: bytes, rows: dict[int, list[str]]) -> None:
    sheet = read_sheet("gates_20130301.csv", content)
    assert dict(zip(sheet.numbers, sheet.rows, strict=True)) == rows
    assert sheet.bad_lines == []


@pytest.mark.parametrize(
    "bad, reason",
    [
        (b"1", "1 fields where the header has 2"),
        (b"1,a,b", "3 fields where the header has 2"),
        (b'1,"a"b', "expected after"),
        (b'1,"a', "expected after"),
        (b'1,"' + b"a" * 200_000 + b'"', "field larger than field limit"),
        (b"1,a\0b", "NUL byte"),
        (b"1,K\xf6ln", "not UTF-8"),
        (b"1,\xed\xb2\x80", "not UTF-8"),
    ],
    ids=["short", "long", "quote", "open quote", "huge", "nul", "latin-1", "surrogate"],
)
@pytest.mark.parametrize("count", [1, 3])
def test_read_sheet_bad_lines_cost_only_themselves(bad: bytes, reason: str, count: int) -> None:
    content = b"gate,note\n0,a\n" + (bad + b"\n") * count + b'7,"b"\n8,c\n'
    sheet = read_sheet("gates_20130301.csv", content)
    assert sheet.rows == [["0", "a"], ["7", "b"], ["8", "c"]]
    assert sheet.numbers == [2, 3 + count, 4 + count]
    assert [line.number for line in sheet.bad_lines] == list(range(3, 3 + count))
    assert all(reason in line.reasons[0] for line in sheet.bad_lines)


def test_read_sheet_bad_line_shows_its_text() -> None:
    sheet = read_sheet("gates_20130301.csv", b"gate,note\r\n1,K\xf6ln\r\n")
    assert sheet.bad_lines[0].text == r"1,K\xf6ln"


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".zip"])
def test_read_sheet_damaged_anywhere_raises_or_accounts_for_lines(ending: str) -> None:
    rows = b"".join(b'%d,"%d"\n' % (number, number) for number in range(40))
    pack = {".csv": bytes, ".csv.gz": gzip.compress, ".zip": zip_one}[ending]
    whole = pack(b"gate,note\n" + rows)
    dice = random.Random(2013)
    seen = set()
    for _ in range(2_000):
        damaged = bytearray(whole)
        for _ in range(dice.choice([1, 1, 4])):
            damaged[dice.randrange(len(damaged))] = dice.choice([dice.randrange(256), *b'",\n\0'])
        try:
            sheet = read_sheet(f"gates_20130301{ending}", bytes(damaged))
        except FeedError:
            seen.add("refused")
            continue
        seen.add("read")
        numbers = [*sheet.numbers, *(line.number for line in sheet.bad_lines)]
        assert len(set(numbers)) == len(numbers) == len(sheet.rows) + len(sheet.bad_lines)
        "".join(value for row in sheet.rows for value in row).encode()
    assert seen == {"refused", "read"}


def test_read_sheet_many_bad_lines_takes_linear_time() -> None:
    bad, good = 100_000, 20_000
    content = b"gate,note\n" + b'1,"a"b\n' * bad + b'1,"open\n' + b"2,b\n" * good
    sheet = read_sheet("gates_20130301.csv", content)
    assert (len(sheet.bad_lines), len(sheet.rows)) == (bad + 1, good)
    assert sheet.bad_lines[-1].reasons == ("the line is not CSV: unexpected end of data",)


def test_read_sheet_other_order_of_columns_is_named_by_header() -> None:
    assert read_sheet("gates_20130301.csv", b"note,gate\na,1\n").header == ["note", "gate"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("gates_20130301.csv.gz", gzip.compress(b"gate,note\n" + b"1,a\n" * 99)),
        ("gates_20130301.zip", zipped("any.csv")),
    ],
)
def test_read_sheet_packed_file_is_unpacked(name: str, content: bytes) -> None:
    assert len(read_sheet(name, content).rows) == 99


@pytest.mark.parametrize(
    "name, content, reason",
    [
        (".csv", b"", "it is empty"),
        (".csv", b"\n\n", "its first line, the header, is empty"),
        (".csv", b"gate,note\n", "it has a header and no rows"),
        (".csv", b"gate,note\n\n", "it has a header and no rows"),
        (".csv", b"gate\n1\n", "its header lacks note"),
        (".csv", b"gate,note,colour\n1,a,red\n", "the spec does not know colour; add it to"),
        (".csv", b"gate;note\n1;a\n", "its fields are parted by ';'; part them by commas"),
        (".csv", b"gate\tnote\n1\ta\n", r"its fields are parted by '\\t'; part"),
        (".csv", b"gate,note,note\n1,a,b\n", "its header names a column twice"),
        (".csv", b'gate,"note\n1,a\n', "its header is not CSV"),
        (".csv", b"gate,n\xf6te\n1,a\n", r"its header is not UTF-8: .*n.*xf6te.*; save the file"),
        (".csv", "gate,note\n1,a\n".encode("utf-16-le"), "its header is not UTF-8: .*; save"),
        (".csv", "gate,note\n1,a\n".encode("utf-32"), "it is UTF-32; save it as UTF-8"),
        (".csv", zipped("any.csv"), "it is a zip archive or an Excel workbook; name it .zip"),
        (".csv", gzip.compress(b"gate,note\n1,a\n"), "it is packed with gzip; name it .csv.gz"),
        (".csv", b"<!DOCTYPE html><title>502", "it is HTML or XML, as an error page is; send"),
        (".csv", b'[{"gate": 1}]', "it is JSON; save it as CSV"),
        (".csv", "gate,note\n1,a\n".encode("utf-16"), "it is UTF-16; save it as UTF-8"),
        (".csv.gz", gzip.compress(b"gate,note\n1,a\n")[:-9], "damaged or cut off"),
        (".csv.gz", b"gate,note\n1,a\n", "damaged or cut off"),
        (".csv.gz", b"", "it is empty"),
        (".zip", zipped("any.csv")[:-30], "damaged or cut off"),
        (".zip", zipped("any.csv")[:40], "damaged or cut off"),
        (".zip", b"", "it is empty"),
        (".zip", zipped("a.csv", "b.csv"), "it must hold one .csv, and holds 2"),
        (
            ".zip",
            zip_one(b"gate,note\n1,a\n", zipfile.ZIP_BZIP2),
            "packed by a rare method; pack it",
        ),
        (
            ".zip",
            zip_one(b"gate,note\n1,a\n", zipfile.ZIP_LZMA),
            "packed by a rare method; pack it",
        ),
        (".zip", zipped("a.txt"), "it must hold one .csv, and holds 0"),
    ],
)
def test_read_sheet_hopeless_file_raises(name: str, content: bytes, reason: str) -> None:
    with pytest.raises(FeedError, match=reason):
        read_sheet(f"gates_20130301{name}", content)
