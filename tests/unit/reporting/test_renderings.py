import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_lake import WEEKS, FakeLake

from ratchet.reporting import Summary, render_text, summarise, write_html
from ratchet.reporting.charts import Series, line_chart
from ratchet.window import Window

VOID = {"meta", "line", "circle", "rect", "path", "polyline"}


class Outline(HTMLParser):
    """Finds what a browser would fetch, and tags that are not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [str(v) for k, v in attrs if k in ("src", "href", "srcset", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.fixture
def summary(told: FakeLake) -> Summary:
    return summarise(told.spec, told.settings)


def page_of(summary: Summary, path: Path) -> str:
    write_html(summary, path)
    return path.read_text()


def test_render_text_shows_results_reasons_and_the_cost_assumption(summary: Summary):
    text = " ".join(render_text(summary).split())
    for expected in (
        "What was decided 35.00",
        "First model, frozen 45.00 +10.00",
        "Never act 50.00 +15.00",
        summary.spec.costs.assumption,
        "2013-03-15 gate candidate boosting refused On the same flights it costs 0.40 more",
        "There is no champion yet.",
        "weather 12 9 3 wind_gust_mph: 900 is over 253",
    ):
        assert expected in text


def test_render_text_decision_by_all_clauses_shows_each_number(summary: Summary):
    held = summary.decisions[0]
    quiet = (
        held.clauses[0].model_copy(update={"name": "first_model", "passed": False}),
        held.clauses[0].model_copy(
            update={"name": "new_labels", "passed": False, "observed": 12.0, "required": 5000.0}
        ),
    )
    held = held.model_copy(update={"verdict": "held", "clauses": quiet})
    text = " ".join(render_text(summary.model_copy(update={"decisions": (held,)})).split())
    expected = "No trigger is met. Observed (limit): first model 0.4 (0), new labels 12 (5,000)."
    assert expected in text


def test_render_text_accepted_candidate_tells_what_it_is_worth_and_no_more(summary: Summary):
    refused = next(decision for decision in summary.decisions if decision.kind == "release")
    clauses = tuple(
        refused.clauses[0].model_copy(
            update={"name": name, "passed": True, "text": f"About {name}."}
        )
        for name in ("enough_rows", "better_than_baseline", "better_than_champion")
    )
    accepted = refused.model_copy(update={"verdict": "accepted", "clauses": clauses})
    text = " ".join(render_text(summary.model_copy(update={"decisions": (accepted,)})).split())
    told = "All 3 conditions are met. About better_than_baseline. About better_than_champion."
    assert told in text
    assert "enough_rows" not in text


def test_render_text_without_color_has_no_control_characters(summary: Summary):
    assert "\x1b" not in render_text(summary)
    assert "\x1b[" in render_text(summary, color=True)


def test_render_text_empty_lake_is_readable(fake_lake: FakeLake):
    text = render_text(summarise(fake_lake.spec, fake_lake.settings))
    assert "Nothing has been scored yet" in text
    assert "No decision has been taken yet." in text


def test_write_html_fetches_nothing_and_closes_every_tag(summary: Summary, tmp_path: Path):
    page = page_of(summary, tmp_path / "page.html")
    outline = Outline()
    outline.feed(page)
    assert outline.tags.count("svg") == 4
    assert outline.open == outline.fetched == []
    assert not re.search(r"https?://|url\(|@import|<script", page)


def test_write_html_shows_results_decisions_and_the_cost_assumption(
    summary: Summary, tmp_path: Path
):
    page = page_of(summary, tmp_path / "page.html")
    for expected in (
        summary.spec.costs.assumption.replace("'", "&#39;"),
        "Saved against the first model",
        "<summary>" + summary.decisions[-1].reasons[0],
        "not worse than champion",
        "2013-03-08 → 2013-03-15",
        "weather",
    ):
        assert expected in page
    assert not re.search(r"\bnan\b", page, re.IGNORECASE)


def test_write_html_again_gives_the_same_bytes(summary: Summary, tmp_path: Path):
    assert page_of(summary, tmp_path / "a.html") == page_of(summary, tmp_path / "b.html")


def test_write_html_escapes_what_others_wrote(summary: Summary, tmp_path: Path):
    first, *others = summary.decisions
    clause = first.clauses[0].model_copy(update={"text": "<script>alert(1)</script>"})
    decisions = (first.model_copy(update={"clauses": (clause,)}), *others)
    page = page_of(summary.model_copy(update={"decisions": decisions}), tmp_path / "page.html")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


@pytest.mark.parametrize("champion", [None, "1"])
def test_write_html_before_results_is_a_whole_page(
    fake_lake: FakeLake, tmp_path: Path, champion: str | None
):
    if champion:
        fake_lake.score(WEEKS[0], {"champion": [0.1, 0.9]}, champion)
    summary = summarise(fake_lake.spec, fake_lake.settings)
    page = page_of(summary, tmp_path / "page.html")
    assert summary.message in page
    assert "What the decisions saved" not in page
    assert page.endswith("</html>")


def test_line_chart_leaves_out_what_is_unknown_and_labels_the_last_value():
    week = Window.parse("2013-03-01T0000--2013-03-08T0000")
    known = Series("known", "rule", ((week.start, 0.5), (week.end, None)))
    unknown = Series("unknown", "first", ((week.start, None),))
    chart = line_chart([known, unknown], week, title="ROC-AUC", form=".3f")
    assert chart.count("<polyline") == 1
    assert '<tspan class="strong">0.500</tspan>' in chart
