"""What data may be used for, and where it may lie: refused by the linter, and again at run time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ratchet.errors import AccessError
from ratchet.spec.types import Spec

Leaf = tuple[str, str]
"""A feed's column: (feed, column)."""


def restricted_columns(spec: Spec) -> frozenset[Leaf]:
    """Return the feeds' columns that no feature may be computed from."""
    return frozenset(
        (feed_name, name)
        for feed_name, feed in spec.feeds.items()
        for name, column in feed.columns.items()
        if "restricted" in column.tags
    )


def refuse_restricted(spec: Spec, sources: Mapping[str, Collection[Leaf]]) -> None:
    """Refuse features that are computed from restricted columns.

    Parameters
    ----------
    sources
        The feeds' columns that each feature is computed from, as `ratchet.lineage` finds them.

    Raises
    ------
    AccessError
        Names each feature with its columns.
    """
    restricted = restricted_columns(spec)
    found = {name: sorted(restricted.intersection(leaves)) for name, leaves in sources.items()}
    faults = [
        f"{name} is computed from {', '.join(f'{feed}.{column}' for feed, column in leaves)}"
        for name, leaves in found.items()
        if leaves
    ]
    if faults:
        raise AccessError(
            f"{spec.name}: {'; '.join(faults)}: tagged restricted, so no model may read it; "
            "remove the feature, or compute it from something else"
        )


def refuse_other_region(spec: Spec, region: str | None) -> None:
    """Refuse to write data of one region to a store of another.

    Parameters
    ----------
    region
        Of this installation (`RATCHET_REGION`), or None if nobody has said.

    Raises
    ------
    AccessError
        If the use case's data must stay in a region, and this is not it.
    """
    if spec.region not in (None, region):
        raise AccessError(
            f"{spec.name}: its data must stay in region {spec.region!r}, and this store is in "
            f"{repr(region) if region else 'none that RATCHET_REGION names'}; run it there, or set "
            "RATCHET_REGION if that is where this store is"
        )
