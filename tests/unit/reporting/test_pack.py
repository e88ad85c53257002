import pytest
from champions_lake import YES
from model_lake import FIRST

from ratchet.decision import Clause, Decision
from ratchet.evaluation import Champion, load_evidence
from ratchet.registry import load_release, register
from ratchet.registry.release import package
from ratchet.reporting import evidence_pack

NO = Clause(name="x", passed=True, observed=0.25, required=0.5, text="Odd \\| text\n<b>here</b>.")


@pytest.fixture
def pack(trained_lake):
    """Return the pack of a candidate beside a champion, since whose training the wind rose."""
    lake = trained_lake
    spec, settings = lake.spec, lake.settings
    champion = load_release(spec, register(spec, FIRST, settings, "by hand"), settings)
    is_new = lake.rows[spec.gold.decided_at] >= champion.candidate.train_end.replace(tzinfo=None)
    lake.rows.loc[is_new, "wind_speed_mph"] += 2
    lake.publish()
    spec = spec.model_copy(
        update={"monitoring": spec.monitoring.model_copy(update={"min_rows": 500})}
    )
    evidence = load_evidence(spec, FIRST, settings)
    against = evidence.candidates[evidence.best].against_baseline.model_copy(
        update={"estimate": -0.5, "low": -0.72, "high": -0.28, "clusters": 14}
    )
    evidence = evidence.model_copy(
        update={
            "snapshot_id": lake.snapshot_id(FIRST),
            "champion": Champion(
                version="1",
                train_end=champion.candidate.train_end,
                quality=evidence.candidates[evidence.best].quality,
            ),
            "candidates": {
                name: each.model_copy(update={"against_champion": against})
                for name, each in evidence.candidates.items()
            },
        }
    )
    package(spec, FIRST, evidence, settings, "drift", lake.lake.releases / "2")
    decision = Decision(
        kind="release",
        use_case=spec.name,
        window=FIRST.key,
        verdict="accepted",
        clauses=(YES, NO),
    )
    text = evidence_pack(load_release(spec, "2", settings), decision, settings)
    return text, settings.home / "reports" / "flights" / "version-2.html", evidence


def test_pack_says_how_sure_the_difference_to_the_champion_is(pack):
    text, _, _ = pack
    assert "costs 0.50 points per flight less than champion 1" in text
    assert "[-0.72, -0.28] (14 days)" in text


def test_pack_compares_with_all_baselines_and_lists_slices_and_clauses(pack):
    text, _, evidence = pack
    for name in evidence.baselines:
        assert f"| baseline {name} |" in text
    worst = (*evidence.examination.slices.declared, *evidence.examination.slices.found)[0]
    assert f"| {worst.column} = {worst.level} |" in text
    assert f"| {NO.name} | 0.25 | 0.5 | Odd \\\\\\| text <b>here</b>. |" in text


def test_pack_names_what_moved_since_the_champion_was_trained(pack):
    text, _, _ = pack
    changed = text[text.index("## What changed") :]
    first = changed[changed.index("| ---") :].splitlines()[1]
    name, psi = first.strip("| ").split(" | ")[:2]
    assert name == "wind_speed_mph"
    assert float(psi) > 1
    calm = changed[: changed.index("## What the gate")].count("| 0.")
    assert calm >= 5, "what did not move has a small index"


def test_pack_page_has_charts_and_the_question_says_where_it_is(pack):
    text, path, _ = pack
    assert str(path) in text
    page = path.read_text()
    assert page.count("<svg") == 2
    assert "Odd \\| text\n&lt;b&gt;here&lt;/b&gt;." in page
    assert "http" not in page.replace("http://www.w3.org", "")
