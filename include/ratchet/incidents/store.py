"""Incidents below the lake: one table for each window, made of the one before it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from ratchet.decision import Decision
from ratchet.errors import IncidentError
from ratchet.incidents.alert import Alert, digests, ends_week, tell, week_of
from ratchet.incidents.evidence import Evidence, see
from ratchet.incidents.finding import Finding, read_judged
from ratchet.incidents.incident import Incident, resolved, step
from ratchet.incidents.people import (
    demoted,
    due_demotions,
    is_silenced,
    precision,
    resolutions,
)
from ratchet.ledger import Ledger
from ratchet.quality import read_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window

_TYPES = {
    **dict.fromkeys(
        ("subjects", "columns", "evidence", "silenced", "rules", "windows", "channels"),
        pa.list_(pa.string()),
    ),
    **dict.fromkeys(("reopened", "quiet", "rows"), pa.int64()),
    **dict.fromkeys(("value", "threshold"), pa.float64()),
    "is_verify": pa.bool_(),
}
INCIDENTS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Incident.model_fields])
ALERTS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Alert.model_fields])


def open_incidents(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Return the incidents that are open at a window's end, by cause and subject.

    They are worked out from what is stored of the window, and from the incidents at the end of the
    one before; what was there is replaced, and so is what was worked out of later windows. Running
    it again for any window gives the same.
    """
    known = [w for w in incident_windows(spec, settings) if w.key > window.key]
    incidents = _update(spec, window, settings)
    for later in known:
        _update(spec, later, settings)
    return [incident for incident in incidents if incident.is_open]


def known_incidents(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Return what `open_incidents` said of a window last; ask it where it has said nothing yet."""
    if not (_folder(spec, settings) / f"{window.key}.parquet").exists():
        return open_incidents(spec, window, settings)
    return [i for i in read_incidents(spec, window, settings) if i.is_open]


def incident_windows(spec: Spec, settings: Settings) -> list[Window]:
    """Return the windows whose incidents were worked out, oldest first."""
    return [
        Window.parse(key)
        for key in sorted(path.stem for path in _folder(spec, settings).glob("*.parquet"))
    ]


def read_incidents(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Return the incidents at a window's end: open ones, and those that may be opened again."""
    path = _folder(spec, settings) / f"{window.key}.parquet"
    return [Incident(**row) for row in pq.read_table(path, partitioning=None).to_pylist()]


def all_incidents(spec: Spec, settings: Settings) -> list[Incident]:
    """Return every incident that ever was, as it stood last, in the order of their beginnings.

    What a person resolved since the last window is resolved.
    """
    said = Ledger(settings.lake(spec.name).ledger).decisions("incident")
    latest = {
        incident.id: incident
        for window in incident_windows(spec, settings)
        for incident in read_incidents(spec, window, settings)
    }
    since = {
        decision.subject["incident"]: decision
        for decision in said
        if decision.verdict == "resolved"
        and (found := latest.get(decision.subject["incident"]))
        and found.window <= decision.window
    }
    incidents = (resolved(incident, since.get(incident.id)) for incident in latest.values())
    return sorted(incidents, key=lambda incident: (incident.windows[:1], incident.id))


def find_incident(spec: Spec, prefix: str, settings: Settings) -> Incident:
    """Return the incident whose id begins so.

    Raises
    ------
    IncidentError
        If there is none, or more than one.
    """
    found = [i for i in all_incidents(spec, settings) if i.id.startswith(prefix)]
    if len(found) != 1:
        said = f"{len(found)} incidents' ids begin" if found else "no incident's id begins"
        raise IncidentError(f"{spec.name}: {said} with {prefix!r}; see `ratchet incidents list`")
    return found[0]


def digests_now(spec: Spec, settings: Settings) -> list[Alert]:
    """Return the digest of each owner as it would be if the week ended with the last window.

    Raises
    ------
    IncidentError
        If no window has been looked at.
    """
    windows = incident_windows(spec, settings)
    if not windows:
        raise IncidentError(
            f"{spec.name}: no window was monitored; run {spec.name}__monitor_champion"
        )
    *earlier, window = windows
    told = read_alerts(spec, [window], settings)
    return _digests(spec, window, earlier, told, all_incidents(spec, settings), settings)


def read_alerts(spec: Spec, windows: Iterable[Window], settings: Settings) -> list[Alert]:
    """Return what there was to tell of some windows, in their order."""
    folder = _alerts(spec, settings)
    paths = [folder / f"{window.key}.parquet" for window in windows]
    return [
        Alert(**row)
        for path in paths
        if path.exists()
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]


def alerts_by_channel(spec: Spec, window: Window, settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield the id of each alert of a window with each of its channels."""
    path = _alerts(spec, settings) / f"{window.key}.parquet"
    if path.exists():
        for row in pq.ParquetFile(path).read(["id", "channels"]).to_pylist():
            yield from ((row["id"], channel) for channel in row["channels"])


def _update(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    """Work out the incidents of a window, and what to tell of them."""
    ledger = Ledger(settings.lake(spec.name).ledger)
    earlier = [w for w in incident_windows(spec, settings) if w.key < window.key]
    before = read_incidents(spec, earlier[-1], settings) if earlier else []
    said = ledger.decisions("incident")
    marks = [decision for decision in said if decision.verdict != "resolved"]
    demotions = ledger.decisions("demotion")
    demotions += map(ledger.record, due_demotions(spec, marks, demotions, window))
    stepped = step(
        before,
        see(spec, window, settings),
        resolutions(said, earlier[-1], window) if earlier else {},
        demoted(demotions, window),
        partial(_last_good, spec, window, settings),
        spec,
    )
    silences = ledger.decisions("silence")
    week = [w for w in earlier if week_of(w) == week_of(window)]
    told, incidents = tell(
        before,
        stepped,
        read_alerts(spec, week, settings),
        lambda incident: is_silenced(incident, silences, window),
        window,
        spec.alerts,
    )
    if ends_week(window):
        told += _digests(spec, window, earlier, told, incidents, settings)
    _write(_alerts(spec, settings) / f"{window.key}.parquet", ALERTS, told)
    # last, as these say that the window was looked at
    _write(_folder(spec, settings) / f"{window.key}.parquet", INCIDENTS, incidents)
    return incidents


def _digests(
    spec: Spec,
    window: Window,
    earlier: list[Window],
    told: list[Alert],
    incidents: list[Incident],
    settings: Settings,
) -> list[Alert]:
    closed = max((n for n, w in enumerate(earlier) if ends_week(w)), default=-1)
    since = [*read_alerts(spec, earlier[closed + 1 :], settings), *told]
    said = Ledger(settings.lake(spec.name).ledger).decisions("incident")
    marks = [d for d in said if d.verdict != "resolved" and d.window < window.key]
    week = [alert for alert in since if alert.event != "digest"]
    return digests(spec.name, incidents, week, _precision(marks), window, spec.alerts)


def _precision(marks: Iterable[Decision]) -> dict[str, str]:
    """Say how useful people found what they were told, by owner's address."""
    by_owner: dict[str, list[Decision]] = defaultdict(list)
    for decision in marks:
        by_owner[str(decision.evidence["owner"])].append(decision)
    return {
        owner: f"Of {len(of_owner)} marked, {precision(of_owner):.0%} were useful."
        for owner, of_owner in by_owner.items()
    }


def _write(path: Path, schema: pa.Schema, records: Iterable[BaseModel]) -> None:
    with atomic_path(path) as draft:
        rows = [record.model_dump() for record in records]
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), draft)


def _last_good(spec: Spec, window: Window, settings: Settings, evidence: Evidence) -> str | None:
    """Return the last window before one in which something was looked at and right."""
    lake = settings.lake(spec.name)
    of_data = evidence.kind != "finding"
    looked = (
        lake.findings.glob("*/*.parquet")
        if of_data
        else (lake.incidents / "findings").glob("*.parquet")
    )
    for key in sorted({path.stem for path in looked if path.stem < window.key}, reverse=True):
        before = Window.parse(key)
        if of_data:
            faults = read_findings(spec, before, settings, blocking=False)
            if evidence.name not in {f.name for f in faults if f.is_fault}:
                return key
        elif _is_good(evidence, read_judged(spec, before, settings, [evidence.column])):
            return key
    return None


def _is_good(evidence: Evidence, judged: list[Finding]) -> bool:
    """Say whether something was right in a window: the same segment, or else all that there are."""
    place = (evidence.source, evidence.subject, evidence.column)
    alike = [f for f in judged if (f.source, f.subject, f.column) == place]
    same = [f for f in alike if f.segment == evidence.segment] or alike
    return bool(same) and all(f.state == "ok" for f in same)


def _folder(spec: Spec, settings: Settings) -> Path:
    return settings.lake(spec.name).incidents / "incidents"


def _alerts(spec: Spec, settings: Settings) -> Path:
    return settings.lake(spec.name).incidents / "alerts"
