"""Folders follow from the environment, and no two of them are the same."""

from pathlib import Path

import pytest

from ratchet.errors import SettingError
from ratchet.settings import PROJECT, Lake, LedgerPlace, Settings
from ratchet.window import Window

WINDOW = Window.parse("2013-03-01T0000--2013-03-08T0000")
OTHERS = ("RATCHET_REGION", "RATCHET_LEDGER", "RATCHET_PORT")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RATCHET_USE_CASES", str(tmp_path / "specs"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Settings.load()


def test_settings_environment_says_where(settings, tmp_path):
    assert settings == Settings(tmp_path / "home", tmp_path / "specs")


@pytest.mark.parametrize("value", [None, ""])
def test_settings_empty_environment_means_the_project(monkeypatch, value):
    for name in ("RATCHET_HOME", "RATCHET_USE_CASES", *OTHERS):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    settings = Settings.load()
    assert settings == Settings(PROJECT / ".ratchet", PROJECT / "include" / "use_cases")
    assert (settings.use_cases / "flights.yaml").is_file()


def test_settings_port_is_a_number_or_refused(monkeypatch):
    monkeypatch.setenv("RATCHET_PORT", "9090")
    assert Settings.load().port == 9090
    for wrong in ("http", "-1", "65536"):
        monkeypatch.setenv("RATCHET_PORT", wrong)
        with pytest.raises(SettingError, match=r"RATCHET_PORT is .*; write a number"):
            Settings.load()


def test_settings_relative_home_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RATCHET_HOME", "state")
    assert Settings.load().home == tmp_path / "state"


def test_settings_mlflow_uri_is_local_unless_the_environment_says_other(settings, monkeypatch):
    assert settings.mlflow_uri == f"sqlite:///{settings.home}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://mlflow:5000")
    assert settings.mlflow_uri == "http://mlflow:5000"


def test_lake_folders_are_inside_it_and_apart_from_each_other(settings):
    lake = settings.lake("flights")
    properties = [name for name, value in vars(Lake).items() if isinstance(value, property)]
    properties.remove("ledger")
    paths = [
        lake.ledger.folder,
        lake.landing("weather", WINDOW),
        lake.landing("schedules", WINDOW),
        lake.work(WINDOW),
        *(getattr(lake, name) for name in properties),
    ]
    assert len(paths) > 3
    assert all(path.is_relative_to(settings.home / "lake" / "flights") for path in paths)
    assert not any(a.is_relative_to(b) for a in paths for b in paths if a is not b)
    others = [settings.lake("trains").root, settings.inbox, settings.mlflow]
    assert not any(path.is_relative_to(other) for path in paths for other in others)


def test_settings_ledger_lies_in_the_lake_unless_the_environment_says_other(settings, monkeypatch):
    assert settings.lake("flights").ledger == LedgerPlace(settings.lake("flights").root / "ledger")
    monkeypatch.setenv("RATCHET_LEDGER", "s3://bucket/ledgers/")
    place = Settings.load().lake("flights").ledger
    assert place.folder == settings.lake("flights").root / "ledger"
    assert place.origin == "s3://bucket/ledgers/flights"


def test_settings_region_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("RATCHET_REGION", "eu")
    assert Settings.load().region == "eu"
    monkeypatch.setenv("RATCHET_REGION", "")
    assert Settings.load().region is None
