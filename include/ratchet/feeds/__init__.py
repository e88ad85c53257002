"""Raw files of producers: landed once per window, checked row by row, kept as they came.

`land` takes in a window; the other names read what it left.
"""

from ratchet.feeds.landing import land
from ratchet.feeds.records import (
    FeedLanding,
    LandedFile,
    Refusal,
    landing_sha256,
    read_landings,
    read_quarantine,
)

__all__ = [
    "FeedLanding",
    "LandedFile",
    "Refusal",
    "land",
    "landing_sha256",
    "read_landings",
    "read_quarantine",
]
