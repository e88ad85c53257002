"""Landing: from the inbox to one window's rows, accepted or quarantined with reasons.

Safe to kill and to repeat: every file is written whole, `accepted.parquet` last, and all of them
follow from the files that came. One that has left the inbox is taken from what was landed.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import duckdb

from ratchet.errors import FeedError
from ratchet.feeds.agreement import agree
from ratchet.feeds.contract import checked_sql, literal, text_column
from ratchet.feeds.control import ENDING
from ratchet.feeds.corrections import corrected_values, read_corrections
from ratchet.feeds.inbox import Sent, expected_days, files_of, promised_day, stamp_of
from ratchet.feeds.intake import Intake
from ratchet.feeds.reading import MB
from ratchet.feeds.records import (
    ACCEPTED,
    MANIFEST,
    QUARANTINE,
    FeedLanding,
    LandedFile,
    earlier_landings,
    read_manifest,
)
from ratchet.ledger import Ledger
from ratchet.settings import Settings
from ratchet.spec import refuse_other_region
from ratchet.spec.types import Feed, Spec
from ratchet.storage import atomic_path, write_atomic
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
    AccessError
        If the use case's data must stay in a region, and this store is in another.
    FeedError
        If the window can't be used: an expected file is missing or can't be read, a feed has more
        quarantined rows than its budget, or its contract was changed incompatibly under the same
        version, in which case the feed is as it was. Raised after all feeds are landed, so that
        what came can be looked at; the message names each fault and its remedy.
    """
    faults = [f"{spec.name} {window} can't be used:"]
    landings = []
    for landing, own in land_window(spec, window, settings, run_id):
        landings.append(landing)
        faults += own
    if len(faults) > 1:
        raise FeedError("\n- ".join(faults))
    return landings


def land_window(
    spec: Spec, window: Window, settings: Settings, run_id: str
) -> list[tuple[FeedLanding, list[str]]]:
    """Take in each feed's window; return them in the spec's order, with the faults of each.

    Raises
    ------
    FeedError
        If a feed's contract was changed incompatibly under the same version, or a raw file was
        changed. Raised after all other feeds are landed; names each fault and its remedy.
    """
    landings = []
    refused = [f"{spec.name} {window} can't be used:"]
    for name, feed in spec.feeds.items():
        try:
            landing = land_feed(spec, name, window, settings, run_id)
        except FeedError as error:
            refused.append(str(error))
            continue
        faults = faults_of(landing, feed, settings.inbox / spec.name / name)
        landings.append((landing, faults))
    if len(refused) > 1:
        refused += [fault for _, faults in landings for fault in faults]
        raise FeedError("\n- ".join(refused))
    return landings


def land_feed(
    spec: Spec, name: str, window: Window, settings: Settings, run_id: str
) -> FeedLanding:
    """Take in one feed's window; what it left may still have `faults_of` it.

    Raises
    ------
    AccessError
        If the use case's data must stay in a region, and this store is in another.
    FeedError
        If its contract was changed incompatibly under the same version, or a raw file was changed.
    """
    refuse_other_region(spec, settings.region)
    lake, inbox = settings.lake(spec.name), settings.inbox / spec.name / name
    folder = lake.landing(name, window)
    earlier = list(earlier_landings(lake, name, window))
    own = read_manifest(folder) if (folder / MANIFEST).exists() else None
    agreement = agree(
        spec,
        name,
        window,
        before=next((landing for landing in reversed(earlier) if landing.is_settled), None),
        own=own if own and own.is_settled else None,
    )
    if agreement.decision is not None:
        Ledger(lake.ledger).record(agreement.decision)
    known = {
        file.sha256: f"{file.name} of {landing.window}"
        for landing in earlier
        for file in landing.files
        if file.verdict == "accepted"
    }
    feed = agreement.contract.applied_to(spec.feeds[name])
    corrections = corrected_values(read_corrections(folder))
    intake = Intake(feed, window, known, corrections)
    sources = _landed_before(own, folder) | files_of(inbox, name, window)
    for file_name, sent in sorted(sources.items()):
        _keep(sent, _take(intake, feed, file_name, sent), folder, inbox)
    landing = FeedLanding(
        feed=name,
        window=window.key,
        run_id=run_id,
        files=tuple(intake.files),
        contract=agreement.contract,
        changes=agreement.changes,
        is_settled=own is not None and own.is_settled and own.contract == agreement.contract,
    )
    return _write(feed, window, intake, landing, folder, inbox)


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
            f"{feed.max_quarantined_share:.1%} may be; read why with `ratchet quarantine list`, "
            "correct the rows (`export`, then `replay`), the files or the spec, and land again"
        )
    return faults


def _misnamed(feed: str, inbox: Path) -> str:
    paths = inbox.iterdir() if inbox.is_dir() else ()
    names = sorted(
        path.name for path in paths if stamp_of(feed, path.name.removesuffix(ENDING)) is None
    )
    return f" (of another name, and not read: {', '.join(names)})" if names else ""


def _landed_before(own: FeedLanding | None, folder: Path) -> dict[str, Sent]:
    """Return the files that were landed in this folder before, by name."""
    files = own.files if own else ()
    return {file.name: Sent(file.day, file.raw(folder), file.raw_control(folder)) for file in files}


def _take(intake: Intake, feed: Feed, name: str, sent: Sent) -> LandedFile:
    """Give the intake a file, but nothing of one that is larger than the feed allows."""
    size = sent.path.stat().st_size
    control = sent.control.read_bytes() if sent.control.exists() else None
    if size > feed.max_file_mb * MB:
        return intake.take(name, sent.day, size, _sha256(sent.path), b"", control)
    content = sent.path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    return intake.take(name, sent.day, len(content), sha256, content, control)


def _keep(sent: Sent, file: LandedFile, folder: Path, inbox: Path) -> None:
    """Keep a file and its control file as they came."""
    pairs = [(sent.path, file.raw(folder), file.sha256)]
    if file.control_sha256 is not None:
        pairs.append((sent.control, file.raw_control(folder), file.control_sha256))
    for source, kept, sha256 in pairs:
        if source.parent == kept.parent and source != kept:
            name = source.name.partition("_")[2]
            raise FeedError(f"{source} was changed after it was landed; put {name} into {inbox}")
        if not kept.exists():
            with atomic_path(kept) as draft:
                shutil.copyfile(source, draft)
                if _sha256(draft) != sha256:
                    raise FeedError(f"{source} was changed while it was read; land again")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(
    feed: Feed, window: Window, intake: Intake, landing: FeedLanding, folder: Path, inbox: Path
) -> FeedLanding:
    """Check the rows; write the accepted, the quarantined and the manifest."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("read", intake.rows)
        connection.register("refused", intake.refused)
        connection.execute(f"create temp table checked as {checked_sql(feed, 'read')}")
        counts = connection.execute(
            "select _file, count(*), count(*) filter (_is_corrected) "
            "from checked where _reasons = [] group by 1"
        ).fetchall()
        by_file = {name: {"accepted": a, "corrected": c} for name, a, c in counts}
        files = (file.model_copy(update=by_file.get(file.name, {})) for file in landing.files)
        landing = landing.model_copy(update={"files": tuple(files)})
        if not faults_of(landing, feed, inbox):
            landing = landing.model_copy(update={"is_settled": True})
        landed = (
            f"timestamp '{window.end:%Y-%m-%d %H:%M}' as _loaded_at, "
            f"{literal(landing.run_id)} as _run_id, {literal(window.key)} as _window, _is_corrected"
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
            select
                _file, _row, _sha256, _is_corrected, json_object({values})::varchar as raw,
                _reasons as reasons
            from checked where _reasons <> []
            union all
            select * from refused
        )
        order by _file, _row"""  # noqa: S608


def _copy(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    with atomic_path(path) as draft:
        connection.execute(f"copy ({query}) to {literal(str(draft))} (format parquet)")
