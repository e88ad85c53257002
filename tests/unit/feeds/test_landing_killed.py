"""A landing that is killed at any moment, and run again, leaves what an undisturbed one leaves."""

import random
import subprocess
import sys
from pathlib import Path

from small_site import FIRST, Site

from ratchet.feeds import export_quarantine
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

SCRIPT = Path(__file__).with_name("killed_landing.py")
WEEK = Window.parse("2013-03-01T0000--2013-03-08T0000")


def kill_landings(
    spec: Spec, settings: Settings, window: Window, *delays_s_or_csv: float | Path
) -> int:
    path = settings.home / "spec.json"
    path.write_text(spec.model_dump_json())
    command = [sys.executable, SCRIPT, path, settings.home, window.key, *map(str, delays_s_or_csv)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_land_killed_wherever_a_file_is_written_leaves_the_same(site: Site) -> None:
    gates = site.spec.model_copy(update={"feeds": {"gates": site.spec.feeds["gates"]}})
    raw, written = 3, 3
    assert kill_landings(gates, site.settings, FIRST) == 2 * (raw + written)


def test_replay_killed_wherever_a_file_is_written_leaves_the_same(site: Site) -> None:
    gates = site.spec.model_copy(update={"feeds": {"gates": site.spec.feeds["gates"]}})
    site.spec = gates
    site.send("gates_20130301.csv", b"gate,size\nA1,1\nA2,big\nA3,10\n")
    site.land()
    path = site.settings.home / "corrected.csv"
    export_quarantine(site.refusals(), path)
    path.write_text(path.read_text().replace("big", "2", 1))
    correction, decision, written = 1, 1, 3
    refused = 1  # a ledger's first entry is offered twice: its store must refuse the second
    killed = kill_landings(gates, site.settings, FIRST, path)
    assert killed == 2 * (correction + decision + written) + refused


def test_land_killed_at_random_moments_of_a_real_week_leaves_the_same(
    spec: Spec, flights_inbox: Path, tmp_path: Path
) -> None:
    (tmp_path / "inbox").symlink_to(flights_inbox)
    delays_s = [random.Random(n).uniform(0.01, 0.3) for n in range(3)]
    assert kill_landings(spec, Settings(tmp_path, tmp_path), WEEK, *delays_s) > 0
