import hashlib

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from three_weeks import BASE, LATER

from ratchet.errors import BuildError, SnapshotError
from ratchet.settings import Settings
from ratchet.warehouse import load_snapshot, take_snapshot
from ratchet.warehouse.snapshots import content_id
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
    later = load_snapshot(flights_spec, new.id, copy)
    pd.testing.assert_frame_equal(
        later[later[gold.key].isin(rows[gold.key])].reset_index(drop=True), rows
    )


def test_snapshot_holds_no_more_history_than_is_learned_from(copy, flights_spec):
    training = flights_spec.training.model_copy(update={"max_history_days": 7, "holdout_days": 3})
    bounded = flights_spec.model_copy(update={"training": training})
    everything = take_snapshot(flights_spec, LAST, copy)
    some = take_snapshot(bounded, LAST, copy)
    decided = load_snapshot(flights_spec, some.id, copy)[flights_spec.gold.decided_at]
    earliest = pd.Timestamp(LAST.end.replace(tzinfo=None)) - pd.Timedelta(days=10)
    expected = load_snapshot(flights_spec, everything.id, copy)[flights_spec.gold.decided_at]
    assert expected.min() < earliest
    assert decided.tolist() == expected[expected >= earliest].tolist()


@pytest.mark.parametrize("max_rows", [8_000, 1_000, 1_000_000])
def test_snapshot_holds_a_sample_of_what_is_old(copy, flights_spec, max_rows):
    gold, training = flights_spec.gold, flights_spec.training
    bounded = flights_spec.model_copy(
        update={
            "training": training.model_copy(update={"holdout_days": 3, "max_rows": max_rows}),
            "evaluation": flights_spec.evaluation.model_copy(update={"folds": 1}),
        }
    )
    everything = take_snapshot(flights_spec, LAST, copy)
    rows = load_snapshot(flights_spec, everything.id, copy)
    whole_from = pd.Timestamp(LAST.end.replace(tzinfo=None)) - pd.Timedelta(days=6)
    old = rows[rows[gold.decided_at] < whole_from]
    assert 1_000 < len(rows) - len(old) < 8_000 < len(rows) < 1_000_000
    by_hash = sorted(old[gold.key], key=lambda key: hashlib.md5(key.encode()).hexdigest())
    left_out = by_hash[max(0, max_rows - (len(rows) - len(old))) :]
    expected = rows[~rows[gold.key].isin(left_out)].reset_index(drop=True)

    sample = take_snapshot(bounded, LAST, copy)
    pd.testing.assert_frame_equal(load_snapshot(bounded, sample.id, copy), expected)
    assert sample.rows == max(len(rows) - len(old), min(max_rows, len(rows)))


def test_snapshot_stays_the_same_however_its_file_is_stored(copy, flights_spec):
    snapshot = take_snapshot(flights_spec, BASE, copy)
    rows = load_snapshot(flights_spec, snapshot.id, copy)
    rows.to_parquet(snapshot.path, index=False, compression="zstd", row_group_size=1000)
    pd.testing.assert_frame_equal(load_snapshot(flights_spec, snapshot.id, copy), rows)


@pytest.mark.parametrize("damage", ["value", "order", "bytes"])
def test_snapshot_that_was_changed_is_refused_until_it_is_taken_again(copy, flights_spec, damage):
    snapshot = take_snapshot(flights_spec, BASE, copy)
    content = snapshot.path.read_bytes()
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
    assert take_snapshot(flights_spec, BASE, copy) == snapshot
    assert snapshot.path.read_bytes() == content


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"id": 3}'])
@pytest.mark.parametrize("suffix", [".json", ".parquet"])
def test_snapshot_of_which_a_file_is_lost_is_named_and_taken_again(
    copy, flights_spec, suffix, content
):
    snapshot = take_snapshot(flights_spec, BASE, copy)
    path = snapshot.path.with_suffix(suffix)
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SnapshotError, match=rf"(?s){snapshot.id}\{suffix} .*again"):
        load_snapshot(flights_spec, snapshot.id, copy)
    assert take_snapshot(flights_spec, BASE, copy) == snapshot
    assert len(load_snapshot(flights_spec, snapshot.id, copy)) == snapshot.rows


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


# Of the bytes that `content_id` documents, typed by hand into a shell:
# { printf '[["flight","text"],["delay","number"],["late","boolean"],["at","moment"]]'
#   printf '\x03\0\0\0\0\0\0\0'                                              # three rows
#   printf '\x01\x01\0'                                                      # flight: a, é, none
#   printf '\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a\xc3\xa9'
#   printf '\x01\0\x01\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'  # 1.5, none, -0.0
#   printf '\x01\x01\x01\x01\0\x01'                                          # true, false, true
#   printf '\x01\x01\0\x00\xc0\x97\xcf\x2e\xd2\x04\0'                        # 2013-01-01,
#   printf '\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\0'                # 1 µs early, none
# } | sha256sum
BY_HAND = "4bddd84df703e3cf466eae9a153d5c4141064ff50fc353b2831f1e7d762e16cb"


def small_table():
    moments = ["2013-01-01T00:00:00.000000", "1969-12-31T23:59:59.999999", None]
    return pd.DataFrame(
        {
            "flight": ["a", "é", None],
            "delay": [1.5, np.nan, -0.0],
            "late": [True, False, True],
            "at": pd.to_datetime(moments).astype("datetime64[us]"),
        }
    )


def chunked(rows):
    halves = [pa.Table.from_pandas(rows[:1]), pa.Table.from_pandas(rows[1:])]
    return pa.concat_tables(halves).to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize(
    "held",
    [
        lambda rows: rows,
        lambda rows: rows.convert_dtypes(),
        lambda rows: rows.convert_dtypes(dtype_backend="pyarrow"),
        lambda rows: rows.astype({"flight": "object", "at": "datetime64[ns]"}),
        lambda rows: rows.astype({"flight": "category", "delay": "float32"}),
        lambda rows: rows.assign(
            flight=rows["flight"].astype("string[pyarrow]"), delay=[1.5, None, 0]
        ),
        lambda rows: pd.concat([rows, rows])[3:].set_axis([7, 8, 9]),
        chunked,
    ],
)
def test_content_id_is_the_hash_of_the_bytes_that_it_documents(held):
    assert content_id(held(small_table())) == BY_HAND


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.rename(columns={"delay": "delays"}),
        lambda rows: rows[::-1],
        lambda rows: rows[["delay", "flight", "late", "at"]],
        lambda rows: rows.assign(delay=[1.5, 0.0, 0.0]),
        lambda rows: rows.assign(delay=[np.nextafter(1.5, 2), None, 0.0]),
        lambda rows: rows.assign(flight=["aé", "", None]),
        lambda rows: rows.assign(flight=["a", "é", ""]),
        lambda rows: rows.assign(late=[1.0, 0.0, 1.0]),
        lambda rows: rows.assign(at=rows["at"] + pd.Timedelta(1, "us")),
        lambda rows: rows[:2],
    ],
)
def test_content_id_differs_with_every_change_of_content(change):
    assert content_id(change(small_table())) != BY_HAND


def test_content_of_another_kind_is_refused():
    with pytest.raises(SnapshotError, match=r"column b holds .*binary.*cast it in gold"):
        content_id(pd.DataFrame({"b": [b"raw"]}))


def test_snapshot_id_does_not_depend_on_threads(copy, flights_spec, monkeypatch):
    connect, ids = duckdb.connect, set()
    for threads in (1, 4):
        monkeypatch.setattr(
            "duckdb.connect",
            lambda *args, threads=threads, **kwargs: connect(
                *args, **kwargs, config={"threads": threads}
            ),
        )
        ids.add(take_snapshot(flights_spec, LAST, copy).id)
    assert len(ids) == 1
