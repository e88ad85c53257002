"""Is this data what it should be? Checks made from the spec and the data, and what they find."""

from ratchet.quality.asof import check_as_of
from ratchet.quality.facts import Fact, profile_feeds
from ratchet.quality.feeds import check_feeds
from ratchet.quality.finding import Finding, read_findings, write_findings
from ratchet.quality.freshness import check_freshness
from ratchet.quality.segment_tests import compare_segments
from ratchet.quality.segments import check_segments
from ratchet.quality.snapshot import check_snapshot, judge_snapshot

__all__ = [
    "Fact",
    "Finding",
    "check_as_of",
    "check_feeds",
    "check_freshness",
    "check_segments",
    "check_snapshot",
    "compare_segments",
    "judge_snapshot",
    "profile_feeds",
    "read_findings",
    "write_findings",
]
