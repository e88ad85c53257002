"""What a check says of a window's data: evidence, not yet a decision."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.settings import Settings
from ratchet.spec.types import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window

State = Literal["found", "ok", "appeared", "disappeared", "not_enough_data"]


class Finding(BaseModel):
    """One check on one thing: a feed or table, one of its columns, one of its segments.

    `found`, `appeared` and `disappeared` say that something is wrong; `ok` that it was looked at
    and is right; `not_enough_data` that nobody can tell. `observed` and `expected` are in the
    column's unit, `p_value` is the null law's where the check is a test. `rows` is how many rows
    were looked at, `broken` how many of them are wrong, where that can be said. `text` says it in
    one sentence, ending with what to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    subject: str
    column: str | None = None
    segment: str | None = None
    state: State
    rows: int
    broken: int | None = None
    observed: FiniteFloat | None = None
    expected: FiniteFloat | None = None
    p_value: FiniteFloat | None = None
    text: str

    @property
    def is_fault(self) -> bool:
        """Whether the check says that something is wrong."""
        return self.state in ("found", "appeared", "disappeared")

    @property
    def name(self) -> str:
        """Names the fault across windows: `check:subject.column[segment]`."""
        column = f".{self.column}" if self.column else ""
        segment = f"[{self.segment}]" if self.segment else ""
        return f"{self.check}:{self.subject}{column}{segment}"


_COLUMNS = pa.schema(
    [
        ("window", pa.string()),
        ("check", pa.string()),
        ("subject", pa.string()),
        ("column", pa.string()),
        ("segment", pa.string()),
        ("state", pa.string()),
        ("rows", pa.int64()),
        ("broken", pa.int64()),
        ("observed", pa.float64()),
        ("expected", pa.float64()),
        ("p_value", pa.float64()),
        ("text", pa.string()),
        ("is_blocking", pa.bool_()),
    ]
)


def write_findings(
    spec: Spec, window: Window, family: str, findings: list[Finding], settings: Settings
) -> list[Finding]:
    """Keep what a family of checks says of a window; return the faults that block.

    A fault blocks unless the spec accepts it by name, or declares its check a warning.
    """
    blocking = [f for f in findings if f.is_fault and spec.quality.blocks(f.check, f.name)]
    rows = [
        {"window": window.key, "is_blocking": finding in blocking, **finding.model_dump()}
        for finding in findings
    ]
    path = settings.lake(spec.name).findings / family / f"{window.key}.parquet"
    with atomic_path(path) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=_COLUMNS), draft)
    return blocking


def read_findings(
    spec: Spec, window: Window, settings: Settings, *, blocking: bool, family: str = "*"
) -> list[Finding]:
    """Return what a family of checks, or all of them, said of a window, or only what blocks."""
    folder = settings.lake(spec.name).findings
    rows = [
        row
        for path in sorted(folder.glob(f"{family}/{window.key}.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]
    known = Finding.model_fields
    return [
        Finding(**{name: value for name, value in row.items() if name in known})
        for row in rows
        if row["is_blocking"] or not blocking
    ]
