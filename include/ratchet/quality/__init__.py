"""Is this data what it should be? Checks made from the spec and the data, and what they find."""

from ratchet.quality.feeds import check_feeds
from ratchet.quality.finding import Finding, read_findings, write_findings
from ratchet.quality.multiplicity import benjamini_hochberg

__all__ = [
    "Finding",
    "benjamini_hochberg",
    "check_feeds",
    "read_findings",
    "write_findings",
]
