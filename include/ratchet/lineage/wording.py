"""Traces as text, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from ratchet.lineage.trace import BackwardTrace, ForwardTrace

_SHORT = 12  # digits of a hash: enough to tell ours apart
_LINES = 6  # ranges of lines shown for a file


def backward_text(trace: BackwardTrace, *, full: bool) -> str:
    """Say what a prediction was made of, step by step; `full` names every line of every file."""
    return "\n".join(_backward(trace, full))


def forward_text(trace: ForwardTrace) -> str:
    """Say what was made of a file."""
    return "\n".join(_forward(trace))


def _backward(trace: BackwardTrace, full: bool) -> Iterator[str]:
    p, code = trace.prediction, trace.code
    yield f"prediction  {trace.use_case} {p.key}, decided at {p.decided_at} UTC"
    yield f"            {p.says}"
    yield f"            by {p.role} {p.version}, scored in {p.window}"
    same = "the same" if trace.is_same else f"{trace.again}: its gold row changed"
    yield f"            asked again today, it answers {same}"
    if trace.release and trace.snapshot:
        manifest, snapshot = trace.release.manifest, trace.snapshot
        yield f"release     version {p.version}: {manifest.candidate}, of {manifest.window}"
        yield f"            trained because of: {trace.trigger}"
        for name, digest in sorted(manifest.files.items()):
            yield f"            {name} {digest[:_SHORT]}"
        yield f"            code {manifest.code_sha256[:_SHORT]}"
        yield f"            lock {manifest.lock_sha256[:_SHORT]}"
        yield f"snapshot    {snapshot.id}"
        yield f"            {snapshot.rows:,} rows: labels known by the end of {snapshot.window}"
    changed = "as now" if code.sql_then == code.sql_now else f"and now {code.sql_now[:_SHORT]}"
    yield f"SQL         {(code.sql_then or 'unknown')[:_SHORT]} when it was built, {changed}"
    yield f"            commit {code.commit or 'unknown'}"
    yield "rows        made of, by model (its SQL's hash):"
    for step in trace.steps:
        lost = (
            f", of which {step.changed:,} are not what the SQL makes today" if step.changed else ""
        )
        yield f"            {step.rows:9,} {step.model.table} ({step.model.sha256[:_SHORT]}){lost}"
    yield from _files(trace, full)


def _files(trace: BackwardTrace, full: bool) -> Iterator[str]:
    yield "files       lines of its own, by key:"
    for name, lines in trace.own.items():
        yield f"            {name} {ranges(lines)}"
    for feed, group in groupby(trace.files, key=lambda file: file.feed):
        files = list(group)
        total = sum(len(file.lines) for file in files)
        yield f"{feed:11} {total:,} lines of {len(files)} files, through joins and aggregates:"
        for file in files if full else files[-_LINES:]:
            yield (
                f"            {file.file} {file.sha256[:_SHORT]} of {file.window}: "
                f"{len(file.lines):,} lines: {ranges(file.lines, None if full else _LINES)}"
            )
        if not full and len(files) > _LINES:
            yield f"            … and {len(files) - _LINES} earlier files (--full names them all)"


def _forward(trace: ForwardTrace) -> Iterator[str]:
    file = trace.file
    yield f"file        {file.name} {file.sha256}"
    yield f"            {trace.feed}, landed in {trace.window}: {file.verdict}"
    yield f"            {file.accepted:,} of {file.rows:,} rows accepted" + (
        f" ({file.reason})" if file.reason else ""
    )
    yield "rows        made of it, by model:"
    yield from (f"            {count:9,} {table}" for table, count in trace.tables.items() if count)
    yield f"snapshots   {len(trace.snapshots)} hold rows that were made of it:"
    for snapshot in trace.snapshots:
        versions = ", ".join(snapshot.versions) or "none"
        yield (
            f"            {snapshot.id[:_SHORT]} {snapshot.touched:,} of {snapshot.rows:,} rows; "
            f"releases {versions}"
        )
    acted = "" if trace.acted is None else f", {trace.acted:,} acted on"
    yield f"predictions {trace.predictions:,} from features made of it{acted}"
    yield from (f"            such as {key}" for key in trace.examples)
    yield f"            {trace.by_releases:,} by releases that had learned from it"


def ranges(lines: tuple[int, ...], limit: int | None = None) -> str:
    """Write sorted numbers as ranges, at most `limit` of them.

    Examples
    --------
    >>> ranges((2, 3, 4, 7, 9, 10))
    '2-4, 7, 9-10'
    >>> ranges((2, 3, 4, 7, 9, 10), 2)
    '2-4, 7, …'
    """
    numbered = enumerate(lines)
    runs = [
        [line for _, line in run] for _, run in groupby(numbered, lambda pair: pair[1] - pair[0])
    ]
    texts = [str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs]
    more = ["…"] if limit is not None and len(texts) > limit else []
    return ", ".join([*texts[:limit], *more])
