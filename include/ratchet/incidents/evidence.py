"""All that is wrong in a window, in one form: faults of data, news in it, and findings."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat

from ratchet.errors import BuildError
from ratchet.incidents.finding import Finding, read_judged
from ratchet.quality import Finding as Fault
from ratchet.quality import read_findings
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.spec.alerts import Severity
from ratchet.spec.owner import Owner
from ratchet.window import Window

if TYPE_CHECKING:
    from ratchet.lineage import Graph
    from ratchet.warehouse import Block

Leaf = tuple[str, str]
Kind = Literal["fault", "news", "finding"]

NONE: frozenset[Leaf] = frozenset()
SEGMENT = "segment"  # the family of what tells of a segment that is new, or gone
_OF_FEATURES = ("staleness", "fallback", "volume")  # rules of service that a feed may be behind


class Evidence(BaseModel):
    """One thing that is wrong in a window.

    A `fault` keeps data from being used, `news` is what a check found that the spec declares a
    warning, and a `finding` is what monitoring judged. `source` is the rule that found it. News of
    the family "segment" tells of one that is new, or gone, as it had rows in every period. `leaves`
    are the columns of feeds that it goes back to, by lineage, and `home` the feed that says most of
    it, or the use case. `weight` orders evidence of the same severity: how many times its limit the
    departure is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    name: str
    source: str
    family: str
    subject: str
    column: str | None
    segment: str | None = None
    leaves: frozenset[Leaf]
    home: str
    severity: Severity
    weight: float = 0.0
    rows: int
    value: FiniteFloat | None = None
    threshold: FiniteFloat | None = None
    unit: str | None = None
    direction: Literal["up", "down"] | None = None
    is_verify: bool = False
    owner: Owner
    text: str

    @property
    def feeds(self) -> frozenset[str]:
        """Feeds that it goes back to."""
        return frozenset(feed for feed, _ in self.leaves)

    @property
    def place(self) -> str:
        """Subject, with the column if it is of one."""
        return f"{self.subject}.{self.column}" if self.column else self.subject

    @property
    def levels(self) -> frozenset[str]:
        """What makes its segment, each as `column=level`."""
        return frozenset(levels_of(self.segment))


def levels_of(segment: str | None) -> list[str]:
    """Return what makes a segment, each as `column=level`.

    Examples
    --------
    >>> levels_of("carrier=UA, city=Portland, OR")
    ['carrier=UA', 'city=Portland, OR']
    """
    return re.split(r", (?=\w+=)", segment) if segment else []


class Seen(BaseModel):
    """What is known of one window: what is wrong, and what was looked at.

    `is_checked` says whether the checks on data ran. `judged` are the rules of which something
    could be judged, `unknown` the names of what could not be, as there were too few rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: str
    evidence: tuple[Evidence, ...]
    is_checked: bool
    judged: frozenset[str]
    unknown: frozenset[str]


def see(spec: Spec, window: Window, settings: Settings) -> Seen:
    """Gather what the checks on data, the tests of tables, and monitoring say of a window."""
    from ratchet.warehouse import read_blocks

    faults = read_findings(spec, window, settings, blocking=False)
    judged = read_judged(spec, window, settings)
    # what an unfinished build blocks has no rows to look at
    blocks = [b for b in read_blocks(spec, settings) if b.window == window.key and b.rows_path]
    accepted = {b.blocked_by for b in blocks if b.state == "unblocked"}
    stopped: Severity = "page" if _is_stopped(spec, window, settings) else "ticket"
    lineage = Lineage(spec, settings)
    evidence = [
        *(
            _of_fault(fault, spec, lineage, stopped)
            for fault in faults
            if fault.is_fault and fault.name not in accepted | spec.quality.accepted.keys()
        ),
        *_of_tests([b for b in blocks if b.state == "blocked"], spec, lineage, stopped),
        *(_of_finding(f, spec, lineage) for f in judged if f.state == "found"),
    ]
    unknown = frozenset(f.name for f in judged if f.state == "insufficient_data")
    return Seen(
        window=window.key,
        evidence=tuple(evidence),
        is_checked=bool(faults),
        judged=frozenset(f.source for f in judged if f.name not in unknown),
        unknown=unknown,
    )


class Lineage:
    """Where features and tables come from. dbt is asked for it only once it is needed.

    What can't be followed may come from anywhere.
    """

    def __init__(self, spec: Spec, settings: Settings) -> None:
        self._spec, self._settings = spec, settings

    @cached_property
    def features(self) -> Mapping[str, frozenset[Leaf]]:
        """The columns of feeds that each feature is computed from."""
        table = f"gold.{self._spec.gold.features_table}"
        found = {}
        for name in self._spec.gold.features:
            try:
                found[name] = self._graph.sources(table, name)
            except (BuildError, KeyError):
                found[name] = self._everything
        return found

    def leaves(self, subject: str, column: str | None) -> frozenset[Leaf]:
        """Return the columns of feeds behind a feed, a feature, a table, or all decisions."""
        spec = self._spec
        aged = spec.gold.staleness.max_age if spec.gold.staleness else {}
        if subject in spec.feeds:
            return _of_feed(spec, subject, column)
        if column in spec.gold.features:
            return self.features[column]
        if column in aged:
            return frozenset().union(*(self.features[name] for name in aged[column].features))
        table = spec.kpis[subject].table if subject in spec.kpis else subject
        if f"gold.{table}" in self._graph.models:
            return self.of_table(f"gold.{table}")
        return frozenset().union(*self.features.values())

    def of_table(self, table: str) -> frozenset[Leaf]:
        """Return all columns of the feeds that a table reads."""
        feeds = self._feeds.get(table, frozenset(self._spec.feeds))
        return frozenset().union(*(_of_feed(self._spec, feed, None) for feed in feeds))

    def home(self, leaves: frozenset[Leaf]) -> str:
        """Return the feed that says most of some columns: the one that the fewest features read.

        Reference data counts only where there is nothing else.
        """
        feeds = self._spec.feeds
        found = {feed for feed, _ in leaves}
        found = {feed for feed in found if feeds[feed].event_time} or found
        readers = Counter(
            feed for read in self.features.values() for feed in {feed for feed, _ in read}
        )
        return min(found, key=lambda feed: (readers[feed], feed), default=self._spec.name)

    @cached_property
    def _graph(self) -> Graph:
        from ratchet.lineage import load_graph

        return load_graph(self._spec, self._settings)

    @cached_property
    def _feeds(self) -> dict[str, frozenset[str]]:
        """The feeds that each table, as `<layer>.<model>`, goes back to."""
        found: dict[str, frozenset[str]] = {}
        for table, model in self._graph.models.items():
            read = (found.get(parent, {parent.partition(".")[2]}) for parent in model.parents)
            found[table] = frozenset().union(*read) & self._spec.feeds.keys()
        return found

    @property
    def _everything(self) -> frozenset[Leaf]:
        return frozenset().union(*(_of_feed(self._spec, f, None) for f in self._spec.feeds))


def _of_feed(spec: Spec, feed: str, column: str | None) -> frozenset[Leaf]:
    columns = [column] if column else spec.feeds[feed].columns
    return frozenset((feed, name) for name in columns)


def _is_stopped(spec: Spec, window: Window, settings: Settings) -> bool:
    from ratchet.warehouse import why_blocked

    return why_blocked(spec, window, (spec.gold.features_table,), settings) is not None


def _of_fault(fault: Fault, spec: Spec, lineage: Lineage, stopped: Severity) -> Evidence:
    blocks = spec.quality.blocks(fault.check, fault.name)
    is_change = fault.state in ("appeared", "disappeared") and not blocks
    columns: tuple[str | None, ...] = (fault.column,)
    if is_change:
        columns = tuple(level.partition("=")[0] for level in levels_of(fault.segment))
    # a run that is late tells of no data
    of_data = columns if fault.subject != spec.name else ()
    leaves = NONE.union(*(lineage.leaves(fault.subject, column) for column in of_data))
    home = lineage.home(leaves)
    # what is new in gold follows from a feed, and a few rows are nobody's work
    is_large = max(fault.rows, fault.expected or 0) >= spec.quality.min_segment_rows
    is_cause = is_change and is_large and fault.subject in spec.feeds
    return Evidence(
        kind="fault" if blocks else "news",
        name=fault.name,
        source=f"data.{fault.check}",
        family=SEGMENT if is_change else "data",
        subject=fault.subject,
        column=fault.column,
        segment=fault.segment,
        leaves=leaves,
        home=home,
        owner=spec.owner_of(home) if home in spec.feeds else spec.owner,
        severity=stopped if blocks else "ticket" if is_cause else "digest",
        rows=fault.rows,
        value=fault.observed,
        threshold=fault.expected,
        unit="rows" if is_change else None,
        text=fault.text,
    )


def _of_tests(
    blocks: list[Block], spec: Spec, lineage: Lineage, stopped: Severity
) -> Iterable[Evidence]:
    """Yield the tests of tables that block, each at the lowest table that it blocks."""
    of_tests = [b for b in blocks if not str(b.rows_path).startswith("findings/")]
    layers = ("bronze", "silver", "gold")
    lowest: dict[str, Block] = {}
    for block in sorted(of_tests, key=lambda b: layers.index(b.table_name.partition(".")[0])):
        lowest.setdefault(block.blocked_by, block)
    for name, block in lowest.items():
        leaves = lineage.of_table(block.table_name)
        feeds = {feed for feed, _ in leaves}
        yield Evidence(
            kind="fault",
            name=f"test:{name}",
            source="data.test",
            family="data",
            subject=block.table_name.partition(".")[2],
            column=None,
            leaves=leaves,
            home=lineage.home(leaves),
            owner=spec.owner_of(*feeds) if len(feeds) == 1 else spec.owner,
            severity=stopped,
            rows=block.rows or 0,
            value=block.rows,
            threshold=0,
            unit="rows",
            text=f"{block.text}; `ratchet blocks` says where its rows are.",
        )


def _of_finding(finding: Finding, spec: Spec, lineage: Lineage) -> Evidence:
    limit = _limit(finding)
    severity = _severity(finding, spec)
    # a slow machine has nothing to do with the data that it works on
    is_apart = finding.family == "service" and not finding.rule.startswith(_OF_FEATURES)
    leaves = NONE if is_apart else lineage.leaves(finding.subject, finding.column)
    home = lineage.home(leaves) if finding.column else spec.name
    value, threshold = _compared(finding, limit)
    return Evidence(
        kind="finding",
        name=finding.name,
        source=finding.source,
        family=finding.family,
        subject=finding.subject,
        column=finding.column,
        segment=finding.segment,
        leaves=leaves,
        home=home,
        owner=_owner(finding, home, spec),
        severity=severity,
        weight=(finding.effect or 0) / limit,
        rows=finding.rows,
        value=value,
        threshold=threshold,
        unit=finding.unit,
        direction=finding.direction,
        is_verify=finding.family == "kpi" and severity != "page" and not _is_worse(finding, spec),
        text=finding.text,
    )


def _limit(finding: Finding) -> float:
    assert finding.null_limit is not None
    return max(finding.floor, finding.null_limit)


def _compared(finding: Finding, limit: float) -> tuple[float | None, float]:
    """Return what was measured and what it had to stay within, on the scale of the measure.

    Where the effect is no difference of the two, it is itself what is compared.
    """
    value, expected, effect = finding.value, finding.expected, finding.effect
    assert effect is not None
    if value is None or expected is None:
        return effect, limit
    if not math.isclose(abs(value - expected), effect, rel_tol=1e-6, abs_tol=1e-9):
        return effect, limit
    return value, expected + (limit if value >= expected else -limit)


def _is_worse(finding: Finding, spec: Spec) -> bool:
    """Return whether a KPI moved to the bad; where both ways are, or nothing is said: fell."""
    kpi, direction = spec.kpis.get(finding.subject), finding.direction or "down"
    worse = "down" if kpi is None or kpi.worse == "both" else kpi.worse
    return direction == worse


def _severity(finding: Finding, spec: Spec) -> Severity:
    """Return what follows from a finding by itself; drift is never more than news for a digest."""
    alerts = spec.alerts
    if any(fnmatchcase(finding.source, rule) for rule in alerts.page_rules):
        return "page"
    if finding.family in ("performance", "estimate"):
        limit = alerts.page_cost_per_window
        is_cost = finding.unit == f"{spec.costs.unit} per {spec.gold.unit}"
        cost = (finding.effect or 0) * finding.rows if is_cost else 0
        return "page" if limit is not None and cost >= limit else "ticket"
    return "ticket" if finding.family in ("kpi", "service", "prediction_drift") else "digest"


def _owner(finding: Finding, home: str, spec: Spec) -> Owner:
    """Return who answers for a finding that follows from nothing else."""
    owners = spec.alerts.owners
    if finding.family == "service":
        return owners.service or spec.owner
    if finding.family in ("performance", "estimate"):
        return owners.concept or spec.owner
    if finding.family == "kpi":
        return spec.owner_of_kpi(finding.subject)
    return owners.drift or (spec.owner_of(home) if home in spec.feeds else spec.owner)
