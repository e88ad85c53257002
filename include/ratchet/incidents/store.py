"""Incidents below the lake: one table for each window, made of the one before it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ratchet.incidents.evidence import Evidence, see
from ratchet.incidents.finding import read_judged
from ratchet.incidents.incident import Incident, step
from ratchet.incidents.people import demotions, resolutions
from ratchet.quality import read_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window

_TYPES = {
    **dict.fromkeys(
        ("subjects", "columns", "evidence", "silenced", "rules", "windows"), pa.list_(pa.string())
    ),
    **dict.fromkeys(("reopened", "quiet", "rows"), pa.int64()),
    **dict.fromkeys(("value", "threshold"), pa.float64()),
    "is_verify": pa.bool_(),
}
INCIDENTS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Incident.model_fields])


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
    """Return every incident that ever was, as it stood last, in the order of their beginnings."""
    latest = {
        incident.id: incident
        for window in incident_windows(spec, settings)
        for incident in read_incidents(spec, window, settings)
    }
    return sorted(latest.values(), key=lambda incident: (incident.windows[:1], incident.id))


def _update(spec: Spec, window: Window, settings: Settings) -> list[Incident]:
    earlier = [w for w in incident_windows(spec, settings) if w.key < window.key]
    before = read_incidents(spec, earlier[-1], settings) if earlier else []
    seen = see(spec, window, settings)
    incidents = step(
        before,
        seen,
        resolutions(spec, earlier[-1], window, settings) if earlier else {},
        demotions(spec, window, settings),
        partial(_last_good, spec, window, settings),
        spec,
    )
    with atomic_path(_folder(spec, settings) / f"{window.key}.parquet") as draft:
        rows = [incident.model_dump() for incident in incidents]
        pq.write_table(pa.Table.from_pylist(rows, schema=INCIDENTS), draft)
    return incidents


def _last_good(spec: Spec, window: Window, settings: Settings, evidence: Evidence) -> str | None:
    """Return the last window before one in which something was looked at and right."""
    lake = settings.lake(spec.name)
    of_data = evidence.family == "data"
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
        elif any(
            f.name == evidence.name and f.state == "ok" for f in read_judged(spec, before, settings)
        ):
            return key
    return None


def _folder(spec: Spec, settings: Settings) -> Path:
    return settings.lake(spec.name).incidents / "incidents"
