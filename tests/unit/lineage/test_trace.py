"""Real predictions and files. What is expected is read from the producers' files themselves."""

import csv
from datetime import datetime

import duckdb
import pytest
from three_weeks import BASE, LATER

from ratchet.cli import main
from ratchet.errors import LineageError
from ratchet.lineage import trace_file, trace_prediction
from ratchet.lineage.rows import Rows, published
from ratchet.warehouse import sql_sha256

KEY = "2013-01-15_B6_1174_EWR"
WEATHER = "weather_20130115.csv"


@pytest.fixture(scope="module")
def backward(traced, flights_spec):
    return trace_prediction(flights_spec, KEY, traced)


def lines(settings, feed, file, window):
    """Return the lines of a landed file as its producer wrote them, by number."""
    (path,) = settings.lake("flights").landing(feed, window).glob(f"raw/*_{file}")
    with path.open() as text:
        header, *rows = csv.reader(text)
    return {number: dict(zip(header, row, strict=True)) for number, row in enumerate(rows, 2)}


def traced_lines(trace, settings, feed):
    """Return every traced line of a feed, as its producer wrote it."""
    windows = {window.key: window for window in (BASE, *LATER)}
    found = []
    for file in (file for file in trace.files if file.feed == feed):
        known = lines(settings, feed, file.file, windows[file.window])
        found += [known[number] for number in file.lines]
    return found


def test_prediction_goes_back_to_its_release_and_snapshot(backward, traced):
    prediction, release = backward.prediction, backward.release
    assert (prediction.role, prediction.version) == ("champion", "1")
    assert backward.is_same
    assert backward.again == prediction.says
    assert release.manifest.window == LATER[0].key
    assert backward.snapshot.id == release.manifest.snapshot_id
    with duckdb.connect() as connection:
        rows = connection.execute(
            "select count(*) from read_parquet(?)", [str(backward.snapshot.path)]
        )
        assert rows.fetchone() == (backward.snapshot.rows,)


def test_every_step_is_what_its_sql_makes_again(backward):
    tables = {step.model.table: step for step in backward.steps}
    assert tables["gold.feat_flights"].rows == 1
    assert tables["silver.int_flights__weather"].rows == 1
    assert tables["silver.int_flights__outcomes"].rows > 1000
    assert {step.changed for step in backward.steps} == {0}
    assert backward.code.sql_then == backward.code.sql_now == sql_sha256()


def test_own_line_is_the_flights_own_schedule(backward, traced):
    (name, numbers) = next(iter(backward.own.items()))
    table, file = name.split()
    assert (table, file) == ("bronze.stg_flights__schedules", "schedules_20130114.csv")
    (number,) = numbers
    row = lines(traced, "schedules", file, LATER[1])[number]
    assert "_".join(row[c] for c in ("flight_date", "carrier", "flight_number", "origin")) == KEY


def test_weather_line_is_the_last_observation_known(backward, traced):
    decided = datetime.fromisoformat(backward.prediction.decided_at)
    (found,) = traced_lines(backward, traced, "weather")
    days = [("weather_20130114.csv", LATER[1]), (WEATHER, LATER[1])]
    known = [
        row
        for file, window in days
        for row in lines(traced, "weather", file, window).values()
        if row["origin"] == "EWR"
        and datetime.fromisoformat(row["sent_at"].rstrip("Z")) <= decided
        and datetime.fromisoformat(row["observed_at"].rstrip("Z")) <= decided
    ]
    assert found == max(known, key=lambda row: row["observed_at"])


def test_movements_are_those_that_were_told_before_and_all_recent_ones(backward, traced):
    decided = datetime.fromisoformat(backward.prediction.decided_at)
    found = traced_lines(backward, traced, "movements")
    told = [datetime.fromisoformat(row["event_at"].rstrip("Z")) for row in found]
    assert max(told) <= decided
    here = {
        (row["carrier"], row["flight_number"])
        for row in found
        if row["flight_date"] == "2013-01-15" and row["event"] == "departed"
    }
    recent = {
        (row["carrier"], row["flight_number"])
        for row in lines(traced, "movements", "movements_20130115.csv", LATER[1]).values()
        if row["event"] == "departed"
        and row["origin"] == "EWR"
        and 0
        <= (decided - datetime.fromisoformat(row["event_at"].rstrip("Z"))).total_seconds()
        < 2 * 3600
    }
    assert recent
    assert recent <= here


def test_rule_needs_no_release(traced, flights_spec):
    with duckdb.connect() as connection:
        path = traced.lake("flights").predictions / f"{LATER[0].key}.parquet"
        (key,) = connection.execute(
            "select min(flight_id) from read_parquet(?)", [str(path)]
        ).fetchone()
    trace = trace_prediction(flights_spec, key, traced)
    assert (trace.prediction.role, trace.release, trace.snapshot) == ("rule", None, None)
    assert trace.is_same
    assert "weather" not in {file.feed for file in trace.files}


def test_row_that_the_sql_does_not_make_again_is_told_and_leads_nowhere(
    traced, flights_spec, graph
):
    model = graph.models["silver.int_flights__weather"]
    sql = model.sql.replace("        temperature_f,", "        temperature_f + 1 as temperature_f,")
    assert sql != model.sql
    changed = graph.model_copy(
        update={"models": graph.models | {model.table: model.model_copy(update={"sql": sql})}}
    )
    with published(traced.lake("flights").published) as connection:
        steps, files = Rows(changed, connection).made_of(
            "gold.feat_flights", ("flight_id", KEY), {"temperature_f"}
        )
    assert [step.model.table for step in steps if step.changed] == [model.table]
    assert "weather" not in {file.feed for file in files}


@pytest.fixture(scope="module")
def forward(traced, flights_spec):
    (trace,) = trace_file(flights_spec, WEATHER, traced)
    return trace


def test_file_goes_on_to_tables_snapshots_and_predictions(forward, traced):
    sent = lines(traced, "weather", WEATHER, LATER[1])
    assert forward.tables["bronze.stg_flights__weather"] == len(sent)
    assert forward.tables["gold.feat_flights"] > 500
    assert (
        forward.tables["silver.int_flights__queues"] == 0
        if ("silver.int_flights__queues" in forward.tables)
        else True
    )
    assert forward.snapshots == []  # the only one was taken before
    assert 0 < forward.acted <= forward.predictions
    assert forward.by_releases == 0


def test_old_file_touches_what_was_learned_from_it(traced, flights_spec):
    (trace,) = trace_file(flights_spec, "movements_20130105.csv", traced)
    (snapshot,) = trace.snapshots
    assert snapshot.versions == ("1",)
    assert 0 < snapshot.touched <= snapshot.rows
    with duckdb.connect() as connection:
        path = traced.lake("flights").predictions / f"{LATER[1].key}.parquet"
        query = "select count(*) from read_parquet(?) where is_decision"
        assert connection.execute(query, [str(path)]).fetchone() == (trace.by_releases,)


def test_forward_and_backward_agree(forward, traced, flights_spec, backward):
    """A prediction that a file touched names the file, and one that it did not does not."""
    (touched, *_) = forward.examples
    trace = trace_prediction(flights_spec, touched, traced)
    assert WEATHER in {file.file for file in trace.files}
    with published(traced.lake("flights").published) as connection:
        early = connection.execute(
            "select flight_id from gold.feat_flights "
            "where decision_at < timestamp '2013-01-15' and decision_at >= '2013-01-14 20:00' "
            "order by all limit 1"
        ).fetchone()[0]
    before = trace_prediction(flights_spec, early, traced)
    assert WEATHER not in {file.file for file in before.files}


def test_file_is_found_by_its_hash(forward, traced, flights_spec):
    (trace,) = trace_file(flights_spec, forward.file.sha256[:12].upper(), traced)
    assert trace == forward


def test_what_does_not_exist_is_refused(traced, flights_spec):
    with pytest.raises(LineageError, match="nothing was predicted for flight_id 'nobody'"):
        trace_prediction(flights_spec, "nobody", traced)
    with pytest.raises(LineageError, match="no file 'weather' has landed"):
        trace_file(flights_spec, "weather", traced)


def test_command_says_it_all(traced, monkeypatch, capsys):
    monkeypatch.setenv("RATCHET_HOME", str(traced.home))
    assert main(["trace", "flights", "--key", KEY]) == 0
    said = capsys.readouterr().out
    for text in (KEY, "release     version 1: logistic", WEATHER, "asked again today"):
        assert text in said
    assert main(["trace", "flights", "--file", "weather_20130115.csv"]) == 0
    said = capsys.readouterr().out
    assert "predictions " in said
    assert "gold.feat_flights" in said
