import shutil

import pytest
from three_weeks import LATER

from ratchet.decision import Decision
from ratchet.ledger import Ledger
from ratchet.lineage import Graph, load_graph
from ratchet.settings import Settings
from ratchet.spec import Spec


@pytest.fixture(scope="session")
def graph(flights_spec: Spec, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Return the lineage of the flagship's SQL: dbt compiles it once for all tests."""
    folder = tmp_path_factory.mktemp("lineage")
    return load_graph(flights_spec, Settings(folder, folder))


@pytest.fixture(scope="session")
def traced(
    flights_spec: Spec,
    three_weeks: Settings,
    graph: Graph,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Return three real weeks; a release trained on the first two windows decides in the third."""
    from ratchet.evaluation import evaluate, load_evidence
    from ratchet.registry import load_release
    from ratchet.registry.release import package, seal
    from ratchet.serving import score
    from ratchet.training import train
    from ratchet.warehouse import take_snapshot

    home = tmp_path_factory.mktemp("traced")
    shutil.copytree(three_weeks.home / "lake", home / "lake")
    settings, window = Settings(home, home), LATER[0]
    lake = settings.lake(flights_spec.name)
    only = {"logistic": flights_spec.training.estimators["logistic"]}
    training = flights_spec.training.model_copy(
        update={"min_rows": 1000, "holdout_days": 3, "estimators": only}
    )
    spec = flights_spec.model_copy(update={"training": training})
    snapshot = take_snapshot(spec, window, settings)
    train(spec, window, snapshot.id, "logistic", settings)
    evaluate(spec, window, snapshot.id, settings)
    evidence = load_evidence(spec, window, settings)
    package(spec, window, evidence, settings, "by hand", lake.releases / "1")
    release = load_release(spec, "1", settings)
    Ledger(lake.ledger).record(
        Decision(
            kind="promotion",
            use_case=spec.name,
            window=window.key,
            verdict="promoted",
            clauses=(),
            subject={"version": "1"},
            evidence={"release_sha256": release.sha256},
            files={"releases/1/decisions.json": seal(release, [])},
        )
    )
    score(spec, LATER[0], settings)
    score(spec, LATER[1], settings)
    return settings
