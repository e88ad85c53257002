"""Whatever comes is landed: accepted, or quarantined with its reason, and nothing else is lost."""

import gzip
import io
import json
import zipfile
from datetime import datetime

import duckdb
import pytest
from small_site import FIRST, SECOND, Site

from ratchet.errors import FeedError
from ratchet.feeds import land, landing_sha256, read_landings, read_quarantine
from ratchet.spec import Spec
from ratchet.window import Window

GATES = ["A1", "A2", "B1", "B2", "B3", "C1"]


def zipped(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gates.csv", content)
    return buffer.getvalue()


def test_land_sound_files_accepts_every_row(site: Site) -> None:
    landing = site.land()["gates"]
    assert (landing.rows, landing.accepted, landing.quarantined) == (6, 6, 0)
    assert site.gates() == GATES
    assert site.refusals() == []
    loaded_at = datetime.fromisoformat("2013-03-04T00:00:00")
    sha256 = landing.files[0].sha256
    origin = ("gates_20130301.csv", 2, sha256, loaded_at, "run", FIRST.key, False)
    assert site.accepted()[0] == ("A1", 1, *origin)


def test_land_writes_types_of_the_contract(site: Site, spec: Spec) -> None:
    every = {"text", "integer", "number", "date", "timestamp"}
    feeds = [spec.feeds["movements"], spec.feeds["weather"]]
    assert {column.type for feed in feeds for column in feed.columns.values()} == every
    names = {"movements": feeds[0], "weather": feeds[1]}
    months = spec.model_copy(update={"feeds": names})
    before = Window.parse("2012-11-01T0000--2012-11-08T0000")
    land(months, before, site.settings, "run")
    sql = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "date": "DATE"}
    origin = {"_file": "VARCHAR", "_row": "BIGINT", "_sha256": "VARCHAR", "_loaded_at": "TIMESTAMP"}
    origin |= {"_run_id": "VARCHAR", "_window": "VARCHAR", "_is_corrected": "BOOLEAN"}
    for name, feed in names.items():
        folder = site.settings.lake("flights").landing(name, before)
        accepted = duckdb.sql(f"from read_parquet('{folder}/accepted.parquet')")
        typed = {c: sql.get(column.type, "TIMESTAMP") for c, column in feed.columns.items()}
        assert dict(zip(accepted.columns, map(str, accepted.types), strict=True)) == typed | origin
        refused = duckdb.sql(f"from read_parquet('{folder}/quarantine.parquet')")
        kept = origin | {"raw": "VARCHAR", "reasons": "VARCHAR[]"}
        assert dict(zip(refused.columns, map(str, refused.types), strict=True)) == kept
        assert len(accepted) == len(refused) == 0


def test_land_manifest_tells_what_came(site: Site) -> None:
    content = b"gate,size\nA1,1\nA2,big\nA3\n"
    site.send("gates_20130301.csv", content)
    site.land()
    folder = site.settings.lake("airport").landing("gates", FIRST)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["feed"], manifest["window"], manifest["run_id"]) == ("gates", FIRST.key, "run")
    file = manifest["files"][0]
    assert file["name"] == "gates_20130301.csv"
    assert (file["rows"], file["accepted"], file["bytes"]) == (3, 1, len(content))
    assert (file["producer"], file["verdict"]) == ("Gate desks", "accepted")
    assert file["arrived_at"] == "2013-03-02T00:00:00Z"
    assert site.landed()["gates"].files[0].raw(folder).read_bytes() == content


@pytest.mark.parametrize(
    "line, raw, reason",
    [
        (b"X,big", {"gate": "X", "size": "big"}, "size: big is not a whole number"),
        (b"X,10", {"gate": "X", "size": "10"}, "size: 10 is over 9"),
        (b",1", {"gate": None, "size": "1"}, "gate: is missing"),
        (b"A1,1", {"gate": "A1", "size": "1"}, "gate: repeats gates_20130301.csv line 2"),
        (b"X", "X", "the line is not CSV: 1 fields where the header has 2"),
        (b'X,"1"1', 'X,"1"1', "the line is not CSV: ',' expected after '\"'"),
        (b"X\xff,1", r"X\xff,1", "the line is not CSV: it holds a NUL byte, or bytes that"),
        (b"X\0,1", "X\0,1", "the line is not CSV: it holds a NUL byte"),
    ],
)
def test_land_bad_line_is_quarantined_alone(
    site: Site, line: bytes, raw: object, reason: str
) -> None:
    site.send("gates_20130303.csv", b"gate,size\n" + line + b"\nC1,1\n")
    landing = site.land()["gates"]
    assert (landing.rows, landing.accepted, landing.quarantined) == (7, 6, 1)
    assert site.gates() == GATES
    [refusal] = site.refusals()
    assert (refusal.file, refusal.row, refusal.raw) == ("gates_20130303.csv", 2, raw)
    assert len(refusal.reasons) == 1
    assert refusal.reasons[0].startswith(reason)


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("gates_20130302.csv", b"", "it is empty"),
        ("gates_20130302.csv", b"gate,size\n", "it has a header and no rows"),
        ("gates_20130302.csv", b"gate\nB1\n", "its header lacks size"),
        ("gates_20130302.csv", b"gate,size,hue\nB1,1,red\n", "the spec does not know hue; add it"),
        ("gates_20130302.csv", "gate,size\nB1,1\n".encode("utf-16"), "it is UTF-16"),
        ("gates_20130302.csv", b"gate,size\nA1,1\nA2,2\n", "same bytes as gates_20130301.csv"),
        ("gates_20130302.zip", zipped(b"gate,size\nB1,1\n" * 9)[:-9], "it is damaged or cut off"),
        ("gates_20130302.csv.gz", gzip.compress(b"gate,size\nB1,1\n")[:-9], "it is damaged"),
    ],
    ids=["zero bytes", "no rows", "column", "added", "utf-16", "duplicate", "zip", "gzip"],
)
def test_land_hopeless_file_blocks_the_window_and_loses_nothing_else(
    site: Site, name: str, content: bytes, reason: str
) -> None:
    site.send("gates_20130302.csv", b"").unlink()
    site.send(name, content)
    message = site.land_blocked()
    assert f"- {name}: " in message
    assert reason in message
    assert "Gate desks" in message
    assert site.gates() == ["A1", "A2", "C1"]
    [refusal] = site.refusals()
    assert (refusal.file, refusal.row, refusal.raw) == (name, None, None)
    assert reason in refusal.reasons[0]
    verdicts = [file.verdict for file in site.landed()["gates"].files]
    assert verdicts == ["accepted", "quarantined", "accepted"]


def test_land_file_sent_again_mends_a_blocked_window(site: Site) -> None:
    site.send("gates_20130302.csv", b"gate,si")
    site.land_blocked()
    site.send_all()
    assert site.land()["gates"].accepted == 6
    assert site.gates() == GATES
    assert site.refusals() == []


@pytest.mark.parametrize(
    "name, content",
    [
        ("gates_20130303.zip", zipped(b"gate,size\nC1,1\n")),
        ("gates_20130303.csv.gz", gzip.compress(b"gate,size\nC1,1\n")),
        ("gates_20130303.csv", b"\xef\xbb\xbfsize,gate\r\n1,C1\r\n"),
    ],
)
def test_land_other_ways_of_packing_give_the_same_rows(
    site: Site, name: str, content: bytes
) -> None:
    site.send("gates_20130303.csv", b"").unlink()
    site.send(name, content)
    site.land()
    assert site.gates() == GATES


@pytest.mark.parametrize(
    "content, drift, is_accepted",
    [
        (b"size,gate\n1,C1\n", ("reordered: size, gate",), True),
        (b"gate,siez\nC1,1\n", ("looks renamed: size to siez",), False),
        (b"gate,size,hue\nC1,1,red\n", ("added: hue",), False),
        (b"gate\nC1\n", ("missing: size",), False),
        (b"gate,size\nC1,1\n", (), True),
    ],
)
def test_land_header_drift_is_noted_whether_it_is_refused_or_not(
    site: Site, content: bytes, drift: tuple[str, ...], is_accepted: bool
) -> None:
    site.send("gates_20130303.csv", content)
    if is_accepted:
        site.land()
    else:
        site.land_blocked()
    *sound, last = site.landed()["gates"].files
    assert [file.drift for file in sound] == [(), ()]
    assert (last.drift, last.verdict == "accepted") == (drift, is_accepted)
    assert site.gates() == (GATES if is_accepted else GATES[:-1])


def test_land_missing_file_blocks_the_window(site: Site) -> None:
    path = site.send("gates_20130302.csv", b"")
    path.rename(path.with_name("gates-2013-03-02.csv"))
    message = site.land_blocked()
    assert "gates_20130302.csv is missing; ask Gate desks to send it to" in message
    assert "not read: gates-2013-03-02.csv" in message
    assert site.gates() == ["A1", "A2", "C1"]


def test_land_empty_inbox_names_all_that_is_missing(site: Site) -> None:
    for path in site.settings.inbox.rglob("*.csv"):
        path.unlink()
    message = site.land_blocked()
    assert message.startswith("airport 2013-03-01 → 2013-03-04 can't be used:\n- ")
    assert message.count(" is missing; ") == 4
    assert site.gates() == []


def test_land_file_that_nobody_expects_is_quarantined_and_blocks_nothing(site: Site) -> None:
    site.send("gates_20130306.csv", b"gate,size\nF1,1\n")
    site.send("halls_20130305.csv", b"hall,opened_at\nSouth,2013-03-05T08:00:00Z\n")
    last = Window(SECOND.start, SECOND.end.replace(day=8))
    site.land(last)
    assert site.gates(last) == ["D1", "E1", "E2"]
    assert site.accepted("halls", last) == []
    assert [(refusal.file, refusal.reasons) for refusal in site.refusals(last)] == [
        (name, ("the spec expects no file for this day",))
        for name in ("gates_20130306.csv", "halls_20130305.csv")
    ]


def test_land_feed_sent_once_may_come_late_in_its_window(site: Site) -> None:
    path = site.send("halls_20130301.csv", b"hall,opened_at\nNorth,2013-03-01T08:00:00Z\n")
    path.rename(path.with_name("halls_20130303.csv"))
    assert site.land()["halls"].accepted == 1
    site.land(SECOND)
    assert site.accepted("halls", SECOND) == []


def test_land_duplicate_of_an_earlier_window_is_quarantined(site: Site) -> None:
    site.send("gates_20130305.csv", b"gate,size\nC1,1\n")
    site.land(FIRST)
    message = site.land_blocked(SECOND)
    assert f"it has the same bytes as gates_20130303.csv of {FIRST.key}" in message
    assert site.gates(SECOND) == ["D1"]
    assert site.land(FIRST)["gates"].accepted == 6


@pytest.mark.parametrize("bad, is_blocked", [(3, False), (4, True)])
def test_land_budget_decides_on_the_quarantined_share(
    site: Site, bad: int, is_blocked: bool
) -> None:
    wrong = b"".join(b"X%d,big\n" % number for number in range(bad))
    site.send("gates_20130302.csv", b"gate,size\n" + wrong + b"")
    assert site.spec.feeds["gates"].max_quarantined_share == 0.5
    if is_blocked:
        message = site.land_blocked()
        assert "gates: 4 of 7 rows are quarantined, where 50.0% may be" in message
    else:
        site.land()
    assert len(site.refusals()) == bad
    assert site.gates() == ["A1", "A2", "C1"]


def test_land_again_in_any_order_gives_the_same_bytes(site: Site) -> None:
    site.send("gates_20130304.csv", b"gate,size\nD1,1\nD2,big\nD3\n")
    for window in (FIRST, SECOND):
        site.land(window)
    once = site.written()
    assert len(once) == 2 * 2 * 3 + 6
    for window in (SECOND, FIRST, FIRST):
        site.land(window)
    assert site.written() == once


def test_land_by_another_run_changes_only_the_run_s_name(site: Site) -> None:
    site.land(run_id="one")
    one = [[value for value in row if value != "one"] for row in site.accepted()]
    site.land(run_id="it's two")
    two = [[value for value in row if value != "it's two"] for row in site.accepted()]
    assert one == two
    assert all(len(row) == 8 for row in one)


def test_land_again_without_inbox_reads_what_was_landed(site: Site) -> None:
    site.land()
    once = site.written()
    for path in site.settings.inbox.rglob("*.csv"):
        path.unlink()
    site.land()
    assert site.written() == once


def test_land_again_from_a_changed_raw_file_raises(site: Site) -> None:
    site.land()
    [file] = site.landed()["halls"].files
    raw = file.raw(site.settings.lake("airport").landing("halls", FIRST))
    raw.write_bytes(raw.read_bytes() + b"South,2013-03-01T08:00:00Z\n")
    site.land()
    site.send("halls_20130301.csv", b"").unlink()
    with pytest.raises(FeedError, match=r"was changed after it was landed; put halls_20130301"):
        site.land()


def test_landing_sha256_follows_the_files_not_the_run(site: Site) -> None:
    site.land(run_id="one")
    sha256 = landing_sha256(site.spec, FIRST, site.settings)
    site.land(run_id="two")
    assert landing_sha256(site.spec, FIRST, site.settings) == sha256
    site.send("gates_20130303.csv", b"gate,size\nC1,2\n")
    site.land(run_id="two")
    assert landing_sha256(site.spec, FIRST, site.settings) != sha256


def test_readers_of_a_window_that_was_not_landed_raise(site: Site) -> None:
    arguments = (site.spec, FIRST, site.settings)
    for reader in (read_landings, landing_sha256, read_quarantine):
        with pytest.raises(FeedError, match="land"):
            reader(*arguments)


def test_read_quarantine_without_window_reads_all(site: Site) -> None:
    site.send("gates_20130301.csv", b"gate,size\nA1,1\nA2,big\n")
    site.send("gates_20130305.csv", b"gate,size\nE1,1\nE2,big\n")
    for window in (FIRST, SECOND):
        site.land(window)
    assert [refusal.window for refusal in site.refusals(None)] == [FIRST.key, SECOND.key]
