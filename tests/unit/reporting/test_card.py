import json
import re

import pytest
from model_lake import FIRST, SECOND

from ratchet.evaluation import judge, load_evidence
from ratchet.ledger import Ledger
from ratchet.registry import load_release, register
from ratchet.reporting import write_card
from ratchet.reporting.annex import POINTS, annex_rows
from ratchet.reporting.card import _sections, _source
from ratchet.training import candidate_folder


def titles(text):
    return re.findall("^## (.*)$", text, re.MULTILINE)


@pytest.fixture
def carded(trained_lake):
    """Return a lake with one release that the gate has judged, and its card."""
    lake = trained_lake
    evidence = load_evidence(lake.spec, FIRST, lake.settings)
    version = register(lake.spec, FIRST, lake.settings, "new data")
    decision = Ledger(lake.lake.ledger).record(judge(evidence, lake.spec))
    return lake, version, decision, evidence


def test_card_answers_from_release_and_ledger(carded):
    lake, version, decision, evidence = carded
    page, text = (path.read_text() for path in write_card(lake.spec, version, lake.settings))
    release = load_release(lake.spec, version, lake.settings)
    cost = evidence.candidates[evidence.best].quality.cost_per_unit
    card = lake.spec.card
    for told in (
        release.manifest.snapshot_id,
        release.manifest.files["model.skops"],
        f"| this release | {cost:.2f} |",
        f"It was {decision.verdict}.",
        *(clause.text for clause in decision.clauses),
        *(card.intended_use + card.excluded_use + card.limits),
        lake.spec.costs.assumption,
        f"ratchet reproduce {lake.spec.name} {version}",
    ):
        assert told in text, told
    assert titles(text) == re.findall(r'<h2 id="s\d+">(.*)</h2>', page)
    assert "not measured" not in text.lower()
    assert page.count("<svg") == 2


def test_card_again_gives_the_same_bytes_and_a_later_decision_is_added(carded):
    lake, version, decision, _ = carded
    paths = write_card(lake.spec, version, lake.settings)
    before = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in write_card(lake.spec, version, lake.settings)] == before
    refusal = decision.model_copy(
        update={
            "kind": "approval",
            "verdict": "refused",
            "author": "Ada",
            "window": SECOND.key,
            "subject": {"version": version},
        }
    )
    Ledger(lake.lake.ledger).record(refusal)
    taken_out = {
        "kind": "rollback",
        "author": "Eve",
        "subject": {"version": "0", "taken_out": version},
    }
    Ledger(lake.lake.ledger).record(refusal.model_copy(update=taken_out))
    _, text = write_card(lake.spec, version, lake.settings)
    assert "| Ada |" in text.read_text()
    assert "| Eve |" in text.read_text()
    assert "No person has approved" not in text.read_text()


def test_card_release_of_before_says_what_was_not_measured(trained_lake):
    lake = trained_lake
    best = load_evidence(lake.spec, FIRST, lake.settings).best
    (candidate_folder(lake.spec, FIRST, best, lake.settings) / "explanations.json").unlink()
    lake.spec = lake.spec.model_copy(update={"card": None})
    version = register(lake.spec, FIRST, lake.settings, "new data")
    source = _source(load_release(lake.spec, version, lake.settings), lake.settings)
    old = {name: part for name, part in source.evidence.items() if name != "examination"}
    source.__dict__["evidence"] = json.loads(json.dumps(old))
    missing = {each.title for each in _sections(source) if each.is_missing}
    assert missing == {
        "Intended use",
        "Excluded use",
        "Known limits",
        "Calibration",
        "Slices",
        "Fairness",
        "Disturbed inputs",
        "Behaviour",
        "Earlier times",
        "In a clean process",
        "What its answers rest on",
        "How answers go with features",
        "What the gate decided",
        "Approvals, promotion and rollbacks",
    }
    annex = {point: where for point, _, where in list(_sections(source))[-1].rows}
    assert annex["1(h)"] == (
        "not answered: Intended use (nothing measured or said); "
        "Excluded use (nothing measured or said)"
    )


def test_annex_has_all_points_and_names_sections_that_exist(carded):
    lake, version, _, _ = carded
    # Regulation (EU) 2024/1689, Annex IV: 1 (a) to (h), 2 (a) to (h), 3 to 9
    letters = "abcdefgh"
    expected = [f"{n}({x})" for n in (1, 2) for x in letters] + [str(n) for n in range(3, 10)]
    assert [point for point, *_ in POINTS] == expected
    _, text = write_card(lake.spec, version, lake.settings)
    known = set(titles(text.read_text()))
    assert {title for _, _, sections, _ in POINTS for title in sections} <= known
    for point, _, where in annex_rows(set()):
        assert where, point
    declaration = {point: where for point, _, where in annex_rows(set())}["8"]
    assert declaration == "not answered: there is none"
