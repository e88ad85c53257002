"""200 real files, each damaged in some way: refused or quarantined by name, and nothing is lost."""

import gzip
import hashlib
import io
import json
import random
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from ratchet.errors import FeedError
from ratchet.feeds import FeedLanding, Refusal, land, read_landings, read_quarantine
from ratchet.feeds.reading import MB, read_sheet
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

FILES = 200
FIRST_DAY = date(2013, 1, 2)
START = datetime(2013, 1, 2, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(days=FILES))

Damage = Callable[[bytes, random.Random], bytes]


def cut(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(1, len(content))]


def flip_bits(content: bytes, dice: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(dice.choice([1, 8, 64])):
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    return bytes(damaged)


def insert(*texts: bytes) -> Damage:
    """Put one of some texts into the middle of a line that is no header, or of several."""

    def damage(content: bytes, dice: random.Random) -> bytes:
        header, *lines = content.split(b"\n")
        for _ in range(dice.choice([1, 5])):
            at = dice.randrange(len(lines) - 1)
            place = dice.randrange(1, len(lines[at]))
            lines[at] = lines[at][:place] + dice.choice(texts) + lines[at][place:]
        return b"\n".join([header, *lines])

    return damage


def replace_values(column: int, *texts: bytes) -> Damage:
    """Give some rows another value of one column."""

    def damage(content: bytes, dice: random.Random) -> bytes:
        header, *lines = content.split(b"\n")
        for at in dice.sample(range(len(lines) - 1), 3):
            values = lines[at].split(b",")
            values[column] = dice.choice(texts)
            lines[at] = b",".join(values)
        return b"\n".join([header, *lines])

    return damage


def each_line(change: Callable[[list[bytes]], list[bytes]], *, header: bool = True) -> Damage:
    """Change the fields of all lines, with those of the header or without."""

    def damage(content: bytes, _: random.Random) -> bytes:
        first, *lines = content.splitlines()
        changed = [b",".join(change(line.split(b","))) for line in lines]
        first = b",".join(change(first.split(b","))) if header else first
        return b"\n".join([first, *changed, b""])

    return damage


def repeat_rows(content: bytes, dice: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    return content + b"".join(dice.sample(lines[1:], 5))


def mix_line_ends(content: bytes, dice: random.Random) -> bytes:
    lines = content.splitlines()
    ends = [b"\n", b"\r\n", b"\r", b"\n\n", b"\r\r"]
    mixed = [line + dice.choice(ends) for line in lines]
    mixed[dice.randrange(1, len(mixed))] += b"neither a row\n"
    return b"".join(mixed)


def header_only(content: bytes, _: random.Random) -> bytes:
    return content[: content.index(b"\n") + 1]


def rename_column(content: bytes, dice: random.Random) -> bytes:
    name = dice.choice(content[: content.index(b"\n")].split(b","))
    return content.replace(name, name[::-1], 1)


def another(content: bytes) -> Damage:
    return lambda _content, dice: content + str(dice.random()).encode()


def excel(content: bytes, _: random.Random) -> bytes:
    return zipped(content, "xl/worksheets/sheet1.xml")


def zipped(content: bytes, *names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def encrypted(content: bytes, _: random.Random) -> bytes:
    packed = bytearray(zipped(content, "weather.csv"))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(mark) + place] |= 1
    return bytes(packed)


def nested(content: bytes, _: random.Random) -> bytes:
    return zipped(zipped(content, "weather.csv"), "weather.zip")


def two_members(content: bytes, _: random.Random) -> bytes:
    return zipped(content, "one.csv", "two.csv")


def wrong_checksum(content: bytes, dice: random.Random) -> bytes:
    packed = bytearray(zipped(content, "weather.csv", method=zipfile.ZIP_STORED))
    packed[packed.index(content[:20]) + dice.randrange(len(content))] ^= 1
    return bytes(packed)


def cut_gzip(content: bytes, dice: random.Random) -> bytes:
    packed = gzip.compress(content)
    return packed[: dice.randrange(1, len(packed))]


def gzip_bomb(content: bytes, _: random.Random) -> bytes:
    return gzip.compress(content + b"0" * (2 * MB), 9)


def zip_bomb(content: bytes, _: random.Random) -> bytes:
    return zipped(content + b"0" * (2 * MB), "weather.csv")


CSV: dict[str, Damage] = {
    "byte flips in text": insert(b"\xff", b"\xc3", b"\xe4"),
    "NUL": insert(b"\0"),
    "control characters": replace_values(0, b"EWR\x07", b"\x1b[31mJFK"),
    "UTF-16 with a mark": lambda content, _: content.decode().encode("utf-16"),
    "UTF-16 without one": lambda content, _: content.decode().encode("utf-16-le"),
    "UTF-32": lambda content, _: content.decode().encode("utf-32"),
    "Latin-1": insert("é".encode("latin-1"), "ü".encode("latin-1")),
    "BOM, then a wrong value": lambda c, d: b"\xef\xbb\xbf" + replace_values(2, b"hot")(c, d),
    "mixed line ends": mix_line_ends,
    "open quotes": insert(b',"'),
    "quotes in values": insert(b'"'),
    "huge field": insert(b"9" * 200_000),
    "very long line": insert(b"," * 300_000),
    "extra delimiter": insert(b","),
    "lost field": each_line(lambda fields: fields[:-1], header=False),
    "extra column": each_line(lambda fields: [*fields, b"more"]),
    "missing column": each_line(lambda fields: fields[1:]),
    "renamed column": rename_column,
    "no header": lambda content, _: content[content.index(b"\n") + 1 :],
    "column twice": each_line(lambda fields: [*fields, fields[0]]),
    "other delimiter": lambda content, dice: content.replace(
        b",", dice.choice([b";", b"\t", b"|"])
    ),
    "empty": lambda _content, _: b"",
    "header only": header_only,
    "blank lines only": lambda _content, dice: b"\n" * dice.randrange(1, 100),
    "duplicated rows": repeat_rows,
    "HTML": another(b"<!DOCTYPE html><html><h1>502 Bad Gateway</h1></html>"),
    "JSON": another(b'{"error": "no such feed"}'),
    "Excel": excel,
    "no finite number": replace_values(2, b"1e999", b"NaN", b"inf", b"-Infinity"),
    "full-width digits": replace_values(2, "３９".encode(), "٣٩".encode(), "½".encode()),
    "decimal comma": replace_values(2, b'"39,02"'),
    "no such date": replace_values(1, b"2013-02-30T00:00:00Z", b"2013-01-01T25:00:00Z"),
    "other date format": replace_values(1, b"01/02/2013 05:00", b"2013-01-01T05:00:00"),
    "unknown code": replace_values(0, b"ewr", b"", b"LHR"),
    "out of range": replace_values(6, b"1048.36", b"-1"),
    "random bytes": lambda content, dice: dice.randbytes(len(content)),
}
PACKED: dict[str, tuple[str, Damage]] = {
    "gzip cut": (".csv.gz", cut_gzip),
    "gzip bomb": (".csv.gz", gzip_bomb),
    "no gzip": (".csv.gz", lambda content, _: content),
    "zip cut": (".zip", lambda content, dice: cut(zipped(content, "a.csv"), dice)),
    "zip bomb": (".zip", zip_bomb),
    "zip in a zip": (".zip", nested),
    "zip with two": (".zip", two_members),
    "zip with a password": (".zip", encrypted),
    "zip with a wrong checksum": (".zip", wrong_checksum),
}
# The rest may be right by itself: that it is not what was sent, only the producer can say.
CONTROLLED: dict[str, Damage] = {"cut anywhere": cut, "bit flips": flip_bits}
MISNAMED = (
    "weather_2013011.csv",
    "weather_20130230.csv",
    "wether_{day}.csv",
    "weather-{day}.csv",
    "weather_{day}.csv.bz2",
    "Weather_{day}.CSV",
    "weather_{day} (1).csv",
)


@dataclass
class Malformed:
    """What was sent instead of 200 real files of weather, and what became of it."""

    spec: Spec
    settings: Settings
    sent: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    misnamed: list[str] = field(default_factory=list)
    message: str = ""

    def send_all(self, inbox: Path) -> None:
        dice = random.Random(2013)
        kinds = [*CSV, *PACKED, *CONTROLLED, "misnamed"]
        for number in range(FILES):
            day = f"{FIRST_DAY + timedelta(days=number):%Y%m%d}"
            content = (inbox / "flights" / "weather" / f"weather_{day}.csv").read_bytes()
            self._send(kinds[number % len(kinds)], day, content, dice)

    def _send(self, kind: str, day: str, content: bytes, dice: random.Random) -> None:
        folder = self.settings.inbox / "flights" / "weather"
        folder.mkdir(parents=True, exist_ok=True)
        name = f"weather_{day}.csv"
        damaged = content
        if kind == "misnamed":
            name = MISNAMED[len(self.misnamed) % len(MISNAMED)].format(day=day)
            self.misnamed.append(name)
        elif kind in PACKED:
            ending, damage = PACKED[kind]
            name, damaged = f"weather_{day}{ending}", damage(content, dice)
        else:
            damaged = (CSV | CONTROLLED)[kind](content, dice)
        assert damaged != content or kind in ("misnamed", "no gzip"), kind
        (folder / name).write_bytes(damaged)
        if kind in CONTROLLED:
            said = {
                "sha256": hashlib.sha256(content).hexdigest(),
                "bytes": len(content),
                "rows": content.count(b"\n") - 1,
            }
            (folder / f"{name}.manifest.json").write_text(json.dumps(said))
        if kind != "misnamed":
            self.sent[name], self.kinds[name] = damaged, kind

    @property
    def landing(self) -> FeedLanding:
        return read_landings(self.spec, WINDOW, self.settings)[0]

    @property
    def refusals(self) -> list[Refusal]:
        return read_quarantine(self.spec, WINDOW, self.settings)


@pytest.fixture(scope="module")
def malformed(
    spec: Spec, flights_inbox: Path, tmp_path_factory: pytest.TempPathFactory
) -> Malformed:
    home = tmp_path_factory.mktemp("malformed")
    weather = spec.feeds["weather"].model_copy(update={"max_file_mb": 1})
    spec = spec.model_copy(update={"feeds": {"weather": weather}})
    told = Malformed(spec, Settings(home, home))
    told.send_all(flights_inbox)
    with pytest.raises(FeedError) as raised:
        land(spec, WINDOW, told.settings, "run")
    told.message = str(raised.value)
    return told


def test_malformed_files_are_200_of_many_kinds(malformed: Malformed) -> None:
    assert len(malformed.sent) + len(malformed.misnamed) == FILES
    assert len({*malformed.kinds.values(), *MISNAMED}) > 50
    assert set(malformed.kinds.values()) == {*CSV, *PACKED, *CONTROLLED}


def test_every_malformed_file_is_refused_or_has_rows_in_quarantine(malformed: Malformed) -> None:
    assert {file.name for file in malformed.landing.files} == set(malformed.sent)
    refused = {refusal.file for refusal in malformed.refusals}
    assert [name for name in malformed.sent if name not in refused] == []
    for file in malformed.landing.files:
        assert (file.verdict == "quarantined") == (file.reason is not None)
        if file.reason is not None:
            assert f"- {file.name}: {file.reason}; ask ASOS stations" in malformed.message
    read = {file.name for file in malformed.landing.files if file.verdict == "accepted"}
    assert 30 < len(read) < 120


def test_every_misnamed_file_is_named(malformed: Malformed) -> None:
    assert malformed.message.count(" is missing; ask ASOS stations") == len(malformed.misnamed)
    assert [name for name in malformed.misnamed if name not in malformed.message] == []


def test_every_malformed_file_is_kept_as_it_came(malformed: Malformed) -> None:
    folder = malformed.settings.lake("flights").landing("weather", WINDOW)
    for file in malformed.landing.files:
        assert file.raw(folder).read_bytes() == malformed.sent[file.name]


def test_every_line_of_a_file_that_was_read_is_in_one_place(malformed: Malformed) -> None:
    folder = malformed.settings.lake("flights").landing("weather", WINDOW)
    accepted = duckdb.sql(f"select _file, _row from read_parquet('{folder}/accepted.parquet')")
    places: dict[str, list[tuple[int, int]]] = {}
    for name, row in accepted.fetchall():
        places.setdefault(name, []).append((row, 1))
    for refusal in malformed.refusals:
        if refusal.row is not None:
            texts = refusal.raw.values() if isinstance(refusal.raw, dict) else [refusal.raw]
            ends = sum(len(re.findall("\r\n|\r|\n", text)) for text in texts if text)
            places.setdefault(refusal.file, []).append((refusal.row, 1 + ends))
    read = [file for file in malformed.landing.files if file.verdict == "accepted"]
    for file in read:
        assert file.rows == len(places[file.name]) == file.accepted + file.quarantined
        covered = [at + n for at, lines in places[file.name] for n in range(lines)]
        lines = re.split("\r\n|\r|\n", malformed.sent[file.name].decode(errors="replace"))
        rows = [number for number, line in enumerate(lines, start=1) if number > 1 and line]
        assert sorted(set(covered)) == sorted(covered), malformed.kinds[file.name]
        assert set(rows) <= set(covered), malformed.kinds[file.name]
    assert read


def packed_bomb(name: str, unpacked: int) -> bytes:
    return (
        gzip.compress(bytes(unpacked)) if name.endswith("gz") else zipped(bytes(unpacked), "a.csv")
    )


@pytest.mark.parametrize("ending", ["csv.gz", "zip"])
def test_read_sheet_bomb_is_refused_in_bounded_memory(spec: Spec, ending: str) -> None:
    name, unpacked = f"weather_20130301.{ending}", 60 * MB
    content = packed_bomb(name, unpacked)
    assert len(content) < MB / 10
    tracemalloc.start()
    with pytest.raises(FeedError, match="it holds more than 1 MB; find out why, and raise"):
        read_sheet(name, content, spec.feeds["weather"].columns, MB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * MB


def test_land_file_over_the_limit_is_kept_and_refused_unread(
    spec: Spec, flights_inbox: Path, tmp_path: Path
) -> None:
    weather = spec.feeds["weather"].model_copy(update={"max_file_mb": 1})
    spec = spec.model_copy(update={"feeds": {"weather": weather}})
    folder = tmp_path / "inbox" / "flights" / "weather"
    folder.mkdir(parents=True)
    real = (flights_inbox / "flights" / "weather" / "weather_20130301.csv").read_bytes()
    large = real * (2 * MB // len(real))
    (folder / "weather_20130301.csv").write_bytes(large)
    settings, day = Settings(tmp_path, tmp_path), Window.parse("2013-03-01T0000--2013-03-02T0000")
    for _ in range(2):
        with pytest.raises(
            FeedError, match=r"weather_20130301\.csv: it holds more than 1 MB; find"
        ):
            land(spec, day, settings, "run")
        [file] = read_landings(spec, day, settings)[0].files
        assert file.raw(settings.lake("flights").landing("weather", day)).read_bytes() == large
        (folder / "weather_20130301.csv").unlink(missing_ok=True)
