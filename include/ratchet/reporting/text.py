"""The summary for a terminal."""

from __future__ import annotations

from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ratchet.reporting.summary import Summary
from ratchet.reporting.wording import (
    GOOD,
    KIND_LABELS,
    MISSING,
    cost_lines,
    number,
    policy_labels,
    references,
    rested_on,
    subject,
    why,
)
from ratchet.window import Window


def render_text(summary: Summary, *, color: bool = False, width: int = 110) -> str:
    """Return the summary as text.

    Parameters
    ----------
    color
        Whether to use a terminal's colors; leave it off for files and pipes.
    width
        Columns of the terminal.
    """
    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=color, no_color=not color, highlight=False
    )
    spec = summary.spec
    console.rule(f"{spec.title} · level {spec.level}", align="left")
    console.print(Text(summary.message))
    if summary.state == "complete":
        _print_results(console, summary)
    _print_decisions(console, summary)
    _print_feeds(console, summary)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    return "\n".join(lines) + "\n"


def _print_results(console: Console, summary: Summary) -> None:
    spec = summary.spec
    for line in cost_lines(spec):
        console.print(Text(line, style="dim"))
    table = _table(console, f"{spec.costs.unit} per {spec.gold.unit}, all windows with a champion")
    table.add_column("")
    metrics = spec.costs.realised_metrics
    labels = [metric.label for metric in metrics.values()]
    for name in (f"{spec.costs.unit}/{spec.gold.unit}", "saved", *labels):
        table.add_column(name, justify="right")
    for policy, label in policy_labels(spec).items():
        if row := summary.overall.get(policy):
            saved = summary.saved_per_unit(policy) if policy != "decision" else None
            table.add_row(
                label,
                number(row.cost_per_unit, ".2f"),
                number(saved, "+.2f"),
                *(number(row.metrics[name], ".3f") for name in metrics),
                style="bold" if policy == "decision" else "",
            )
    console.print(table)
    console.print(
        Text("Saved: what the decisions cost less than that policy would have, on the same rows")
    )
    _print_weeks(console, summary)


def _print_weeks(console: Console, summary: Summary) -> None:
    spec = summary.spec
    table = _table(console, f"Window by window, {spec.costs.unit} per {spec.gold.unit}")
    table.add_column("from", no_wrap=True)
    leading, metric = next(iter(spec.costs.realised_metrics.items()))
    columns = ("version", f"{spec.gold.unit}s", "labels", "decided", *references(spec))
    for name in (*columns, metric.label, f"{metric.label} first", "PSI"):
        table.add_column(name, justify="right")
    for week in summary.weeks:
        decided, first = week.by_policy["decision"], week.by_policy.get("first")
        costs = (week.by_policy.get(policy) for policy in ("decision", *references(spec)))
        table.add_row(
            f"{Window.parse(week.window).start:%Y-%m-%d}",
            week.version,
            f"{decided.total:,}",
            f"{decided.labelled / decided.total:.1%}",
            *(number(cost.cost_per_unit if cost else None, ".2f") for cost in costs),
            number(decided.metrics[leading], ".3f"),
            number(first.metrics[leading] if first else None, ".3f"),
            number(week.prediction_psi, ".3f"),
        )
    console.print(table)


def _print_decisions(console: Console, summary: Summary) -> None:
    table = _table(console, "Decisions")
    table.add_column("decided at", no_wrap=True)
    table.add_column("what", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("why")
    for decision in summary.decisions:
        if (decision.kind, decision.verdict) == ("data", "accepted"):
            continue  # one a window; the page lists them
        table.add_row(
            f"{Window.parse(decision.window).end:%Y-%m-%d}",
            f"{KIND_LABELS[decision.kind]} {subject(decision)}".lower(),
            Text(decision.verdict, style="green" if decision.verdict in GOOD else "yellow"),
            Text(f"{why(decision)} {rested_on(decision)}"),
        )
    console.print(table if summary.decisions else Text("No decision has been taken yet."))


def _print_feeds(console: Console, summary: Summary) -> None:
    table = _table(console, "Rows landed = accepted + quarantined")
    table.add_column("feed")
    for name in ("landed", "accepted", "quarantined"):
        table.add_column(name, justify="right")
    table.add_column("mostly because")
    for feed in summary.feeds:
        counts = (feed.landed, feed.accepted, feed.quarantined)
        shown = (f"{count:,}" if feed.landed else MISSING for count in counts)
        table.add_row(feed.feed, *shown, Text(feed.reason or ""))
    console.print(table)


def _table(console: Console, title: str) -> Table:
    console.print(Text(f"\n{title}", style="bold"))
    return Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
