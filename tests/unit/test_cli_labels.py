"""`ratchet labels` from the command line."""

from pathlib import Path

import pytest

from ratchet.cli import main


def test_labels_export_of_a_use_case_that_is_not_scored_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    assert main(["labels", "export", "flights", "--to", str(tmp_path / "a.csv")]) == 1
    assert "score it first" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()


def test_labels_import_of_a_file_that_is_not_there_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    assert main(["labels", "import", str(tmp_path / "a.csv")]) == 1
    assert "a.csv can't be read" in capsys.readouterr().err
