import pytest

from ratchet.quality import Finding, read_findings, write_findings
from ratchet.settings import Settings
from ratchet.spec.types import Quality, Severity
from ratchet.window import Window

WINDOW = Window.parse("2013-03-01T0000--2013-03-08T0000")
STORM = Finding(
    check="impossible_value",
    subject="weather",
    column="wind_speed_mph",
    state="found",
    rows=504,
    broken=1,
    observed=1048.4,
    text="One wind of 1,048 mph; correct it, or replay it from quarantine.",
)
CALM = STORM.model_copy(update={"column": "visibility_mi", "state": "ok", "broken": 0})


@pytest.fixture
def settings(tmp_path):
    return Settings(tmp_path, tmp_path)


def with_quality(spec, **fields):
    return spec.model_copy(update={"quality": Quality(**fields)})


def test_findings_written_are_read_again_and_a_fault_blocks(flights_spec, settings):
    spec = with_quality(flights_spec)
    assert write_findings(spec, WINDOW, "poison", [STORM, CALM], settings) == [STORM]
    assert read_findings(spec, WINDOW, settings, blocking=False) == [STORM, CALM]
    assert read_findings(spec, WINDOW, settings, blocking=True) == [STORM]


def test_findings_of_another_window_are_not_read(flights_spec, settings):
    write_findings(flights_spec, WINDOW, "poison", [STORM], settings)
    later = Window(WINDOW.end, WINDOW.end + (WINDOW.end - WINDOW.start))
    assert read_findings(flights_spec, later, settings, blocking=False) == []


def test_finding_declared_a_warning_does_not_block(flights_spec, settings):
    warning = Severity(severity="warn", reason="A person looks at it each week.")
    spec = with_quality(flights_spec, checks={"impossible_value": warning})
    assert write_findings(spec, WINDOW, "poison", [STORM], settings) == []


def test_finding_accepted_by_name_does_not_block(flights_spec, settings):
    name = "impossible_value:weather.wind_speed_mph"
    spec = with_quality(flights_spec, accepted={name: "It was a hurricane."})
    assert STORM.name == name
    assert write_findings(spec, WINDOW, "poison", [STORM], settings) == []
