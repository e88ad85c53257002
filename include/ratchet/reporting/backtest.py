"""What retraining policies would have cost: as a table, and as a page with a plot."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from ratchet.reporting.charts import Series, line_chart
from ratchet.reporting.page import templates
from ratchet.reporting.wording import cost_lines
from ratchet.retraining import Result
from ratchet.spec import Spec
from ratchet.storage import write_atomic
from ratchet.window import Window

LABELS = {
    "never": "Never",
    "monthly": "Every four weeks",
    "weekly": "Every week",
    "declared": "As declared",
    "oracle": "Oracle",
}
STYLES = {
    "never": "never",
    "monthly": "first",
    "weekly": "rule",
    "declared": "decision",
    "oracle": "perfect",
}
HEADINGS = ("cost", "interval", "regret", "interval", "trained", "champions", "CPU s", "stale")


def backtest_table(results: Sequence[Result], spec: Spec, *, width: int = 110) -> str:
    """Return one row per policy; cost and regret per decision, with intervals of 95 %."""
    table = Table(title=f"{spec.title}: retraining policies", title_justify="left", box=box.SIMPLE)
    table.add_column("policy")
    for heading in HEADINGS:
        table.add_column(heading, justify="right")
    for name, figures in rows_of(results).items():
        table.add_row(name, *figures)
    out = StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(table)
    console.print(notes(spec))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def rows_of(results: Sequence[Result]) -> dict[str, tuple[str, ...]]:
    """Return what is told of each policy, by its label."""
    return {
        LABELS[each.name]: (
            f"{each.cost.estimate:.2f}",
            f"{each.cost.low:.2f} to {each.cost.high:.2f}",
            f"{each.regret.estimate:.3f}",
            f"{each.regret.low:.3f} to {each.regret.high:.3f}",
            str(each.trainings),
            str(each.promotions),
            f"{each.cpu_seconds:.0f}",
            f"{each.staleness_days:.0f} d",
        )
        for each in results
    }


def notes(spec: Spec) -> str:
    """Say what the figures are."""
    per_unit = f"{spec.costs.unit} per {spec.gold.unit}"
    return (
        f"Cost and regret: {per_unit}, with intervals of 95 % by blocks of days. Regret: more than "
        "the oracle, which takes in each window the model that does best in it. Trained: how "
        "often; champions: how many of these passed the gate's comparisons; of the oracle, how "
        "often it changes the model. Stale: mean age of what the champion knew when it decided. "
        f"{spec.costs.assumption}"
    )


def write_backtest(results: Sequence[Result], spec: Spec, period: Window, path: Path) -> None:
    """Write the table and the regret over time as a self-contained page."""
    chart = line_chart(
        [
            Series(LABELS[each.name], STYLES[each.name], ((period.start, 0.0), *each.weekly))
            for each in results
            if each.name != "oracle"
        ],
        period,
        title=f"Regret so far, {spec.costs.unit}",
        form=",.0f",
        include_zero=True,
    )
    page = (
        templates()
        .get_template("backtest.html")
        .render(
            spec=spec,
            period=str(period),
            costs=cost_lines(spec),
            headings=HEADINGS,
            rows=rows_of(results),
            notes=notes(spec),
            chart=chart,
        )
    )
    write_atomic(path, page.encode())
