"""What a person corrected is in bronze, marked; and the window's books still balance."""

import shutil

import duckdb
from three_weeks import LATER

from ratchet.feeds import export_quarantine, read_quarantine, replay_quarantine
from ratchet.warehouse import build

WINDOW = LATER[1]


def test_replayed_row_is_built_and_marked(flights_spec, three_weeks, tmp_path):
    settings = type(three_weeks)(tmp_path, three_weeks.use_cases)
    shutil.copytree(three_weeks.lake("flights").root, settings.lake("flights").root)
    path = tmp_path / "storm.csv"
    rows, _ = export_quarantine(read_quarantine(flights_spec, WINDOW, settings), path)
    assert rows == 1
    path.write_text(path.read_text().replace(",1048,", ",10.48,"))
    replay_quarantine(flights_spec, path, settings, "Ada", "A point was lost.")
    build(flights_spec, WINDOW, "bronze", settings, "rebuilt")
    with duckdb.connect(settings.lake("flights").warehouse, read_only=True) as connection:
        corrected = connection.execute(
            "select origin, wind_speed_mph, _window from bronze.stg_flights__weather"
            " where _is_corrected"
        ).fetchall()
        [books] = connection.execute(
            "select sum(landed_rows), sum(accepted_rows), sum(corrected_rows)"
            " from bronze.stg_flights__files where feed = 'weather' and _window = ?",
            [WINDOW.key],
        ).fetchall()
        built = connection.execute(
            "select count(*) from bronze.stg_flights__weather where _window = ?", [WINDOW.key]
        ).fetchone()
    assert corrected == [("EWR", 10.48, WINDOW.key)]
    assert books == (built[0], built[0], 1)
