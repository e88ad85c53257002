import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fake_lake import WEEKS, FakeLake

from ratchet.decision import Clause, Decision, Kind
from ratchet.ledger import Ledger
from ratchet.window import Window

REFUSAL = "On the same flights it costs 0.40 more than champion 1; 0 more is allowed."


def decision(
    kind: Kind, window: Window, verdict: str, subject: dict[str, str], *clauses: Clause
) -> Decision:
    return Decision(
        kind=kind,
        use_case="flights",
        window=window.key,
        verdict=verdict,
        subject=subject,
        clauses=clauses,
    )


def clause(name: str, passed: bool, text: str) -> Clause:
    return Clause(name=name, passed=passed, observed=0.4, required=0.0, text=text)


@pytest.fixture
def told(fake_lake: FakeLake) -> FakeLake:
    """A lake with a story: the rule decides, then champion 1, which a candidate fails to beat.

    In each champion's week there are four flights: the champion acts on both disrupted ones, the
    first model on one of them and one in vain, the rule on none.
    """
    before, *weeks = WEEKS
    fake_lake.score(before, {"rule": [0.1] * 4}, champion=None)
    answers = {
        "champion": [0.9, 0.8, 0.1, 0.2],
        "first": [0.9, 0.1, 0.8, 0.2],
        "rule": [0.1, 0.1, 0.2, 0.2],
    }
    for window in weeks:
        fake_lake.score(window, answers, champion="1")
        fake_lake.happen(window, [True, True, False, False])
    ledger = Ledger(fake_lake.lake.ledger)
    late = decision(
        "release",
        weeks[0],
        "refused",
        {"candidate": "boosting"},
        clause("not_too_bad", True, "Its ROC-AUC is 0.75; 0.65 is needed."),
        clause("not_worse_than_champion", False, REFUSAL),
    )
    first_model = clause("first_model", True, "There is no champion yet.")
    passed = clause("not_too_bad", True, "Its ROC-AUC is 0.74; 0.65 is needed.")
    for one in (
        late,  # recorded first: an old window was replayed after it
        decision("retrain", before, "requested", {"champion": "none"}, first_model),
        decision("release", before, "accepted", {"candidate": "logistic"}, passed),
        decision("promotion", before, "promoted", {"version": "1"}, passed),
    ):
        ledger.record(one)
    for window in WEEKS:
        folder = fake_lake.lake.landing("weather", window)
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"_row": [1, 2, 3]}), folder / "accepted.parquet")
        gust = ["wind_gust_mph: 900 is over 253"]
        pq.write_table(
            pa.table({"_row": [4], "reasons": pa.array([gust])}), folder / "quarantine.parquet"
        )
    return fake_lake
