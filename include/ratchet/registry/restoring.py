"""Bringing back the whole previous unit, for real or as a drill."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from croniter import croniter

from ratchet.decision import Clause, Decision
from ratchet.errors import OvertakenError, RatchetError, ReleaseError
from ratchet.ledger import Anchor, Ledger
from ratchet.registry.champions import (
    champion_at,
    changes,
    in_line,
    let_alias_follow,
    promoted,
    takes_effect,
)
from ratchet.registry.release import Release
from ratchet.registry.reproduction import answers_on_holdout, rows_that_differ, stored_answers
from ratchet.registry.tracking import Tracking
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window


def rollback(
    spec: Spec,
    settings: Settings,
    *,
    reason: str,
    author: str,
    to: str | None = None,
    since: datetime | None = None,
) -> Decision:
    """Bring back an earlier champion: its model, its spec's costs and thresholds, its profile.

    The entry in the ledger is what counts. What is taken out comes back through the gate only. Run
    again, it finds what it did: going back further takes the version's name.

    Parameters
    ----------
    reason, author
        For the ledger.
    to
        The version to bring back; by default the one before the champion.
    since
        From when it decides (aware; a window's end): by default from the end of the last window
        that was scored, so that no decision that was taken has another author.

    Raises
    ------
    ReleaseError
        If there is no such version, its files are not intact, or it could not take effect. Also if
        MLflow could not be told: the rollback stands then, and is told when it is run again.
    """
    window = None if since is None else _ending(spec, since)
    ledger = Ledger(settings.lake(spec.name).ledger)
    while True:
        head = ledger.head()
        decided = _decide(spec, settings, reason, author, to, window)
        with suppress(OvertakenError):  # whoever was promoted meanwhile must be taken out by name
            entry = ledger.append(decided, after=head.number if head else 0)
            break
    decision = entry.decision
    try:
        tracking = Tracking.of(spec, settings)
        for version in decision.taken_out:
            tracking.tag_verdict(version, "rolled back")
            tracking.tag_anchor(version, Anchor(entry.number, entry.sha256))
        let_alias_follow(spec, settings, tracking)
    except Exception as error:
        raise ReleaseError(
            f"version {decision.subject['version']} is champion again from "
            f"{takes_effect(decision)} on, but MLflow could not be told: {error!r}; run the same "
            "command again"
        ) from error
    return decision


def _decide(
    spec: Spec,
    settings: Settings,
    reason: str,
    author: str,
    to: str | None,
    window: Window | None,
) -> Decision:
    """Return the rollback that stands already, or a new one."""
    ordered = changes(spec, settings)
    line = in_line(ordered)
    names = [promotion.subject["version"] for promotion in line]
    if ordered and ordered[-1].kind == "rollback" and to in (None, names[-1]):
        last = ordered[-1]
        if window is None or window.end == takes_effect(last):
            return last
        raise ReleaseError(
            f"version {names[-1]} has come back already, from {takes_effect(last)} on; to go back "
            f"further, name one of {names[:-1]}"
        )
    if len(line) < 2:
        raise ReleaseError(
            f"{spec.name}: there is no previous version to go back to; "
            + (f"version {names[0]} is the only one" if line else "there is no champion")
        )
    to = names[-2] if to is None else to
    if to not in names[:-1]:
        raise ReleaseError(
            f"{spec.name}: version {to} can't come back: it is champion, was taken out by a "
            f"rollback, or never passed the gate; name one of {names[:-1]}"
        )
    position = names.index(to)
    window = window or _last_scored(spec, ordered[-1], settings)
    if window.end < takes_effect(ordered[-1]):
        raise ReleaseError(
            f"{spec.name}: version {names[-1]} is champion from {takes_effect(ordered[-1])} on, "
            "and can't be taken out earlier; give a later moment"
        )
    release = promoted(spec, line[position], settings)
    release.load()
    taken_out = names[position + 1 :]
    clause = Clause(
        name="intact",
        passed=True,
        observed="intact",
        required="intact",
        text=f"{author} brings back version {to}, whose files are what was promoted, and takes out "
        f"{', '.join(taken_out)}: {reason}",
    )
    return Decision(
        kind="rollback",
        use_case=spec.name,
        window=window.key,
        verdict="rolled back",
        clauses=(clause,),
        subject={"version": to, "taken_out": ", ".join(taken_out)},
        evidence={"release_sha256": release.sha256, "reason": reason},
        files=line[position].files,
        author=author,
    )


def _last_scored(spec: Spec, change: Decision, settings: Settings) -> Window:
    """Return the last window that was scored, or that of the last change if it is later.

    Its end is the first moment at which another champion takes no decision away from this one.
    """
    scored = (Window.parse(p.stem) for p in settings.lake(spec.name).predictions.glob("*.parquet"))
    return max([*scored, Window.parse(change.window)], key=lambda window: window.end)


def _ending(spec: Spec, moment: datetime) -> Window:
    """Return the window that ends at a moment."""
    schedule = spec.schedule
    if not croniter.match(schedule.cron, moment) or moment < schedule.start:
        raise ReleaseError(
            f"{spec.name}: no window ends at {moment}; windows end by {schedule.cron!r}"
        )
    before = croniter(schedule.cron, moment).get_prev(datetime)
    return Window(schedule.history_start if moment == schedule.start else before, moment)


def has_previous(spec: Spec, settings: Settings) -> bool:
    """Whether there is a version that a rollback could bring back."""
    return len(in_line(changes(spec, settings))) > 1


def drill(spec: Spec, settings: Settings, run: str) -> Decision:
    """Roll back in a copy, make sure that the previous unit is what it was, and record the result.

    The copy holds the ledger and the release; MLflow takes no part. The unit that is champion
    there afterwards must answer its holdout, read from the snapshot that it was trained on, with
    the bits that it answered with in training, and decide the same on them.

    Parameters
    ----------
    run
        Names the drill: one of the same name is recorded once.

    Returns
    -------
    Decision
        Of kind `drill`, verdict `passed` or `failed`. `evidence["seconds"]` is how long it took
        from the command to the last answer.

    Raises
    ------
    ReleaseError
        If there is no previous version to go back to.
    """
    ordered = changes(spec, settings)
    line = in_line(ordered)
    if len(line) < 2:
        raise ReleaseError(f"{spec.name}: there is no previous version to go back to")
    champion, previous = (line[position].subject["version"] for position in (-1, -2))
    window = Window.parse(ordered[-1].window)
    started = time.perf_counter()
    try:
        with _copied(spec, settings, previous) as copy:
            started = time.perf_counter()
            decided = _decide(spec, copy, "a drill", "ratchet", previous, window)
            Ledger(copy.lake(spec.name).ledger).record(decided)
            restored = champion_at(spec, window.end, copy)
            assert restored is not None
            clauses = [_came_back(restored, previous), _same_answers(restored, settings)]
    except RatchetError as error:
        clauses = [_failed(error)]
    seconds = time.perf_counter() - started
    decision = Decision(
        kind="drill",
        use_case=spec.name,
        window=window.key,
        verdict="passed" if all(clause.passed for clause in clauses) else "failed",
        clauses=tuple(clauses),
        subject={"version": previous, "champion": champion, "run": run},
        evidence={"seconds": round(seconds, 3)},
    )
    return Ledger(settings.lake(spec.name).ledger).record(decision)


@contextmanager
def _copied(spec: Spec, settings: Settings, version: str) -> Iterator[Settings]:
    """Yield settings of a lake that has a copy of the ledger and of a release, and no more."""
    lake = settings.lake(spec.name)
    with tempfile.TemporaryDirectory(prefix="ratchet-drill-") as scratch:
        copy = replace(settings, home=Path(scratch), ledger=None)
        target = copy.lake(spec.name)
        target.ledger.folder.mkdir(parents=True)
        # Others may record meanwhile. The index comes first, so that it names nothing that is not
        # copied after it, and what they have not finished is left out.
        for pattern in (".index", "????????.json"):
            for path in lake.ledger.folder.glob(pattern):
                shutil.copy2(path, target.ledger.folder)
        if (lake.releases / version).is_dir():
            shutil.copytree(lake.releases / version, target.releases / version)
        yield copy


def _came_back(restored: Release, version: str) -> Clause:
    return Clause(
        name="came_back",
        passed=restored.version == version,
        observed=restored.version,
        required=version,
        text=f"Version {restored.version} is champion after the rollback; version {version} was "
        "before.",
    )


def _same_answers(restored: Release, settings: Settings) -> Clause:
    """Compare a release's answers now with those in training, and what it decides on them."""
    then = stored_answers(restored)
    differ = rows_that_differ(answers_on_holdout(restored, settings), then)
    return Clause(
        name="same_answers",
        passed=differ == 0,
        observed=float(differ),
        required=0.0,
        text=f"Of {len(then):,} answers and decisions on its holdout, {differ:,} differ from those "
        "in training.",
    )


def _failed(error: RatchetError) -> Clause:
    return Clause(
        name="comes_back",
        passed=False,
        observed=type(error).__name__,
        required="the previous version",
        text=f"The previous version does not come back: {error}",
    )
