"""Decisions for a person: all of them in a list, and one of them in full."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from ratchet.decision import Decision, Kind
from ratchet.ledger import Entry, Ledger
from ratchet.window import Window

# Digits of an id that are shown: of a million entries two share them with a chance of under .001.
_DIGITS = 12
# What two decisions are about if both name the same: other parts of a subject recur by themselves.
_SAME = {"snapshot": "snapshot", "model": "model", "version": "version", "champion": "version"}
# Of one window, a decision prepares those of later kinds, and whatever is about a model.
_ORDER: tuple[Kind, ...] = ("contract", "correction", "unblock", "data", "retrain")


def list_decisions(
    ledger: Ledger, kind: Kind | None = None, window: str | None = None, verdict: str | None = None
) -> str:
    """List decisions in the order in which they were recorded, with id and reasons.

    Parameters
    ----------
    kind, window, verdict
        None lists all. A window is named by its key.

    Raises
    ------
    LedgerError
        If an entry is missing or was changed.
    """
    lines = []
    for entry in ledger.entries(kind):
        decision = entry.decision
        if window in (None, decision.window) and verdict in (None, decision.verdict):
            lines.append(_title(entry))
            lines += [f"    {reason}" for reason in decision.reasons]
    return _text(lines)


def explain_decision(ledger: Ledger, prefix: str) -> str:
    """Say all that the ledger knows of a decision.

    Its clauses, its evidence, the decisions that it rests on, and those that followed from it.
    Two decisions belong together if they name the same snapshot, model or version, or if one of a
    window prepares the other of the same window.

    Parameters
    ----------
    prefix
        The first digits of its id, as many as no other has.

    Raises
    ------
    LedgerError
        If there is no such decision, or more than one; if an entry is missing or was changed.
    """
    entry = ledger.find(prefix)
    decision = entry.decision
    others = [other for other in ledger.entries() if other.number != entry.number]
    before = [other for other in others if _leads_to(other, entry)]
    after = [other for other in others if _leads_to(entry, other)]
    lines = [
        f"{decision.use_case} {decision.window}: {decision.kind} {decision.verdict}",
        f"  id        {entry.sha256}",
        f"  entry     {entry.number}, recorded {entry.recorded_at:%Y-%m-%d %H:%M:%S} UTC",
        f"  author    {decision.author}",
        *(f"  {name:9} {value}" for name, value in decision.subject.items()),
        "",
        "Clauses",
        *_clauses(decision),
        *_evidence(entry),
        *_listed("Rests on", before),
        *_listed("Followed by", after),
    ]
    return _text(lines)


def _text(lines: Iterable[str]) -> str:
    """Join lines. What people wrote can't begin another line, or speak to the terminal."""
    return "".join(
        "".join(each if each.isprintable() else repr(each)[1:-1] for each in line) + "\n"
        for line in lines
    )


def _leads_to(earlier: Entry, later: Entry) -> bool:
    if earlier.number >= later.number:
        return False
    first, second = earlier.decision, later.decision
    if _about(first) & _about(second):
        return True
    return first.window == second.window and _step(first) < _step(second)


def _step(decision: Decision) -> int:
    is_before_model = decision.kind in _ORDER and "snapshot" not in decision.subject
    return _ORDER.index(decision.kind) if is_before_model else len(_ORDER)


def _about(decision: Decision) -> set[tuple[str, str]]:
    subject = decision.subject.items()
    named = {(_SAME[name], value) for name, value in subject if name in _SAME and value != "none"}
    return named | {("version", version) for version in decision.taken_out}


def _clauses(decision: Decision) -> Iterator[str]:
    asks = any(clause.suffices for clause in decision.clauses)
    for clause in decision.clauses:
        is_reason = clause.suffices or (decision.kind == "retrain" and not asks)
        met, not_met = ("asks for it", "does not") if is_reason else ("passed", "FAILED")
        yield f"  {met if clause.passed else not_met:11} {clause.name}"
        yield f"              {clause.text}"
        observed, required = _short(clause.observed), _short(clause.required)
        yield f"              observed {observed}, required {required}"


def _evidence(entry: Entry) -> Iterator[str]:
    decision = entry.decision
    if not decision.evidence and not decision.files:
        return
    yield ""
    yield f"Evidence {entry.evidence_sha256 or decision.evidence_sha256}"
    for path, sha256 in decision.files.items():
        yield f"  {path} {sha256}"
    yield from json.dumps(decision.evidence, indent=2).splitlines()[1:-1]


def _listed(title: str, entries: Iterable[Entry]) -> Iterator[str]:
    yield ""
    yield title
    listed = [f"  {_title(entry)}" for entry in entries]
    yield from listed or ["  nothing that the ledger knows of"]


def _title(entry: Entry) -> str:
    decision = entry.decision
    named = [
        f"{name} {value[:_DIGITS]}" for name, value in decision.subject.items() if name in _SAME
    ]
    subject = f"  {', '.join(named)}" if named else ""
    window = Window.parse(decision.window)
    return (
        f"{entry.sha256[:_DIGITS]}  {window}  {decision.kind} {decision.verdict}{subject}"
        f"{'' if decision.author == 'ratchet' else f'  by {decision.author}'}"
    )


def _short(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else value
