"""What data may be used for, and where it may lie: refused by the linter, and again at run time."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ratchet.errors import AccessError
from ratchet.spec.types import Spec

Leaf = tuple[str, str]
"""A feed's column: (feed, column)."""


CONDITION = "restricted_condition"


def restricted_columns(spec: Spec) -> frozenset[Leaf]:
    """Return the feeds' columns that no feature may be computed from."""
    return frozenset(
        (feed_name, name)
        for feed_name, feed in spec.feeds.items()
        for name, column in feed.columns.items()
        if "restricted" in column.tags
    )


def condition_name(spec: Spec, feature: str, leaf: Leaf) -> str:
    """Name it that a restricted column decides on a feature's rows, for `quality.accepted`."""
    return f"{CONDITION}:{spec.gold.features_table}.{feature}[{'.'.join(leaf)}]"


def refuse_restricted(
    spec: Spec, values: Mapping[str, Collection[Leaf]], every: Mapping[str, Collection[Leaf]]
) -> None:
    """Refuse features that tell of restricted columns.

    Parameters
    ----------
    values
        The feeds' columns that each feature is computed from, as `ratchet.lineage` finds them.
    every
        Those, and the columns that decide which rows count: join keys, filters, groups. A count of
        rows that have some value tells of that value, too.

    Raises
    ------
    AccessError
        Names each feature with its columns, and how to accept a condition.
    """
    restricted = restricted_columns(spec)
    faults = []
    for feature, leaves in every.items():
        for leaf in sorted(restricted.intersection(leaves)):
            column, name = ".".join(leaf), condition_name(spec, feature, leaf)
            if leaf in values[feature]:
                faults.append(f"{feature} is computed from {column}")
            elif name not in spec.quality.accepted:
                faults.append(
                    f"{column} decides which rows {feature} counts (if that tells nothing of it, "
                    f"say why in quality.accepted, as {name!r})"
                )
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
