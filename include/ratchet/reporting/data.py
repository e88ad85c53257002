"""The report on a use case's data: what the checks found, and what else is odd in it."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ratchet.quality import Finding, profile_feeds, read_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window

Fault = tuple[Finding, list[str], bool]


def data_report(spec: Spec, settings: Settings, *, width: int = 110) -> str:
    """Return what is known of a use case's landed data, as text: worst first.

    Parameters
    ----------
    width
        Columns of the terminal.

    Raises
    ------
    FeedError
        If a feed was never landed.
    """
    out = StringIO()
    console = Console(file=out, width=width, highlight=False)
    windows = _checked(spec, settings)
    faults = _faults(spec, windows, settings)
    console.rule(f"{spec.title}: the data of {len(windows)} checked windows", align="left")
    found = _table("What the checks found", "name", "windows", "does", "what, the first time")
    for finding, keys, is_blocking in faults:
        does = "blocks" if is_blocking else _why_not(spec, finding)
        found.add_row(escape(finding.name), str(len(keys)), escape(does), escape(finding.text))
    console.print(found if faults else "The checks found nothing.")
    odd = _table("What else is odd, and is no fault by itself", "feed", "rows", "what", "first")
    for fact in profile_feeds(spec, settings):
        odd.add_row(fact.feed, f"{fact.rows:,}", escape(fact.text), escape(fact.example))
    console.print(odd)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join(lines) + "\n"


def _checked(spec: Spec, settings: Settings) -> list[Window]:
    """Return the windows of which a check has said something, oldest first."""
    found = settings.lake(spec.name).findings.glob("*/*--*.parquet")
    return [Window.parse(key) for key in sorted({path.stem for path in found})]


def _faults(spec: Spec, windows: list[Window], settings: Settings) -> list[Fault]:
    """Return each fault by name: as first said, its windows, and whether it blocks any of them."""
    faults: dict[str, Fault] = {}
    for window in windows:
        blocking = {f.name for f in read_findings(spec, window, settings, blocking=True)}
        for finding in read_findings(spec, window, settings, blocking=False):
            if finding.is_fault:
                name = finding.name
                first, keys, blocks = faults.get(name, (finding, [], False))
                if window.key not in keys:
                    keys = [*keys, window.key]
                faults[name] = first, keys, blocks or name in blocking
    return sorted(faults.values(), key=lambda fault: (not fault[2], -len(fault[1]), fault[0].name))


def _why_not(spec: Spec, finding: Finding) -> str:
    """Say why a fault does not block: somebody accepted it, or its check only warns."""
    return "accepted" if finding.name in spec.quality.accepted else "warns"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1))
    for column in columns:
        table.add_column(column, justify="right" if column in ("rows", "windows") else "left")
    return table
