"""Who is champion, and since when: read from the ledger alone, which MLflow's alias follows."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from ratchet.decision import Decision
from ratchet.errors import ReleaseError
from ratchet.ledger import Ledger
from ratchet.registry.release import Release, load_release, verify_seal
from ratchet.registry.tracking import CHAMPION, Tracking
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.window import Window


def champion_at(spec: Spec, moment: datetime, settings: Settings) -> Release | None:
    """Return the release whose decisions count at a moment, None before the first one.

    A promotion or rollback counts from the end of its window on. Time is logical: whoever replays
    an old window meets the champion of that time.

    Parameters
    ----------
    moment
        Aware.

    Raises
    ------
    ReleaseError
        If the release is missing, or is not the one that was promoted.
    """
    ended = [change for change in changes(spec, settings) if takes_effect(change) <= moment]
    champions = in_line(ended)
    return promoted(spec, champions[-1], settings) if champions else None


class Newcomer(NamedTuple):
    """A champion that a promotion brought, from when on it decides, and the one before it."""

    champion: Release
    since: datetime
    previous: Release


def newcomer_at(spec: Spec, moment: datetime, settings: Settings) -> Newcomer | None:
    """Return the champion of a moment with the one that it took over from.

    None if there is no champion, or it is the first one, or came back by a rollback.

    Raises
    ------
    ReleaseError
        If a release is missing, or is not the one that was promoted.
    """
    ended = [change for change in changes(spec, settings) if takes_effect(change) <= moment]
    line = in_line(ended)
    if len(line) < 2 or ended[-1].kind != "promotion":
        return None
    previous, champion = (promoted(spec, promotion, settings) for promotion in line[-2:])
    return Newcomer(champion, takes_effect(line[-1]), previous)


def champion_now(spec: Spec, settings: Settings) -> Release | None:
    """Return the champion after all that the ledger says, whenever it takes effect."""
    line = in_line(changes(spec, settings))
    return promoted(spec, line[-1], settings) if line else None


def first_champion(spec: Spec, settings: Settings) -> Release | None:
    """Return the earliest champion, None if there never was one.

    Raises
    ------
    ReleaseError
        If the release is missing, or is not the one that was promoted.
    """
    found = changes(spec, settings)
    return promoted(spec, found[0], settings) if found else None


def changes(spec: Spec, settings: Settings) -> list[Decision]:
    """Return all promotions and rollbacks in the order in which they take effect.

    Of two that do so at the same moment, the one that was recorded later counts.
    """
    ledger = Ledger(settings.lake(spec.name).ledger)
    entries = [*ledger.entries("promotion"), *ledger.entries("rollback")]
    entries.sort(key=lambda entry: (takes_effect(entry.decision), entry.number))
    return [entry.decision for entry in entries]


def takes_effect(change: Decision) -> datetime:
    """Return the moment from which a promotion or rollback counts."""
    return Window.parse(change.window).end


def in_line(ordered: list[Decision]) -> list[Decision]:
    """Return the promotions of all who can be champion again without a gate, the champion last.

    A rollback takes the champion out, and all who came after the one that it brings back: they do
    not come back by another rollback. One that brings back who was taken out by then, as another
    process went back further at the same time, changes nothing.
    """
    line: list[Decision] = []
    for change in ordered:
        if change.kind == "promotion":
            line.append(change)
            continue
        names = [promotion.subject["version"] for promotion in line]
        if change.subject["version"] in names:
            del line[names.index(change.subject["version"]) + 1 :]
    return line


def promoted(spec: Spec, promotion: Decision, settings: Settings) -> Release:
    """Load the release of a promotion.

    Raises
    ------
    ReleaseError
        If it is missing, or is not what was promoted.
    """
    release = load_release(spec, promotion.subject["version"], settings)
    if release.sha256 != promotion.evidence["release_sha256"]:
        raise ReleaseError(
            f"{release.folder} is not what was promoted for {promotion.window}: "
            "its manifest was changed; it is not used"
        )
    verify_seal(release, promotion.files)
    return release


def let_alias_follow(spec: Spec, settings: Settings, tracking: Tracking) -> None:
    """Let MLflow's champion be the ledger's, whoever else promotes at the same time."""
    told = None
    while champions := in_line(changes(spec, settings)):
        version = champions[-1].subject["version"]
        if version == told:
            return
        tracking.set_alias(CHAMPION, version)
        told = version
