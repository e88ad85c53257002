"""Raw files of producers: landed once per window, checked row by row, kept as they came.

`land` takes in a window, `land_window` also one in which a feed is at fault, `replay_quarantine`
what people corrected in it; the other names read what they left.
"""

from ratchet.feeds.landing import land, land_window
from ratchet.feeds.quarantine import Replay, export_quarantine, replay_quarantine
from ratchet.feeds.records import (
    FeedLanding,
    LandedFile,
    Refusal,
    earlier_landings,
    landing_sha256,
    read_landings,
    read_quarantine,
)

__all__ = [
    "FeedLanding",
    "LandedFile",
    "Refusal",
    "Replay",
    "earlier_landings",
    "export_quarantine",
    "land",
    "land_window",
    "landing_sha256",
    "read_landings",
    "read_quarantine",
    "replay_quarantine",
]
