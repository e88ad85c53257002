"""What came of each feed, checked against its own past and against itself. No rule per case."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import duckdb

from ratchet.quality.clocks import clock_shift
from ratchet.quality.codes import code_swap
from ratchet.quality.copies import duplicate_burst
from ratchet.quality.finding import Finding, write_findings
from ratchet.quality.levels import unit_slip
from ratchet.quality.rows import FeedRows, partners, weeks
from ratchet.quality.silence import silent_feed, stuck_value
from ratchet.quality.values import impossible_value, off_grid
from ratchet.quality.volume import volume
from ratchet.settings import Settings
from ratchet.spec.types import Spec
from ratchet.window import Window

FAMILY = "feeds"
MIN_PAST_DAYS = 21  # three of each weekday; less of a past condemns what is only new
_MEMORY = "1GB"  # beyond it DuckDB spills to disk

Check = Callable[[FeedRows], list[Finding]]
CHECKS: dict[str, Check] = {
    "impossible_value": impossible_value,
    "off_grid": off_grid,
    "unit_slip": unit_slip,
    "duplicate_burst": duplicate_burst,
    "silent_feed": silent_feed,
    "stuck_value": stuck_value,
    "code_swap": code_swap,
    "clock_shift": clock_shift,
    "volume": volume,
}


def check_feeds(spec: Spec, window: Window, settings: Settings) -> list[Finding]:
    """Check what was landed for a window; keep all findings, and return those that block.

    Parameters
    ----------
    spec
        The use case. Feeds without `event_time` have no past, and are not compared with one.
    window
        A landed window. One that is longer than a week is checked week by week, so that its later
        weeks are compared with its earlier ones.
    settings
        Names the lake.

    Returns
    -------
    list of Finding
        The faults that block. Kept as family "feeds", with a finding of each check on each feed
        and week: found, ok, or not enough data.

    Raises
    ------
    FeedError
        If the window was not landed.
    """
    findings = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        duckdb.connect(
            config={"threads": 1, "memory_limit": _MEMORY, "temp_directory": scratch}
        ) as connection,
    ):
        for name, feed in spec.feeds.items():
            if feed.event_time is None:
                continue
            for start, end in weeks(window):
                related = partners(spec.feeds, name)
                rows = FeedRows(name, feed, spec.quality, start, end, connection, related)
                rows.load(settings.lake(spec.name), window)
                findings += _check(rows)
    return write_findings(spec, window, FAMILY, findings, settings)


def _check(rows: FeedRows) -> list[Finding]:
    """Run every check on a feed's week."""
    findings = []
    for name, check in CHECKS.items():
        if rows.past_days < MIN_PAST_DAYS:
            text = (
                f"{rows.past_days} days are known before {rows.start}, and {MIN_PAST_DAYS} are "
                "needed to tell what is usual; nothing to do but wait."
            )
            findings.append(rows.finding(name, text, state="not_enough_data"))
            continue
        found = check(rows)
        findings += found
        if not any(finding.is_fault for finding in found):
            judged = " in what could be judged" if found else ""
            text = f"Nothing unusual{judged} from {rows.start} to {rows.end}; nothing to do."
            findings.append(rows.finding(name, text, state="ok", broken=0))
    return findings
