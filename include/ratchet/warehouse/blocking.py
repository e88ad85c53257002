"""Which tables nobody may read, for which window and why; and what people accept all the same.

A test that finds rows, or a finding on a feed or the features, is a cause. It blocks the tables
that it is on and all that read them, and nothing else. While a window is being built, all that it
writes is blocked by `UNFINISHED`: its rows are in the warehouse, and have not been tested. Blocks
of a window hold until that window is built again, whatever windows come after it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from ratchet.decision import Clause, Decision
from ratchet.errors import BuildError
from ratchet.ledger import Ledger
from ratchet.quality import Finding, read_findings
from ratchet.settings import Lake, Settings
from ratchet.spec import Spec
from ratchet.storage import atomic_path
from ratchet.warehouse.invocation import DBT_PROJECT
from ratchet.window import Window

LAYERS = ("bronze", "silver", "gold")
FAMILIES = ("landing", "feeds", "freshness", "segments")  # a leak blocks training alone
UNFINISHED = "unfinished_build"
BUILD_ERROR = "build_error:"  # and the model or test that can't run on what is blocked

_GONE = "built again, and not found any more"
_PASSING_RUN = "_run_id"  # says who built a row, and not what is in it
COLUMNS = pa.schema(
    [
        ("window", pa.string()),
        ("table_name", pa.string()),
        ("blocked_by", pa.string()),
        ("state", pa.string()),
        ("rows", pa.int64()),
        ("rows_path", pa.string()),
        ("since", pa.timestamp("us")),
        ("reason", pa.string()),
    ]
)


class Cause(BaseModel):
    """A test that found rows, a finding on a feed or the features, or what can't run on those.

    `on` names models, or sources as `source:<feed>`. `rows` is how many are wrong, None if nobody
    can say. `rows_path` is where they lie, relative to the use case's folder. `accepted` is why
    they do not block; None if they do. `error` is what dbt said of a model or test that could not
    run on blocked tables; nobody can accept that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    on: tuple[str, ...]
    rows: int | None = None
    rows_path: str | None = None
    accepted: str | None = None
    error: str | None = None

    @property
    def text(self) -> str:
        """What was found, in one sentence."""
        if self.error:
            return f"on tables that are blocked, {self.error}"
        rows = "" if self.rows is None else f" {self.rows:,} rows"
        return f"{self.name} found{rows} that must not be there"


class Block(BaseModel):
    """One table of one window, and one cause for which it was blocked.

    `table_name` is `<layer>.<model>`; `since` is the window's end (naive UTC): what is newer is not
    published. `reason` says why it is unblocked, or what dbt said of what can't run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str
    table_name: str
    blocked_by: str
    state: Literal["blocked", "unblocked"]
    rows: int | None = None
    rows_path: str | None = None
    since: datetime
    reason: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it apart: window, cause and table."""
        return self.window, self.blocked_by, self.table_name

    @property
    def text(self) -> str:
        """What is blocked by what, in one sentence."""
        rows = "" if self.rows is None else f" ({self.rows:,} rows)"
        window = Window.parse(self.window)
        return f"{self.table_name} is blocked by {self.blocked_by}{rows} in {window}"


def read_blocks(spec: Spec, settings: Settings) -> list[Block]:
    """Return all that is or was blocked, by window, cause and table."""
    folder = settings.lake(spec.name).blocks
    return [block for path in sorted(folder.glob("*.parquet")) for block in _read(path)]


def open_blocks(spec: Spec, settings: Settings) -> list[Block]:
    """Return what is blocked now."""
    return [block for block in read_blocks(spec, settings) if block.state == "blocked"]


def begin(spec: Spec, window: Window, layer: str, settings: Settings) -> None:
    """Block a layer, and those above it, until the window's build has ended and is published."""
    lake = settings.lake(spec.name)
    path = _path(lake, window)
    known = [block for block in _read(path) if block.blocked_by != UNFINISHED]
    tables = (
        f"{folder}.{model.stem}"
        for folder in LAYERS[LAYERS.index(layer) :]
        for model in (DBT_PROJECT / "models" / folder / spec.name).glob("**/*.sql")
    )
    _write(path, known + [_block(window, table, UNFINISHED, "blocked") for table in tables])


def release_others(spec: Spec, window: Window, settings: Settings) -> None:
    """Unblock what tests blocked in earlier windows, as a build of all of them tests them again.

    What the checks on their feeds found stays blocked: only their own windows look at that again.
    """
    lake = settings.lake(spec.name)
    for path in lake.blocks.glob("*.parquet"):
        if path.stem < window.key:
            of_feeds = _findings(spec, Window.parse(path.stem), settings)
            blocks = [
                block if block.blocked_by in of_feeds else _unblocked(block)
                for block in _read(path)
                if block.blocked_by != UNFINISHED
            ]
            _write(path, blocks)


def settle(
    spec: Spec,
    window: Window,
    causes: list[Cause],
    reads: Mapping[str, Mapping[str, Collection[str]]],
    settings: Settings,
) -> None:
    """Write what is blocked in a window whose build has ended.

    Parameters
    ----------
    causes
        What its tests and the checks on its feeds found.
    reads
        What each model reads, by layer and model: models, and sources as `source:<feed>`.
    """
    lake = settings.lake(spec.name)
    path = _path(lake, window)
    found = {
        block.key: block
        for cause in causes
        for table in downstream(set(cause.on), reads)
        for block in [_of_cause(window, table, cause)]
    }
    gone = [
        _unblocked(block)
        for block in _read(path)
        if block.blocked_by != UNFINISHED and block.key not in found
    ]
    _write(path, [*found.values(), *gone])


def causes_of_findings(spec: Spec, window: Window, settings: Settings) -> list[Cause]:
    """Return what checks on a window's feeds and features found that blocks, accepted or not."""
    return [
        Cause(
            name=name,
            on=(
                (
                    f"source:{subject}"
                    if (subject := findings[0].subject) in spec.feeds
                    else subject
                ),
            ),
            rows=sum(f.broken for f in findings if f.broken) or None,
            rows_path=f"findings/*/{window.key}.parquet",
            accepted=_acceptance(spec, name, {_sha256(findings)}, settings),
        )
        for name, findings in _findings(spec, window, settings).items()
    ]


def blocked_tables(
    spec: Spec,
    window: Window,
    causes: list[Cause],
    reads: Mapping[str, Mapping[str, Collection[str]]],
    settings: Settings,
) -> set[str]:
    """Return what nobody may read, by a window's tests and findings so far or by another window."""
    causes = causes + causes_of_findings(spec, window, settings)
    roots = {name for cause in causes if cause.accepted is None for name in cause.on}
    elsewhere = {
        block.table_name
        for block in open_blocks(spec, settings)
        if block.window != window.key and block.blocked_by != UNFINISHED
    }
    return elsewhere | set(downstream(roots, reads))


def acceptance_of_rows(spec: Spec, test: str, found: Path, settings: Settings) -> str | None:
    """Return why the rows that a test found are accepted; None if any of them is not."""
    accepted = settings.lake(spec.name).accepted
    columns = pq.read_schema(found).names
    same = {
        sha256: path
        for sha256 in _accepted_evidence(spec, test, settings)
        if (path := accepted / f"{sha256}.parquet").exists()
        and pq.read_schema(path).names == columns
    }
    if not same:
        return None
    content = ", ".join(f'"{column}"' for column in columns if column != _PASSING_RUN)
    with duckdb.connect() as connection:
        remaining = connection.execute(
            f"select {content} from read_parquet(?) except select {content} from read_parquet(?)",  # noqa: S608
            [str(found), [str(path) for path in same.values()]],
        ).fetchone()
    return None if remaining else _acceptance(spec, test, set(same), settings)


def unblock(
    spec: Spec, window: Window, name: str, reason: str, author: str, settings: Settings
) -> Decision:
    """Record that a person accepts what a test or a check found in a window, once.

    Exactly what was found is accepted: if the window's next build finds anything else, that
    blocks. Nothing is published by this; refine the window again.

    Parameters
    ----------
    name
        What `Block.blocked_by` says.
    reason, author
        Why, and who.

    Raises
    ------
    BuildError
        If that blocks nothing in the window.
    """
    lake = settings.lake(spec.name)
    blocks = [block for block in open_blocks(spec, settings) if block.window == window.key]
    blocks = [b for b in blocks if not b.blocked_by.startswith((UNFINISHED, BUILD_ERROR))]
    block = next((b for b in blocks if b.blocked_by == name), None)
    if block is None:
        known = sorted({b.blocked_by for b in blocks})
        raise BuildError(
            f"{spec.name} {window}: nothing is blocked by {name!r}; "
            f"{'name one of ' + ', '.join(known) if known else 'see ratchet blocks'}"
        )
    findings = _findings(spec, window, settings).get(name)
    if findings is not None:
        evidence = _sha256(findings)
    else:
        evidence = _keep(lake, lake.root / str(block.rows_path))
    found = "what was found" if block.rows is None else f"{block.rows:,} rows"
    clause = Clause(
        name="person_accepts",
        passed=True,
        observed=reason,
        required="a reason",
        text=f"{author} accepts {found} of {name}: {reason}",
    )
    return Ledger(lake.ledger).record(
        Decision(
            kind="unblock",
            use_case=spec.name,
            window=window.key,
            verdict="accepted",
            clauses=(clause,),
            subject={"blocked_by": name, "evidence": evidence},
            author=author,
        )
    )


def _keep(lake: Lake, rows: Path) -> str:
    if not rows.exists():
        raise BuildError(f"{rows} is gone: refine the window again, then look at what it finds")
    sha256 = hashlib.sha256(rows.read_bytes()).hexdigest()
    with atomic_path(lake.accepted / f"{sha256}.parquet") as draft:
        shutil.copyfile(rows, draft)
    return sha256


def _accepted_evidence(spec: Spec, name: str, settings: Settings) -> dict[str, str]:
    decisions = Ledger(settings.lake(spec.name).ledger).decisions("unblock")
    return {
        decision.subject["evidence"]: "; ".join(decision.reasons)
        for decision in decisions
        if decision.subject["blocked_by"] == name
    }


def _acceptance(spec: Spec, name: str, evidence: set[str], settings: Settings) -> str | None:
    reasons = _accepted_evidence(spec, name, settings)
    return "; ".join(reasons[sha256] for sha256 in reasons if sha256 in evidence) or None


def _findings(spec: Spec, window: Window, settings: Settings) -> dict[str, list[Finding]]:
    """Return blocking findings on feeds and features by name: one for each week of a window."""
    found: dict[str, list[Finding]] = {}
    for family in FAMILIES:
        for finding in read_findings(spec, window, settings, blocking=True, family=family):
            found.setdefault(finding.name, []).append(finding)
    return found


def _sha256(findings: list[Finding]) -> str:
    content = [finding.model_dump_json() for finding in findings]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def downstream(
    roots: set[str], reads: Mapping[str, Mapping[str, Collection[str]]]
) -> dict[str, None]:
    """Return the tables of models, and of those that read them however indirectly."""
    reached = set(roots)
    tables: dict[str, None] = {}
    grows = True
    while grows:
        more = {
            f"{layer}.{model}": model
            for layer, models in reads.items()
            for model, parents in models.items()
            if model in reached or not reached.isdisjoint(parents)
        }
        grows = not more.keys() <= tables.keys()
        tables |= dict.fromkeys(sorted(more))
        reached |= set(more.values())
    return tables


def _block(
    window: Window, table: str, blocked_by: str, state: Literal["blocked", "unblocked"]
) -> Block:
    since = window.end.replace(tzinfo=None)
    return Block(
        window=window.key, table_name=table, blocked_by=blocked_by, state=state, since=since
    )


def _of_cause(window: Window, table: str, cause: Cause) -> Block:
    state: Literal["blocked", "unblocked"] = "unblocked" if cause.accepted else "blocked"
    return _block(window, table, cause.name, state).model_copy(
        update={
            "rows": cause.rows,
            "rows_path": cause.rows_path,
            "reason": cause.accepted or cause.error,
        }
    )


def _unblocked(block: Block) -> Block:
    if block.state == "unblocked":
        return block
    return block.model_copy(update={"state": "unblocked", "reason": _GONE})


def _path(lake: Lake, window: Window) -> Path:
    return lake.blocks / f"{window.key}.parquet"


def _read(path: Path) -> list[Block]:
    return [Block(**row) for row in pq.read_table(path).to_pylist()] if path.exists() else []


def _write(path: Path, blocks: list[Block]) -> None:
    if not blocks:
        path.unlink(missing_ok=True)
        return
    rows = [block.model_dump() for block in sorted(blocks, key=lambda block: block.key)]
    with atomic_path(path) as draft:
        pq.write_table(pa.Table.from_pylist(rows, schema=COLUMNS), draft)
