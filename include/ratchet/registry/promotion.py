"""Who is champion, and since when. The ledger knows; MLflow's aliases follow it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from ratchet.decision import Clause, Decision, Kind
from ratchet.errors import ReleaseError
from ratchet.ledger import Anchor, Ledger
from ratchet.registry.release import MANIFEST_FILE, Release, load_release
from ratchet.registry.tracking import CHAMPION, Tracking
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.training import MODEL_FILE
from ratchet.window import Window


def champion_at(spec: Spec, moment: datetime, settings: Settings) -> Release | None:
    """Return the release whose decisions count at a moment, None before the first one.

    It is the last one whose window had ended by then. Time is logical: whoever replays an old
    window meets the champion of that time.

    Parameters
    ----------
    moment
        Aware.

    Raises
    ------
    ReleaseError
        If the release is missing, or is not the one that was promoted.
    """
    ended = [d for d in _promotions(spec, settings) if Window.parse(d.window).end <= moment]
    return _promoted(spec, ended[-1], settings) if ended else None


def first_champion(spec: Spec, settings: Settings) -> Release | None:
    """Return the earliest champion, None if there never was one.

    Raises
    ------
    ReleaseError
        If the release is missing, or is not the one that was promoted.
    """
    promotions = _promotions(spec, settings)
    return _promoted(spec, promotions[0], settings) if promotions else None


def promote(spec: Spec, window: Window, settings: Settings, version: str) -> Decision:
    """Make a version champion from its window's end on.

    The entry in the ledger is what counts, and it is made once. The gate must have accepted this
    very model; at level 0, a person must have approved the version.

    Raises
    ------
    ReleaseError
        If the ledger holds no such acceptance or approval, or the release is not intact.
    """
    release = _release_of(spec, window, settings, version)
    model = {"snapshot": release.manifest.snapshot_id, "model": release.manifest.files[MODEL_FILE]}
    judged = {"candidate": release.manifest.candidate, **model}
    clauses = [_stands(spec, window, settings, "release", "accepted", judged)]
    if spec.level == 0:
        clauses.append(
            _stands(spec, window, settings, "approval", "approved", {"version": version})
        )
    if missing := [clause.text for clause in clauses if not clause.passed]:
        raise ReleaseError(f"{spec.name}: version {version} stays back: {' '.join(missing)}")
    decision = Decision(
        kind="promotion",
        use_case=spec.name,
        window=window.key,
        verdict="promoted",
        clauses=tuple(clauses),
        subject={"version": version, **model},
        evidence={"release_sha256": release.sha256},
        files={f"releases/{version}/{MANIFEST_FILE}": release.sha256},
    )
    entry = Ledger(settings.lake(spec.name).ledger).append(decision)
    tracking = Tracking.of(spec, settings)
    tracking.tag_verdict(version, "promoted")
    tracking.tag_anchor(version, Anchor(entry.number, entry.sha256))
    tracking.set_alias(CHAMPION, _promotions(spec, settings)[-1].subject["version"])
    return entry.decision


def ledger_anchors(spec: Spec, settings: Settings) -> list[Anchor]:
    """Return what MLflow remembers of the ledger: the entry of each promotion."""
    local = settings.mlflow_uri.removeprefix("sqlite:///")
    if local != settings.mlflow_uri and not Path(local).exists():
        return []
    return Tracking.of(spec, settings).anchors()


def refuse(spec: Spec, window: Window, settings: Settings, version: str) -> None:
    """Note in MLflow that a version was refused; why stands in the ledger.

    Raises
    ------
    ReleaseError
        If the release is not intact, or of another window.
    """
    _release_of(spec, window, settings, version)
    Tracking.of(spec, settings).tag_verdict(version, "refused")


def _promotions(spec: Spec, settings: Settings) -> list[Decision]:
    """Return all promotions in the order of their windows."""
    decisions = Ledger(settings.lake(spec.name).ledger).decisions("promotion")
    promoted = (decision for decision in decisions if decision.verdict == "promoted")
    return sorted(promoted, key=lambda decision: Window.parse(decision.window).end)


def _promoted(spec: Spec, decision: Decision, settings: Settings) -> Release:
    release = load_release(spec, decision.subject["version"], settings)
    if release.sha256 != decision.evidence["release_sha256"]:
        raise ReleaseError(
            f"{release.folder} is not what was promoted for {decision.window}: "
            "its manifest was changed; it is not used"
        )
    return release


def _release_of(spec: Spec, window: Window, settings: Settings, version: str) -> Release:
    release = load_release(spec, version, settings)
    if release.manifest.window != window.key:
        raise ReleaseError(
            f"{spec.name}: version {version} is of {release.manifest.window}, not of {window.key}"
        )
    return release


def _stands(
    spec: Spec,
    window: Window,
    settings: Settings,
    kind: Kind,
    verdict: str,
    subject: dict[str, str],
) -> Clause:
    """Look for a decision on exactly this subject in the ledger."""
    found = next(
        (
            decision.verdict
            for decision in Ledger(settings.lake(spec.name).ledger).decisions(kind)
            if (decision.window, decision.subject) == (window.key, subject)
        ),
        "no decision",
    )
    return Clause(
        name=f"{kind}_stands",
        passed=found == verdict,
        observed=found,
        required=verdict,
        text=f"The ledger's {kind} decision on it must be {verdict!r}; there is {found!r}.",
    )
