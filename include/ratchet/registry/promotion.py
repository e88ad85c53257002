"""Making a version champion, or noting that it was refused."""

from __future__ import annotations

from pathlib import Path

from ratchet.decision import Clause, Decision, Kind
from ratchet.errors import ReleaseError
from ratchet.ledger import Anchor, Ledger
from ratchet.registry.champions import changes, in_line, let_alias_follow
from ratchet.registry.release import DECISIONS_FILE, MANIFEST_FILE, Release, load_release, seal
from ratchet.registry.tracking import Tracking
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.training import MODEL_FILE
from ratchet.window import Window


def promote(spec: Spec, window: Window, settings: Settings, version: str) -> Decision:
    """Make a version champion from its window's end on.

    The entry in the ledger is what counts, and it is made once. The gate must have accepted this
    very model, or the one that it was fitted again from, with an accepted refit; where the use case
    asks for it, a person must have approved the version that was judged.

    Raises
    ------
    ReleaseError
        If the ledger holds no such acceptance or approval, or the release is not intact.
    """
    release = _release_of(spec, window, settings, version)
    judged, model = _judged(release)
    clauses = [_stands(spec, window, settings, "release", "accepted", judged)]
    if spec.needs_approval:
        approved = _approved(release)
        clauses.append(_stands(spec, window, settings, "approval", "approved", approved))
    if release.candidate.judged:
        refitted = {**_approved(release), **model, "judged": judged["model"]}
        clauses.append(_stands(spec, window, settings, "refit", "accepted", refitted))
    if missing := [clause.text for clause in clauses if not clause.passed]:
        raise ReleaseError(f"{spec.name}: version {version} stays back: {' '.join(missing)}")
    decision = Decision(
        kind="promotion",
        use_case=spec.name,
        window=window.key,
        verdict="promoted",
        clauses=tuple(clauses),
        subject={"version": version, **model},
        evidence={"release_sha256": release.sha256, "judged_model": judged["model"]},
        files={
            f"releases/{version}/{MANIFEST_FILE}": release.sha256,
            f"releases/{version}/{DECISIONS_FILE}": seal(release, _decided(release, settings)),
        },
    )
    entry = Ledger(settings.lake(spec.name).ledger).append(decision)
    tracking = Tracking.of(spec, settings)
    remaining = {each.subject["version"] for each in in_line(changes(spec, settings))}
    tracking.tag_verdict(version, "promoted" if version in remaining else "rolled back")
    tracking.tag_anchor(version, Anchor(entry.number, entry.sha256))
    let_alias_follow(spec, settings, tracking)
    return entry.decision


def ledger_anchors(spec: Spec, settings: Settings) -> list[Anchor]:
    """Return what MLflow remembers of the ledger: the entry of each promotion or rollback.

    Raises
    ------
    ReleaseError
        If MLflow can't be asked.
    """
    local = settings.mlflow_uri.removeprefix("sqlite:///")
    if local != settings.mlflow_uri and not Path(local).exists():
        return []
    try:
        return Tracking.of(spec, settings).anchors()
    except Exception as error:
        raise ReleaseError(
            f"MLflow can't be asked what it remembers of the ledger: {error!r}; see that "
            "MLFLOW_TRACKING_URI is right and its store can be read"
        ) from error


def refuse(spec: Spec, window: Window, settings: Settings, version: str) -> None:
    """Note with a version that it was refused; why stands in the ledger.

    Raises
    ------
    ReleaseError
        If the release is not intact, or of another window, or nothing was decided on it.
    """
    release = _release_of(spec, window, settings, version)
    decided = _decided(release, settings)
    if not decided:
        raise ReleaseError(f"{spec.name}: no decision on version {version} is in the ledger")
    seal(release, decided)
    Tracking.of(spec, settings).tag_verdict(version, "refused")


def _release_of(spec: Spec, window: Window, settings: Settings, version: str) -> Release:
    release = load_release(spec, version, settings)
    if release.manifest.window != window.key:
        raise ReleaseError(
            f"{spec.name}: version {version} is of {release.manifest.window}, not of {window.key}"
        )
    return release


def _judged(release: Release) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the gate decided on, and the part of it that is the model."""
    manifest, judged = release.manifest, release.candidate.judged
    model = {"snapshot": manifest.snapshot_id, "model": manifest.files[MODEL_FILE]}
    seen = judged.model_sha256 if judged else model["model"]
    return {"candidate": manifest.candidate, **model, "model": seen}, model


def _approved(release: Release) -> dict[str, str]:
    """Return what a person decided on: the version that was judged."""
    return {"version": release.manifest.judged or release.version}


def _decided(release: Release, settings: Settings) -> list[Decision]:
    """Return all decisions that led to a release or its refusal, in their order."""
    asked = {
        "release": _judged(release)[0],
        "approval": _approved(release),
        "refit": {**_approved(release), "judged": _judged(release)[0]["model"]},
    }
    return [
        decision
        for decision in Ledger(settings.lake(release.spec.name).ledger).decisions()
        if decision.window == release.manifest.window
        and decision.kind in asked
        and asked[decision.kind].items() <= decision.subject.items()
    ]


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
