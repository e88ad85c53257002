"""The summary as one HTML page that needs nothing else: no script, no font, no network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from ratchet.reporting.charts import Series, bar_chart, line_chart
from ratchet.reporting.summary import Summary, Week
from ratchet.reporting.timeline import draw_timeline, reigns
from ratchet.reporting.wording import (
    GOOD,
    KIND_LABELS,
    POLICY_LABELS,
    compared,
    cost_lines,
    number,
    policy_labels,
    references,
    subject,
    why,
)
from ratchet.storage import write_atomic
from ratchet.window import Window


def templates() -> Environment:
    """Return the environment of all pages."""
    return Environment(
        loader=PackageLoader("ratchet.reporting", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def write_html(summary: Summary, path: Path) -> None:
    """Write the summary as a self-contained page, all of it or nothing.

    The same summary gives the same bytes.
    """
    environment = templates()
    environment.filters.update(
        number=number,
        window=lambda key: str(Window.parse(key)),
        day=lambda key: f"{Window.parse(key).end:%Y-%m-%d}",
        compared=compared,
    )
    metrics = summary.spec.costs.realised_metrics
    page = environment.get_template("page.html").render(
        summary=summary,
        spec=summary.spec,
        costs=cost_lines(summary.spec),
        policies=policy_labels(summary.spec),
        references=references(summary.spec),
        kinds=KIND_LABELS,
        good=GOOD,
        metrics=metrics,
        leading=next(iter(metrics)),
        subject=subject,
        why=why,
        charts=_charts(summary, summary.period) if summary.period else {},
    )
    write_atomic(path, page.encode())


def _charts(summary: Summary, period: Window) -> dict[str, str]:
    charts = {"timeline": draw_timeline(summary, period)}
    if summary.state != "complete":
        return charts
    spec, unit = summary.spec, summary.spec.costs.unit
    named = references(spec)
    base, against = next(iter(named.items()))
    name, metric = next(iter(spec.costs.realised_metrics.items()))
    changes = [
        (period.start, f"version {version}") for version, period in reigns(summary.weeks)[1:]
    ]
    return charts | {
        "saved": line_chart(
            [_saved_so_far(summary.weeks, *reference) for reference in named.items()],
            period,
            title=f"Cost saved so far, thousand {unit}",
            form=",.1f",
            changes=changes,
            include_zero=True,
        ),
        "policies": bar_chart(
            _saved_by_policy(summary, base),
            title=f"Saved {against}, {unit} per {spec.gold.unit}",
            form="+.2f",
        ),
        "quality": line_chart(
            [_quality(summary.weeks, policy, name) for policy in POLICY_LABELS],
            period,
            title="; ".join(filter(None, [f"{metric.label} by window", metric.note])),
            form=".3f",
            changes=changes,
        ),
    }


def _saved_so_far(weeks: Sequence[Week], reference: str, label: str) -> Series:
    windows = [Window.parse(week.window) for week in weeks]
    total = accumulate((week.saved(reference) or 0.0 for week in weeks), initial=0.0)
    moments = [windows[0].start, *(window.end for window in windows)]
    points = tuple((moment, saved / 1000) for moment, saved in zip(moments, total, strict=True))
    return Series(label, reference, points)


def _saved_by_policy(summary: Summary, base: str) -> list[tuple[str, str, float]]:
    reference = summary.overall[base].cost_per_unit or 0.0
    return [
        (label, policy, reference - row.cost_per_unit)
        for policy, label in policy_labels(summary.spec).items()
        if policy != base and (row := summary.overall.get(policy)) and row.cost_per_unit is not None
    ]


def _quality(weeks: Sequence[Week], policy: str, metric: str) -> Series:
    points = []
    for week in weeks:
        window = Window.parse(week.window)
        row = week.by_policy.get(policy)
        points.append(
            (window.start + (window.end - window.start) / 2, row.metrics[metric] if row else None)
        )
    return Series(POLICY_LABELS[policy], policy, tuple(points))
