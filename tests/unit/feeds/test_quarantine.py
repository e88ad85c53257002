"""Quarantined rows are listed with all reasons, corrected by people, and landed again."""

import csv
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from small_site import FIRST, SECOND, Site

from ratchet.cli import main
from ratchet.errors import FeedError
from ratchet.feeds import (
    Replay,
    export_quarantine,
    land,
    landing_sha256,
    read_landings,
    read_quarantine,
    replay_quarantine,
)
from ratchet.ledger import Ledger
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.window import Window

WEEK = Window.parse("2013-02-08T0000--2013-02-15T0000")
BAD = b"gate,size\nA1,1\nA2,big\nA1,10\nA3\n"


@pytest.fixture
def quarantined(site: Site) -> Site:
    """Return a landed site with two bad rows and a line that is none, all of one file."""
    site.send("gates_20130301.csv", BAD)
    site.land()
    return site


def exported(site: Site, **values: dict[str, str]) -> Path:
    """Export the quarantine with some rows' values corrected, by line `l<number>`."""
    path = site.settings.home / "corrected.csv"
    export_quarantine(site.refusals(None), path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row |= values.get(f"l{row['_row']}", {})
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def replay(site: Site, path: Path, reason: str = "Measured again.") -> list[Replay]:
    return replay_quarantine(site.spec, path, site.settings, "Ada", reason)


def test_land_row_with_many_breaches_has_them_all(site: Site, spec: Spec) -> None:
    site.spec = spec.model_copy(update={"feeds": {"movements": spec.feeds["movements"]}})
    header = ",".join(spec.feeds["movements"].columns).encode()
    sound = b"2013-03-01,AA,1,JFK,departed,2013-03-01T10:00:00Z,9,N1"
    wrong = b"2013-03-01,AA,10000,LAX,never,2013-03-01T10:00:00Z,9,N1"
    repeated = sound.replace(b",9,", b",9999,")
    site.send("movements_20130301.csv", b"\n".join([header, sound, wrong, repeated, b""]))
    site.land_blocked(Window.parse("2013-03-01T0000--2013-03-02T0000"))
    three, two = (refusal.reasons for refusal in site.refusals(None))
    assert three == (
        "flight_number: 10000 is over 9999",
        "origin: LAX is none of EWR, JFK, LGA",
        "event: never is none of departed, arrived, cancelled, diverted",
    )
    assert two == (
        "delay_min: 9999 is over 2880",
        "flight_date, carrier, flight_number, origin, event: repeats movements_20130301.csv line 2",
    )


def test_export_quarantine_has_values_lines_and_reasons(quarantined: Site) -> None:
    quarantined.send("gates_20130303.csv", b"")
    quarantined.land_blocked()
    path = quarantined.settings.home / "out.csv"
    assert export_quarantine(quarantined.refusals(), path) == (3, 1)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = [[row[name] for name in ("_row", "gate", "size", "_line", "_reasons")] for row in rows]
    assert told == [
        ["3", "A2", "big", "", "size: big is not a whole number"],
        ["4", "A1", "10", "", "size: 10 is over 9; gate: repeats gates_20130301.csv line 2"],
        ["5", "", "", "A3", "the line is not CSV: 1 fields where the header has 2"],
    ]
    naming = {(row["_feed"], row["_window"], row["_file"]) for row in rows}
    assert naming == {("gates", FIRST.key, "gates_20130301.csv")}


def test_replay_corrected_rows_are_accepted_and_marked(quarantined: Site) -> None:
    raw = {path: b for path, b in quarantined.written().items() if "/raw/" in path}
    path = exported(
        quarantined,
        l3={"size": "3"},
        l4={"gate": "A4", "size": "4"},
        l5={"gate": "A3", "size": "NA"},
    )
    [done] = replay(quarantined, path)
    assert (done.window, done.corrected, done.faults) == (FIRST, 3, [])
    landing = quarantined.landed()["gates"]
    assert done.landing == landing
    assert (landing.rows, landing.accepted, landing.corrected) == (8, 8, 3)
    rows = [(row[0], row[1], row[3], row[-1]) for row in quarantined.accepted()]
    assert rows[:2] == [("A1", 1, 2, False), ("A2", 3, 3, True)]
    assert rows[2:4] == [("A3", None, 5, True), ("A4", 4, 4, True)]
    assert quarantined.refusals() == []
    assert {p: b for p, b in quarantined.written().items() if "/raw/" in p} == raw


def test_replay_is_recorded_with_author_reason_and_both_values(quarantined: Site) -> None:
    replay(quarantined, exported(quarantined, l3={"size": "3"}), "Read from the plan.")
    [decision] = Ledger(quarantined.settings.lake("airport").ledger).decisions("correction")
    assert (decision.verdict, decision.window, decision.author) == ("corrected", FIRST.key, "Ada")
    assert decision.reasons == ["Ada corrected 1 quarantined rows of gates: Read from the plan."]
    [row] = decision.evidence["rows"]  # type: ignore[misc]
    sha256 = quarantined.landed()["gates"].files[0].sha256
    assert row == {
        "file": "gates_20130301.csv",
        "sha256": sha256,
        "row": 3,
        "old": {"gate": "A2", "size": "big"},
        "new": {"gate": "A2", "size": "3"},
    }


def test_replay_row_that_still_breaks_stays_with_its_new_reasons(quarantined: Site) -> None:
    [done] = replay(quarantined, exported(quarantined, l3={"gate": "A1", "size": "99"}))
    assert (done.landing.accepted, done.landing.quarantined) == (5, 3)
    [first, *_] = quarantined.refusals()
    assert (first.row, first.raw) == (3, {"gate": "A1", "size": "99"})
    assert first.reasons == ("size: 99 is over 9", "gate: repeats gates_20130301.csv line 2")
    [done] = replay(quarantined, exported(quarantined, l3={"gate": "A2", "size": "9"}))
    assert (done.landing.accepted, done.landing.corrected) == (6, 1)


def test_replay_again_changes_nothing(quarantined: Site) -> None:
    path = exported(quarantined, l3={"size": "3"})
    replay(quarantined, path)
    once = quarantined.written()
    [done] = replay(quarantined, path, "Said once more.")
    assert (done.corrected, done.landing.corrected) == (0, 1)
    assert quarantined.written() == once
    quarantined.land()
    assert quarantined.written() == once


def test_replay_changes_what_a_data_decision_is_on(quarantined: Site) -> None:
    def sha256() -> str:
        return landing_sha256(quarantined.spec, FIRST, quarantined.settings)

    before = sha256()
    replay(quarantined, exported(quarantined, l3={"size": "3"}))
    assert sha256() != before


def test_replay_mends_a_window_over_its_budget(site: Site) -> None:
    site.send("gates_20130302.csv", b"gate,size\n" + b"".join(b"X%d,big\n" % n for n in range(4)))
    site.land_blocked()
    one = {"size": "1"}
    [done] = replay(site, exported(site, l2={"gate": "X0", "size": "10"}))
    assert ["4 of 7 rows are quarantined" in fault for fault in done.faults] == [True]
    [done] = replay(site, exported(site, l3=one))
    assert done.faults == []
    assert site.land()["gates"].accepted == 4


@pytest.mark.parametrize(
    "edit, reason",
    [
        (("_row", "_line_no"), "lacks the columns"),
        ((",3,", ",two,"), "invalid literal"),
        ((",3,", ",2,"), "line 2 of gates 2013-03-01 → 2013-03-04 is not in quarantine"),
        (("gates,", "gate,"), "airport has no feed 'gate'"),
        ((FIRST.key, "2013"), "'2013' is not a window key"),
        ((FIRST.key, SECOND.key), "holds no landed window: land it first"),
        (("A2,big,,", "A2,big,"), "line 2 has not as many fields as the header"),
        (("A2,big", "A2,big"), "corrects nothing; change values in it"),
    ],
)
def test_replay_of_what_is_not_in_quarantine_is_refused_and_changes_nothing(
    quarantined: Site, edit: tuple[str, str], reason: str
) -> None:
    path = exported(quarantined)
    path.write_text(path.read_text().replace(*edit, 1))
    before = quarantined.written()
    with pytest.raises(FeedError, match=re.escape(reason)):
        replay(quarantined, path)
    assert quarantined.written() == before


def test_replay_without_file_or_reason_is_refused(quarantined: Site) -> None:
    with pytest.raises(FeedError, match="can't be read"):
        replay(quarantined, quarantined.settings.home / "nowhere.csv")
    with pytest.raises(FeedError, match="a correction needs a reason"):
        replay(quarantined, exported(quarantined, l3={"size": "3"}), " ")


def test_land_file_sent_again_takes_no_correction_of_the_old_one(quarantined: Site) -> None:
    replay(quarantined, exported(quarantined, l3={"size": "3"}))
    quarantined.send("gates_20130301.csv", b"gate,size\nA1,1\nA2,big\n")
    landing = quarantined.land()["gates"]
    assert (landing.corrected, landing.quarantined) == (0, 1)


@pytest.fixture
def flights(flights_inbox: Path, tmp_path: Path) -> Settings:
    (tmp_path / "inbox").symlink_to(flights_inbox)
    return Settings(tmp_path, PROJECT / "include" / "use_cases")


def test_replay_real_gale_is_accepted_and_every_row_is_still_there(
    spec: Spec, flights: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    land(spec, WEEK, flights, "run")
    before = {landing.feed: landing for landing in read_landings(spec, WEEK, flights)}
    monkeypatch.setenv("RATCHET_HOME", str(flights.home))
    path = flights.home / "gale.csv"
    assert main(["quarantine"]) == 0
    assert main(["quarantine", "list", "--feed", "weather", "--window", WEEK.key]) == 0
    listed = capsys.readouterr().out
    line = "  weather_20130212.csv line 29: wind_speed_mph: 1048.36058 is over 253\n"
    assert listed == 2 * f"weather: 1 quarantined\n{line}"
    assert main(["quarantine", "export", str(path), "--feed", "weather"]) == 0
    path.write_text(path.read_text().replace("1048.36058", "10.4836058"))
    assert main(["quarantine", "replay", str(path), "--reason", "A point was lost."]) == 0
    told = capsys.readouterr().out
    assert "1 corrections are new; of 504 rows 504 are accepted, 1 of them corrected, and 0" in told
    assert f'flights__refine_data --conf \'{{"window": "{WEEK.key}"}}\'' in told
    for landing in read_landings(spec, WEEK, flights):
        folder = flights.lake("flights").landing(landing.feed, WEEK)
        accepted, refused = (
            len(duckdb.sql(f"from read_parquet('{folder}/{name}.parquet')"))
            for name in ("accepted", "quarantine")
        )
        assert accepted + refused == landing.rows == before[landing.feed].rows
        assert accepted == landing.accepted
    assert read_quarantine(spec, WEEK, flights) == []
    assert main(["quarantine", "list", "--feed", "trains"]) == 1
    assert "flights has no feed 'trains'; name one of" in capsys.readouterr().err


@pytest.mark.parametrize("broken, is_blocked", [(25, False), (26, True)])
def test_land_budget_of_five_percent_holds_on_a_real_week(
    spec: Spec, flights_inbox: Path, tmp_path: Path, broken: int, is_blocked: bool
) -> None:
    weather = spec.model_copy(update={"feeds": {"weather": spec.feeds["weather"]}})
    inbox = tmp_path / "inbox" / "flights" / "weather"
    inbox.mkdir(parents=True)
    for day in range(8, 15):
        shutil.copy(flights_inbox / "flights" / "weather" / f"weather_201303{day:02}.csv", inbox)
    path = inbox / "weather_20130310.csv"
    header, *lines = path.read_text().splitlines()
    lines[:broken] = [line.replace("2013-03-", "2013-13-") for line in lines[:broken]]
    path.write_text("\n".join([header, *lines, ""]))
    week = Window.parse("2013-03-08T0000--2013-03-15T0000")
    settings = Settings(tmp_path, tmp_path)
    if is_blocked:
        with pytest.raises(FeedError, match=r"weather: 26 of \d+ rows are quarantined, where 5.0%"):
            land(weather, week, settings, "run")
    else:
        land(weather, week, settings, "run")
    [landing] = read_landings(weather, week, settings)
    assert landing.rows == landing.accepted + broken
    assert 25 / landing.rows < 0.05 < 26 / landing.rows
