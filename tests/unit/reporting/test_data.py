import shutil

from ratchet.quality import Finding, write_findings
from ratchet.reporting import data_report
from ratchet.settings import Settings
from ratchet.window import Window

WEEK = Window.parse("2013-01-18T0000--2013-01-22T0000")


def test_data_report_tells_faults_with_what_they_do_and_odd_facts(
    flights_spec, three_weeks, tmp_path
):
    shutil.copytree(three_weeks.home / "lake/flights/landing", tmp_path / "lake/flights/landing")
    settings = Settings(tmp_path, tmp_path)
    fault = Finding(
        check="unit_slip", subject="weather", column="x", state="found", rows=9, text="It slipped."
    )
    warned = fault.model_copy(update={"check": "silent_feed"})
    usual = fault.model_copy(update={"check": "volume", "state": "ok"})
    write_findings(flights_spec, WEEK, "feeds", [warned, usual, fault], settings)

    report = data_report(flights_spec, settings, width=200)

    lines = [line.split() for line in report.splitlines()]
    told = [words[:3] for words in lines if words and ":weather.x" in words[0]]
    assert told == [["unit_slip:weather.x", "1", "blocks"], ["silent_feed:weather.x", "1", "warns"]]
    assert "tail_number is not in planes" in report
