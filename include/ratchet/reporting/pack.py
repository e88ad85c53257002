"""What a person reads who must say whether a candidate may become champion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ratchet.decision import Decision
from ratchet.evaluation import Evidence
from ratchet.monitoring import Drift, compare
from ratchet.registry import RELEASED_EVIDENCE_FILE, Release, load_release
from ratchet.reporting.charts import bar_chart
from ratchet.reporting.page import templates
from ratchet.reporting.wording import MISSING, cell, compared, number
from ratchet.settings import Settings
from ratchet.spec import Spec
from ratchet.statistics import Comparison
from ratchet.storage import write_atomic

_MOST = 10  # features shown, of those that moved most: more are not read
_MOST_SLICES = 20
_Z_95 = 1.96  # half the width of a normal interval of 95 %, in standard errors


@dataclass(frozen=True)
class Section:
    """A part of the pack: sentences, and a table, and a chart that only the page shows."""

    title: str
    lines: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    chart: str = ""

    def markdown(self) -> str:
        """Render it for Airflow's UI, whose Markdown shows no pictures of its own."""
        parts = [f"## {self.title}", *self.lines]
        if self.rows:
            table = (self.header, ("---",) * len(self.header), *self.rows)
            parts.append("\n".join(f"| {' | '.join(map(cell, row))} |" for row in table))
        return "\n\n".join(parts)


def evidence_pack(release: Release, decision: Decision, settings: Settings) -> str:
    """Write the page on a candidate that the gate accepts; return the same as Markdown.

    Parameters
    ----------
    decision
        The gate's.

    Returns
    -------
    str
        Ends with the page's path, which has charts as well.
    """
    spec = release.spec
    evidence = Evidence.model_validate_json(release.read(RELEASED_EVIDENCE_FILE))
    title = f"Version {release.version} of {spec.name}"
    lead = (
        f"The gate accepts it. {evidence.best}, trained for {release.window} on "
        f"{release.candidate.train_rows:,} {spec.gold.unit}s; why: {release.manifest.reason}. "
        f"{spec.costs.unit.capitalize()} are assumed: {spec.costs.assumption}"
    )
    sections = [
        _qualities(evidence, release),
        *_calibration(evidence),
        _slices(evidence, spec),
    ]
    if evidence.champion:
        champion = load_release(spec, evidence.champion.version, settings)
        sections.append(_changes(release, champion, settings))
    sections.append(_clauses(decision))
    path = settings.home / "reports" / spec.name / f"version-{release.version}.html"
    page = templates().get_template("pack.html")
    write_atomic(path, page.render(title=title, lead=lead, sections=sections).encode())
    parts = (f"# {title}", lead, *(section.markdown() for section in sections), _where(path))
    return "\n\n".join(parts)


def _where(path: Path) -> str:
    return f"The same with charts, as a page: `{path}`"


def _qualities(evidence: Evidence, release: Release) -> Section:
    """Compare candidates, champion and baselines on the same rows."""
    spec = release.spec
    measured = {
        f"{name} (this one)" if name == evidence.best else name: challenger.quality
        for name, challenger in evidence.candidates.items()
    }
    if evidence.champion:
        measured[f"champion {evidence.champion.version}"] = evidence.champion.quality
    measured |= {f"baseline {name}": quality for name, quality in evidence.baselines.items()}
    best = evidence.candidates[evidence.best]
    per_unit = f"{spec.costs.unit} per {spec.gold.unit}"
    lines = [f"On the same {evidence.holdout_rows:,} later {spec.gold.unit}s:"]
    if evidence.champion and best.against_champion:
        against = f"champion {evidence.champion.version}"
        lines.append(_difference(best.against_champion, against, spec))
    lines.append(_difference(best.against_baseline, f"the baseline {evidence.best_baseline}", spec))
    metrics = list(spec.costs.metrics)
    style = {True: "decision", False: "bound"}
    bars = [
        (name, style[name.endswith("(this one)")], quality.cost_per_unit)
        for name, quality in measured.items()
    ]
    return Section(
        "Against the champion and the baselines",
        tuple(lines),
        ("", per_unit, *(spec.costs.metrics[name].label for name in metrics)),
        tuple(
            (
                name,
                f"{quality.cost_per_unit:.2f}",
                *(number(quality.metrics.get(metric), ".3f") for metric in metrics),
            )
            for name, quality in measured.items()
        ),
        bar_chart(bars, title=f"Cost, {per_unit}", form=".2f"),
    )


def _difference(found: Comparison, other: str, spec: Spec) -> str:
    more = "more" if found.estimate > 0 else "less"
    confidence = 1 - 2 * spec.gate.comparison.level
    return (
        f"It costs {abs(found.estimate):.2f} {spec.costs.unit} per {spec.gold.unit} {more} than "
        f"{other}; with a confidence of {confidence:.1%}, the difference lies in "
        f"[{found.low:+.2f}, {found.high:+.2f}] ({found.clusters} "
        f"{spec.gate.comparison.clusters})."
    )


def _calibration(evidence: Evidence) -> Iterator[Section]:
    """Say whether probabilities mean what they say, where there are any."""
    found = evidence.examination.calibration
    if found:
        yield Section(
            "Calibration",
            (
                f"The mean error is {found.error:.3f}, of which chance alone makes "
                f"{found.error_by_chance:.3f}; probabilities are {found.bias:+.3f} off on average "
                f"(standard error {found.bias_standard_error:.3f}).",
            ),
        )


def _slices(evidence: Evidence, spec: Spec) -> Section:
    """Show where the candidate costs more than its rival, the worst first."""
    found = evidence.examination.slices
    named = [("declared", each) for each in found.declared] + [
        ("found", each) for each in found.found
    ]
    return Section(
        "Where it is worse",
        (
            f"What it costs more than {found.rival}, in {spec.costs.unit} per {spec.gold.unit}, "
            "worst first. To be expected: drawn towards the mean, as the worst of many slices "
            f"is mostly unlucky. Found: the worst of {found.searched:,} others.",
        ),
        ("slice", "", "rows", "measured", "to be expected", "p, worse than its margin"),
        tuple(
            (
                f"{each.column} = {each.level}",
                how,
                f"{each.rows:,}",
                f"{each.estimate:+.2f} ± {_Z_95 * each.standard_error:.2f}",
                f"{each.shrunken:+.2f}",
                f"{each.adjusted_p_value:.3f}",
            )
            for how, each in named[:_MOST_SLICES]
        ),
    )


def _changes(release: Release, champion: Release, settings: Settings) -> Section:
    """Compare rows that the champion has not learned from with those that it has."""
    from ratchet.registry import answers_on_holdout
    from ratchet.warehouse import load_snapshot

    spec = release.spec
    before, now = champion.spec.gold.features, spec.gold.features
    lines = [
        f"Features {what}: {', '.join(names)}."
        for what, names in (
            ("added", [name for name in now if name not in before]),
            ("removed", [name for name in before if name not in now]),
        )
        if names
    ]
    common = {name: feature for name, feature in now.items() if before.get(name) == feature}
    shared = spec.model_copy(update={"gold": spec.gold.model_copy(update={"features": common})})
    rows = load_snapshot(spec, release.manifest.snapshot_id, settings)
    learned_until = champion.candidate.train_end.replace(tzinfo=None)
    new = rows[rows[spec.gold.decided_at] >= learned_until]
    answers = answers_on_holdout(release, settings)[spec.costs.watched]
    drifts = compare(champion.profile, new, answers, shared)
    moved = sorted(drifts, key=lambda drift: -(drift.psi or 0))[:_MOST]
    lines.append(
        f"Champion {champion.version} learned from what was known by "
        f"{champion.candidate.train_end:%Y-%m-%d}. The {len(new):,} {spec.gold.unit}s since then, "
        f"against those; a population stability index from {spec.monitoring.max_psi:g} on is a "
        "large shift. The prediction is this candidate's, against the champion's."
    )
    return Section(
        "What changed since the champion was trained",
        tuple(lines),
        ("", "PSI", "missing"),
        tuple(map(_moved, moved)),
        bar_chart(
            [(d.name, "rule" if d.state == "drift" else "bound", d.psi or 0) for d in moved],
            title="Population stability index",
            form=".2f",
        ),
    )


def _moved(drift: Drift) -> tuple[str, str, str]:
    change = MISSING if drift.missing_change is None else f"{drift.missing_change:+.1%}"
    return drift.name, number(drift.psi, ".3f"), change


def _clauses(decision: Decision) -> Section:
    return Section(
        "What the gate looked at",
        (),
        ("", "observed", "limit", ""),
        tuple(
            (
                clause.name.replace("_", " "),
                compared(clause.observed),
                compared(clause.required),
                clause.text,
            )
            for clause in decision.clauses
        ),
    )
