import pandas as pd
import pytest
from three_weeks import BASE, LATER

from ratchet.errors import BuildError, SnapshotError
from ratchet.settings import Settings
from ratchet.warehouse import load_snapshot, take_snapshot
from ratchet.window import Window

LAST = LATER[-1]


def test_snapshot_taken_again_is_the_same_file(copy, flights_spec):
    first = take_snapshot(flights_spec, LAST, copy)
    written = first.path.stat().st_mtime_ns
    assert take_snapshot(flights_spec, LAST, copy) == first
    assert first.path.stat().st_mtime_ns == written
    assert first.path.name == f"{first.id}.parquet"
    assert len(first.id) == 64


def test_snapshot_holds_what_was_known_at_the_end_of_its_window(copy, flights_spec):
    gold = flights_spec.gold
    old = take_snapshot(flights_spec, BASE, copy)
    new = take_snapshot(flights_spec, LAST, copy)
    assert 0 < old.rows < new.rows
    rows = load_snapshot(flights_spec, old.id, copy)
    assert len(rows) == old.rows
    assert rows[gold.label_known_at].max() <= pd.Timestamp(BASE.end.replace(tzinfo=None))
    assert rows[gold.label].mean() == old.positive_share
    later = load_snapshot(flights_spec, new.id, copy)
    pd.testing.assert_frame_equal(
        later[later[gold.key].isin(rows[gold.key])].reset_index(drop=True), rows
    )


def test_snapshot_stays_the_same_however_its_file_is_stored(copy, flights_spec):
    snapshot = take_snapshot(flights_spec, BASE, copy)
    rows = load_snapshot(flights_spec, snapshot.id, copy)
    rows.to_parquet(snapshot.path, index=False, compression="zstd", row_group_size=1000)
    pd.testing.assert_frame_equal(load_snapshot(flights_spec, snapshot.id, copy), rows)


@pytest.mark.parametrize("damage", ["value", "order", "bytes"])
def test_snapshot_that_was_changed_is_refused(copy, flights_spec, damage):
    snapshot = take_snapshot(flights_spec, BASE, copy)
    rows = load_snapshot(flights_spec, snapshot.id, copy)
    if damage == "value":
        rows.loc[5, "temperature_f"] += 1e-9
        rows.to_parquet(snapshot.path, index=False)
    elif damage == "order":
        rows.iloc[::-1].to_parquet(snapshot.path, index=False)
    else:
        snapshot.path.write_bytes(snapshot.path.read_bytes()[:-100])
    with pytest.raises(SnapshotError, match="take the snapshot again"):
        load_snapshot(flights_spec, snapshot.id, copy)


def test_snapshot_that_does_not_exist_is_refused(three_weeks, flights_spec):
    with pytest.raises(SnapshotError, match="no snapshot 0123"):
        load_snapshot(flights_spec, "0123", three_weeks)


def test_snapshot_without_labels_is_refused(three_weeks, flights_spec):
    eve = Window.parse("2012-12-31T0000--2013-01-01T0000")
    with pytest.raises(SnapshotError, match="no label was known"):
        take_snapshot(flights_spec, eve, three_weeks)


def test_snapshot_before_anything_is_published_is_refused(tmp_path, flights_spec):
    with pytest.raises(BuildError, match="nothing is published"):
        take_snapshot(flights_spec, LAST, Settings(tmp_path, tmp_path))
