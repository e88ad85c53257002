"""All candidates and baselines of a use case, as they were judged."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ratchet.decision import Decision
from ratchet.evaluation import Challenger, Evidence, Quality
from ratchet.ledger import Ledger
from ratchet.spec import Spec
from ratchet.window import Window

Row = tuple[str, ...]


def leaderboard(spec: Spec, ledger: Ledger, *, width: int = 110) -> str:
    """Return one table of all windows, newest first, in each the cheapest on top.

    Read from the evidence of the ledger's release decisions. Costs of different windows do not
    compare: weeks differ more than models. So each candidate stands beside the baselines and the
    champion that answered the same rows, with its interval against the best baseline.

    Parameters
    ----------
    width
        Columns of the terminal.

    Raises
    ------
    LedgerError
        If the ledger was changed.
    """
    judged = sorted(
        ledger.decisions("release"), key=lambda each: Window.parse(each.window).end, reverse=True
    )
    if not judged:
        return f"{spec.name}: no candidate was judged yet\n"
    versions = {
        (each.window, each.evidence.get("judged_model", each.subject["model"])): each.subject[
            "version"
        ]
        for each in ledger.decisions("promotion")
    }
    name, metric = next(iter(spec.costs.metrics.items()))
    per_unit = f"{spec.costs.unit} per {spec.gold.unit}"
    table = Table(
        title=f"{spec.title}: all candidates and baselines", title_justify="left", box=box.SIMPLE
    )
    for heading in ("judged", "who", metric.label, per_unit, "saves (interval)", "verdict"):
        is_number = heading in (metric.label, per_unit, "saves (interval)")
        table.add_column(heading, justify="right" if is_number else "left")
    for decision in judged:
        for row in _rows(
            decision, name, versions.get((decision.window, decision.subject["model"]))
        ):
            table.add_row(*map(escape, row))
        table.add_section()
    out = StringIO()
    console = Console(file=out, width=width, highlight=False)
    console.print(table)
    console.print(
        f"Saves: {per_unit} less than the best baseline on the same later rows, with the interval "
        f"of the gate's test. {spec.costs.assumption}"
    )
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _rows(decision: Decision, metric: str, version: str | None) -> Iterator[Row]:
    """Yield a window's rows, the cheapest first; the window stands in the first one."""
    day = f"{Window.parse(decision.window).end:%Y-%m-%d}"
    try:
        evidence = Evidence.model_validate(
            {
                **decision.evidence,
                "use_case": decision.use_case,
                "window": decision.window,
                "snapshot_id": decision.subject["snapshot"],
            }
        )
    except ValueError:  # written by a version that measured otherwise
        yield day, decision.subject["candidate"], "", "", "", f"{decision.verdict}, long ago"
        return
    verdict = decision.verdict if version is None else f"promoted as version {version}"
    contestants: list[tuple[str, Quality, str, str]] = [
        (name, each.quality, _saving(each), verdict if name == evidence.best else "not the best")
        for name, each in evidence.candidates.items()
    ]
    contestants += [(name, quality, "", "baseline") for name, quality in evidence.baselines.items()]
    if evidence.champion:
        champion = evidence.champion
        contestants.append((f"version {champion.version}", champion.quality, "", "champion"))
    contestants.sort(key=lambda each: each[1].cost_per_unit)
    for position, (name, quality, saving, told) in enumerate(contestants):
        found = quality.metrics.get(metric)
        yield (
            "" if position else day,
            name,
            "" if found is None else f"{found:.3f}",
            f"{quality.cost_per_unit:.2f}",
            saving,
            told,
        )


def _saving(candidate: Challenger) -> str:
    found = candidate.against_baseline
    return f"{-found.estimate:.2f} ({-found.high:.2f} to {-found.low:.2f})"
