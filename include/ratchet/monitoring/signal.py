"""What monitoring measures of a window: one departure from what was expected, with its evidence.

A signal is not yet a finding. Whether it is one depends on all signals of its family, on the
windows before, and on what else is wrong; `ratchet.monitoring.findings` judges that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.window import Window

Family = Literal[
    "feature_drift",
    "prediction_drift",
    "label_drift",
    "missingness",
    "multivariate_drift",
    "performance",
    "estimate",
    "kpi",
    "service",
]


class Signal(BaseModel):
    """One measure of one thing in one window, beside what was expected of it.

    `family` is what is corrected together for multiplicity; `rule` names the measure within it.
    `subject` is a table, model, KPI or service; `column` and `segment` narrow it down. `rows` is
    how many rows `value` rests on, and `is_enough` whether these can tell anything. `effect` is the
    size of the departure in `unit`, 0 for none and larger for worse, whatever its direction; below
    `floor` nobody would act on it, and `null_limit` is what it stays below in 999 of 1,000 windows
    in which nothing changed. `p_value` is the null law's. `reference` says what it is compared
    with, and `text` ends with what to do. All numbers are None where there are too few rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str
    family: Family
    rule: str
    subject: str
    column: str | None = None
    segment: str | None = None
    rows: int = Field(ge=0)
    is_enough: bool
    value: FiniteFloat | None = None
    expected: FiniteFloat | None = None
    effect: FiniteFloat | None = Field(default=None, ge=0)
    floor: FiniteFloat = Field(gt=0)
    null_limit: FiniteFloat | None = None
    p_value: FiniteFloat | None = Field(default=None, ge=0, le=1)
    direction: Literal["up", "down"] | None = None
    unit: str
    reference: str
    text: str

    @property
    def name(self) -> str:
        """Names what is measured across windows: `family.rule:subject.column[segment]`."""
        column = f".{self.column}" if self.column else ""
        segment = f"[{self.segment}]" if self.segment else ""
        return f"{self.family}.{self.rule}:{self.subject}{column}{segment}"


_TYPES = {
    "rows": pa.int64(),
    "is_enough": pa.bool_(),
    **dict.fromkeys(
        ("value", "expected", "effect", "floor", "null_limit", "p_value"), pa.float64()
    ),
}
SIGNALS = pa.schema([(name, _TYPES.get(name, pa.string())) for name in Signal.model_fields])


def write_signals(
    spec: Spec, window: Window, source: str, signals: Sequence[Signal], settings: Settings
) -> None:
    """Keep what one source says of a window; what it said before of the same window is replaced."""
    path = settings.lake(spec.name).monitoring / "signals" / source / f"{window.key}.parquet"
    rows = [signal.model_dump() for signal in signals]
    with atomic_path(path) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=SIGNALS), draft)


def read_signals(spec: Spec, windows: Iterable[Window], settings: Settings) -> list[Signal]:
    """Return what all sources said of some windows, in the windows' order, then by source."""
    folder = settings.lake(spec.name).monitoring / "signals"
    return [
        Signal(**row)
        for window in windows
        for path in sorted(folder.glob(f"*/{window.key}.parquet"))
        for row in pq.read_table(path, partitioning=None).to_pylist()
    ]
