"""Landing: from the inbox to one window's rows, accepted or quarantined with reasons.

Safe to kill and to repeat: every file is written whole, `accepted.parquet` last, and all of them
follow from the files that came. One that has left the inbox is taken from what was landed.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from ratchet.errors import FeedError
from ratchet.feeds.contract import checked_sql, literal, text_column
from ratchet.feeds.inbox import expected_days, files_of, promised_day, stamp_of
from ratchet.feeds.intake import Intake
from ratchet.feeds.records import (
    ACCEPTED,
    MANIFEST,
    QUARANTINE,
    FeedLanding,
    earlier_landings,
    read_manifest,
)
from ratchet.settings import Lake, Settings
from ratchet.spec.types import Feed, Spec
from ratchet.storage import atomic_path, write_atomic, write_new
from ratchet.window import Window


def land(spec: Spec, window: Window, settings: Settings, run_id: str) -> list[FeedLanding]:
    """Take in what the producers of a use case sent for a window.

    Parameters
    ----------
    spec
        The use case; its feeds say which files are expected, and what their rows must hold.
    window
        Files of the days that end in it are taken.
    settings
        Names the inbox and the lake.
    run_id
        What `_run_id` says of every row.

    Returns
    -------
    list of FeedLanding
        One for each feed, in the spec's order.

    Raises
    ------
    FeedError
        If the window can't be used: an expected file is missing or can't be read, or a feed has
        more quarantined rows than its budget. Raised after all feeds are landed, so that what came
        can be looked at; the message names each fault and its remedy.
    """
    lake, inbox = settings.lake(spec.name), settings.inbox / spec.name
    landings = []
    faults = [f"{spec.name} {window} can't be used:"]
    with duckdb.connect(config={"threads": 1}) as connection:
        for name, feed in spec.feeds.items():
            intake = _take_in(name, feed, window, lake, inbox / name)
            folder = lake.landing(name, window)
            landing = _write(connection, name, feed, window, intake, folder, run_id)
            landings.append(landing)
            faults += faults_of(landing, feed, inbox / name)
    if len(faults) > 1:
        raise FeedError("\n- ".join(faults))
    return landings


def faults_of(landing: FeedLanding, feed: Feed, inbox: Path) -> list[str]:
    """Return why a feed's landed window can't be used, with a remedy each; none if it can.

    Parameters
    ----------
    landing
        What came.
    feed
        What was expected, and how many quarantined rows are allowed.
    inbox
        Where the feed's producer leaves files.
    """
    faults = []
    usable = {promised_day(feed, f.day) for f in landing.files if f.verdict == "accepted"}
    for day in expected_days(feed, Window.parse(landing.window)):
        if day not in usable:
            refused = [f for f in landing.files if promised_day(feed, f.day) == day]
            faults += [f"{f.name}: {f.reason}; ask {feed.producer} for it again" for f in refused]
            if not refused:
                faults.append(
                    f"{landing.feed}_{day:%Y%m%d}.csv is missing; ask {feed.producer} to send it "
                    f"to {inbox}{_misnamed(landing.feed, inbox)}"
                )
    if landing.quarantined > feed.max_quarantined_share * landing.rows:
        faults.append(
            f"{landing.feed}: {landing.quarantined} of {landing.rows} rows are quarantined, where "
            f"{feed.max_quarantined_share:.1%} may be; read why with `ratchet quarantine`, correct "
            "the files or the spec, and land again"
        )
    return faults


def _misnamed(feed: str, inbox: Path) -> str:
    paths = inbox.iterdir() if inbox.is_dir() else ()
    names = sorted(path.name for path in paths if stamp_of(feed, path.name) is None)
    return f" (of another name, and not read: {', '.join(names)})" if names else ""


def _take_in(name: str, feed: Feed, window: Window, lake: Lake, inbox: Path) -> Intake:
    """Read the window's files, and keep each as it came."""
    folder = lake.landing(name, window)
    known = {
        file.sha256: f"{file.name} of {landing.window}"
        for landing in earlier_landings(lake, name, window)
        for file in landing.files
        if file.verdict == "accepted"
    }
    intake = Intake(feed, window, known)
    sources = _landed_before(folder) | files_of(inbox, name, window)
    for file_name, (day, path) in sorted(sources.items()):
        content = path.read_bytes()
        kept = intake.take(file_name, day, content).raw(folder)
        if path.parent == kept.parent and path != kept:
            raise FeedError(f"{path} was changed after it was landed; put {file_name} into {inbox}")
        write_new(kept, content)
    return intake


def _landed_before(folder: Path) -> dict[str, tuple[date, Path]]:
    """Return the stamp and path of files that were landed in this folder before, by name."""
    if not (folder / MANIFEST).exists():
        return {}
    return {file.name: (file.day, file.raw(folder)) for file in read_manifest(folder).files}


def _write(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    feed: Feed,
    window: Window,
    intake: Intake,
    folder: Path,
    run_id: str,
) -> FeedLanding:
    """Check the rows; write the accepted, the quarantined and the manifest."""
    connection.register("read", intake.rows)
    connection.register("refused", intake.refused)
    connection.execute(f"create or replace temp table checked as {checked_sql(feed, 'read')}")
    count = connection.execute("select _file, count(*) from checked where _reasons = [] group by 1")
    accepted = dict(count.fetchall())
    landing = FeedLanding(
        feed=name,
        window=window.key,
        run_id=run_id,
        files=tuple(
            file.model_copy(update={"accepted": accepted.get(file.name, 0)})
            for file in intake.files
        ),
    )
    landed = (
        f"timestamp '{window.end:%Y-%m-%d %H:%M}' as _loaded_at, {literal(run_id)} as _run_id, "
        f"{literal(window.key)} as _window"
    )
    _copy(connection, _quarantined_sql(feed, landed), folder / QUARANTINE)
    write_atomic(folder / MANIFEST, landing.model_dump_json(indent=1).encode())
    _copy(connection, _accepted_sql(feed, landed), folder / ACCEPTED)
    return landing


def _accepted_sql(feed: Feed, landed: str) -> str:
    columns = ", ".join(f'"{name}"' for name in feed.columns)
    return f"""
        select {columns}, _file, _row, _sha256, {landed}
        from checked where _reasons = [] order by _file, _row"""  # noqa: S608


def _quarantined_sql(feed: Feed, landed: str) -> str:
    values = ", ".join(f"{literal(name)}, {text_column(name)}" for name in feed.columns)
    return f"""
        select _file, _row, _sha256, {landed}, raw, reasons from (
            select _file, _row, _sha256, json_object({values})::varchar as raw, _reasons as reasons
            from checked where _reasons <> []
            union all
            select * from refused
        )
        order by _file, _row"""  # noqa: S608


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    with atomic_path(path) as draft:
        connection.execute(f"copy ({query}) to {literal(str(draft))} (format parquet)")
