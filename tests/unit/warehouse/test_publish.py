from datetime import datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from three_weeks import LATER, build_all, day

from ratchet.errors import BuildError
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.warehouse import build, ledger_anchors, publish, read_features, read_outcomes

LAST = LATER[-1]


def test_publish_records_what_the_data_was_accepted_for(three_weeks):
    (accepted,) = Ledger(three_weeks.lake("flights").ledger).decisions("data")
    assert (accepted.verdict, accepted.window) == ("accepted", LAST.key)
    assert [clause.name for clause in accepted.clauses] == [
        "bronze_tests",
        "silver_tests",
        "gold_tests",
    ]
    assert set(accepted.subject) == {"landing", "code"}


def test_publish_again_gives_the_same_and_decides_nothing_new(copy, flights_spec):
    before = read_features(flights_spec, LAST, copy)
    with duckdb.connect(copy.lake("flights").published, read_only=True) as reader:
        publish(flights_spec, LAST, copy)
        # whoever reads goes on reading what was there
        assert reader.execute("select count(*) from gold.feat_flights").fetchone()[0] > len(before)
    pd.testing.assert_frame_equal(read_features(flights_spec, LAST, copy), before)
    assert len(Ledger(copy.lake("flights").ledger).decisions("data")) == 1


def test_published_decisions_are_those_of_the_ledger_also_the_later_ones(three_weeks):
    lake = three_weeks.lake("flights")
    with duckdb.connect(lake.published, read_only=True) as connection:
        found = connection.execute(
            "select decision_id, kind, verdict, reasons, evidence_sha256 "
            "from gold.mon_decisions order by entry_number"
        ).fetchall()
    entries = list(Ledger(lake.ledger).entries())
    assert len(entries) > 0
    assert found == [
        (e.sha256, d.kind, d.verdict, " ".join(d.reasons), e.evidence_sha256)
        for e, d in ((entry, entry.decision) for entry in entries)
    ]


def test_published_copy_remembers_the_ledgers_head(copy, flights_spec):
    publish(flights_spec, LAST, copy)
    ledger = Ledger(copy.lake("flights").ledger)
    (anchor,) = ledger_anchors(flights_spec, copy)
    assert str(anchor) == str(ledger.head())
    folder = copy.lake("flights").ledger.folder
    (folder / f"{anchor.number:08d}.json").unlink()
    (folder / ".index").unlink()
    assert ledger.verify() == []
    assert ledger.verify([anchor]) == [f"{anchor.number:08d}.json was removed"]


def test_publish_gives_the_manifest_of_todays_sql(copy, flights_spec, monkeypatch):
    published = copy.lake("flights").published.with_name("manifest.json")
    kept = copy.lake("flights").warehouse.with_name("manifests")
    assert [path.read_bytes() for path in kept.iterdir()] == [published.read_bytes()]
    next(kept.iterdir()).unlink()
    with pytest.raises(BuildError, match=r"\.json is missing: build gold again"):
        publish(flights_spec, LAST, copy)
    build(flights_spec, LAST, "gold", copy, "again")
    publish(flights_spec, LAST, copy)
    assert [path.read_bytes() for path in kept.iterdir()] == [published.read_bytes()]
    monkeypatch.setattr("ratchet.warehouse.verdict.sql_sha256", lambda: "another")
    before = published.read_bytes()
    build_all(flights_spec, LAST, copy)
    assert [path.name for path in kept.iterdir()] == ["another.json"]
    assert published.read_bytes() == (kept / "another.json").read_bytes() != before


def test_publish_of_other_files_than_were_built_is_refused(copy, flights_spec):
    manifest = copy.lake("flights").landing("weather", LAST) / "manifest.json"
    text = manifest.read_text()
    sha256 = text.split('"sha256": "')[1][:64]
    manifest.write_text(text.replace(sha256, "0" * 64))
    with pytest.raises(BuildError, match="bronze was built from other files or SQL"):
        publish(flights_spec, LAST, copy)


def test_features_of_a_day_are_typed_sorted_and_complete(three_weeks, flights_spec):
    gold = flights_spec.gold
    frame = read_features(flights_spec, day("2013-01-20"), three_weeks)
    assert list(frame) == [gold.key, gold.decided_at, *gold.features, flights_spec.rule.column]
    assert 600 < len(frame) < 1000
    assert frame[gold.key].is_unique
    assert frame[[gold.decided_at, gold.key]].apply(tuple, axis=1).is_monotonic_increasing
    assert frame[gold.decided_at].between("2013-01-20", "2013-01-21", inclusive="left").all()
    for name, feature in gold.features.items():
        if feature.kind == "numeric":
            assert frame[name].dtype == np.float64, name
    assert frame[flights_spec.rule.column].between(0, 1).all()


def test_outcomes_known_later_are_left_out(three_weeks, flights_spec):
    gold, decided = flights_spec.gold, day("2013-01-20")
    noon = decided.start + timedelta(hours=20)
    early = read_outcomes(flights_spec, decided, noon, three_weeks)
    late = read_outcomes(flights_spec, decided, LAST.end, three_weeks)
    assert list(late) == [gold.key, gold.decided_at, gold.label, gold.label_known_at]
    assert late[gold.label].dtype == bool
    assert 0 < len(early) < len(late)
    assert early[gold.label_known_at].max() <= noon.replace(tzinfo=None)


def test_reading_before_anything_is_published_is_refused(tmp_path, flights_spec):
    nothing = Settings(tmp_path, tmp_path)
    with pytest.raises(BuildError, match="nothing is published"):
        read_features(flights_spec, LAST, nothing)
    with pytest.raises(BuildError, match="nothing is published"):
        read_outcomes(flights_spec, LAST, LAST.end, nothing)


def test_labels_are_those_of_the_source(three_weeks, flights_spec, source_flights):
    """The label rule in pandas, on the table that the producers' files were made from."""
    gold = flights_spec.gold
    known = read_outcomes(flights_spec, day("2013-01-15"), LAST.end, three_weeks)
    expected = ~(source_flights["arr_delay"] < 15)
    found = known.set_index(gold.key)[gold.label]
    assert len(found) > 600
    assert found.eq(expected.loc[found.index]).all()


def test_decisions_are_two_hours_before_the_scheduled_departure(three_weeks, source_flights):
    with duckdb.connect(three_weeks.lake("flights").published, read_only=True) as connection:
        rows = connection.execute(
            "select flight_id, decision_at from gold.feat_flights where origin = 'LGA'"
        ).fetchall()
    assert len(rows) > 4000
    for flight_id, decision_at in rows[::50]:
        flight = source_flights.loc[flight_id]
        hour = datetime.fromisoformat(flight["time_hour"].rstrip("Z"))
        assert decision_at == hour + timedelta(minutes=int(flight["minute"]), hours=-2)
