"""What people see of blocks, and how they accept one, on the command line."""

from pathlib import Path

import pytest

from ratchet.cli import main
from ratchet.quality import Finding, write_findings
from ratchet.settings import PROJECT, Settings
from ratchet.spec import Spec
from ratchet.warehouse import blocking
from ratchet.window import Window

WEEK = Window.parse("2013-03-01T0000--2013-03-08T0000")
READS = {"bronze": {"stg_flights__weather": ("source:weather",)}}


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("RATCHET_HOME", str(tmp_path))
    monkeypatch.setenv("USER", "jane")
    return Settings(tmp_path, PROJECT / "include" / "use_cases")


def settle(spec: Spec, settings: Settings) -> None:
    causes = blocking.causes_of_findings(spec, WEEK, settings)
    blocking.settle(spec, WEEK, causes, READS, settings)


def test_blocks_are_listed_and_one_is_accepted(settings, flights_spec, capsys):
    assert main(["blocks"]) == 0
    assert capsys.readouterr().out == "flights: nothing is blocked\n"

    finding = Finding(
        check="units", subject="weather", state="found", rows=168, broken=2, text="two storms"
    )
    write_findings(flights_spec, WEEK, "feeds", [finding], settings)
    settle(flights_spec, settings)
    assert main(["blocks"]) == 0
    listed, table = capsys.readouterr().out.splitlines()
    assert listed.startswith(f"{WEEK.key}  units:weather found 2 rows: ")
    assert table == "  bronze.stg_flights__weather"

    accept = ["unblock", "flights", "--window", WEEK.key, "--test", "units:weather"]
    assert main([*accept, "--reason", "both were real"]) == 0
    assert "accepts 2 rows of units:weather: both were real" in capsys.readouterr().out
    settle(flights_spec, settings)
    assert main(["blocks"]) == 0
    assert "nothing is blocked" in capsys.readouterr().out


def test_unblock_of_what_is_not_blocked_is_refused(settings, capsys):
    accept = ["unblock", "flights", "--window", WEEK.key, "--test", "t", "--reason", "r"]
    assert main(accept) == 1
    assert "nothing is blocked by 't'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*accept, "--window", "last week"])
