"""An estimator that a use case brings by its import path."""

import sys

import pytest
from sklearn.linear_model import Ridge

from ratchet.cli import main
from ratchet.errors import RatchetError, ReleaseError, TrainingError
from ratchet.problems import fitted, problem_of
from ratchet.settings import PROJECT
from ratchet.training import dump_model, load_model, run_smoke

BLOCK_TIME = PROJECT / "include" / "use_cases" / "block_time.yaml"
MODULE = """
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge

class OnX(RegressorMixin, BaseEstimator):
    def __init__(self, alpha=1.0):
        self.alpha = alpha

    def fit(self, X, y):
        self.inner_ = Ridge(alpha=self.alpha).fit(X[["x"]].fillna(0), y)
        return self

    def predict(self, X):
        return self.inner_.predict(X[["x"]].fillna(0))

class Odd(OnX):
    def __init__(self, fails_in="", answer=None):
        self.fails_in = fails_in
        self.answer = answer

    def fit(self, X, y):
        if self.fails_in == "fit":
            raise KeyError("y_hat")
        return self

    def predict(self, X):
        if self.fails_in == "predict":
            raise KeyError("y_hat")
        return [float(i) if i else self.answer for i in range(len(X))]

    def predict_proba(self, X):
        return [[0.5] * int(self.answer)] * len(X)

def no_estimator():
    return object()

number = 3
"""
TYPE = "our_models.OnX"


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "our_models.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("our_models", None)


@pytest.fixture
def own(spec_of):
    def make(path, kind="regression", **params):
        spec = spec_of(kind)
        declared = next(iter(spec.training.estimators.values())).model_copy(
            update={"type": path, "params": params}
        )
        training = spec.training.model_copy(update={"estimators": {"own": declared}})
        return spec.model_copy(update={"training": training})

    return make


def test_own_estimator_is_fitted_stored_and_answers_raw_features(own, rows_of):
    problem, rows = problem_of(own("our_models:OnX", alpha=2.0)), rows_of("regression")
    features = rows[list(problem.spec.gold.features)]
    model = fitted(problem.estimator("own"), features, rows["label"], None, "own")
    expected = Ridge(alpha=2.0).fit(rows[["x"]].fillna(0), rows["label"])
    answers = problem.answer(model, rows)
    assert answers == pytest.approx(expected.predict(rows[["x"]].fillna(0)))
    loaded = load_model(dump_model(model, [TYPE]), [TYPE])
    assert problem.max_difference(problem.answer(loaded, rows), answers) == 0


def test_type_that_is_not_declared_is_refused_when_stored_and_when_read(own, rows_of):
    problem, rows = problem_of(own("our_models:OnX")), rows_of("regression")
    model = problem.estimator("own").fit(rows[["x", "color"]], rows["label"])
    with pytest.raises(TrainingError, match=r"holds our_models\.OnX.*trusted_types with a reason"):
        dump_model(model)
    with pytest.raises(ReleaseError, match="types that are not trusted"):
        load_model(dump_model(model, [TYPE]))


@pytest.mark.parametrize(
    ("path", "params", "message"),
    [
        ("no_models:OnX", {}, "no_models:OnX can't be imported.*put the module on PYTHONPATH"),
        ("our_models:OnY", {}, "our_models:OnY can't be imported"),
        ("our_models:number", {}, "can't be called; name a class or a function"),
        ("our_models:OnX", {"beta": 1}, "can't be made: .*beta.*; look at its params"),
        ("our_models:no_estimator", {}, "makes a object without fit and predict; return a scikit"),
    ],
)
def test_own_estimator_that_is_none_is_named(own, path, params, message):
    with pytest.raises(TrainingError, match=message):
        problem_of(own(path, **params)).estimator("own")


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("regression", {"fails_in": "fit"}, r"can't be fitted: KeyError\('y_hat'\)"),
        ("regression", {"fails_in": "predict"}, "the model does not answer: KeyError.*y_hat'"),
        ("regression", {"answer": "a text"}, "the model does not answer: .*a text"),
        (
            "binary",
            {"answer": 1},
            r"does not answer: ValueError.*an array of shape \(400, 1\), not two",
        ),
        (
            "binary",
            {"answer": 3},
            r"does not answer: ValueError.*an array of shape \(400, 3\), not two",
        ),
        ("segmentation", {"answer": float("nan")}, "some answers are missing"),
        ("segmentation", {"answer": None}, "some answers are missing"),
    ],
)
def test_own_estimator_that_fails_or_gives_no_answers_is_named(own, rows_of, kind, params, message):
    problem = problem_of(own("our_models:Odd", kind, **params))
    where = r"flights: training\.estimators\.own.*"
    with pytest.raises(TrainingError, match=where + message):
        run_smoke(problem, "own", rows_of(kind))


def test_own_estimator_that_can_not_weigh_is_refused_before_the_fit_that_counts(own, rows_of):
    spec = own("our_models:OnX")
    weighted = spec.model_copy(
        update={"training": spec.training.model_copy(update={"half_life_days": 30})}
    )
    with pytest.raises(TrainingError, match=r"own, on 400 rows, can't be fitted: .*sample_weight"):
        run_smoke(problem_of(weighted), "own", rows_of("regression"))


@pytest.mark.parametrize("part", ["fit", "answer"])
def test_infinite_feature_that_an_estimator_does_not_take_is_named(spec_of, rows_of, part):
    problem, rows = problem_of(spec_of("regression")), rows_of("regression")
    infinite = rows.assign(x=[float("inf"), *rows["x"][1:]])
    learned, asked = (infinite, rows) if part == "fit" else (rows, infinite)
    with pytest.raises(RatchetError, match="; x is infinite or huge in some row: mend its SQL"):
        problem.answer(problem.fit("linear", learned), asked)


def test_lint_imports_own_estimators(tmp_path, capsys):
    assert main(["lint", str(BLOCK_TIME)]) == 0
    wrong = tmp_path / "block_time.yaml"
    wrong.write_text(BLOCK_TIME.read_text().replace("sample_block_time:AboveRoute", "sample:None_"))
    assert main(["lint", str(wrong)]) == 1
    told = capsys.readouterr().out
    assert "training.estimators.above_route.type: ratchet.problems.sample:None_ can't be" in told


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            "{alpha: 1.0}",
            "{alfa: 1.0}",
            "ridge.params.alfa: is no parameter of ridge; did you mean",
        ),
        (
            "params: {alpha: 1.0}",
            "search: {trials: 2, seconds: 9, folds: 1, space: {alpha: [1.0], depth: [1, 2]}}",
            "ridge.search.space.depth: is no parameter of ridge; use one of ['alpha', ",
        ),
        ("{quantile: 0.6,", "{quantil: 0.6,", "above_route.params.quantil: is no parameter of"),
    ],
)
def test_lint_parameter_that_nobody_knows_names_line_and_remedy(
    tmp_path, capsys, right, wrong, told
):
    path = tmp_path / "block_time.yaml"
    path.write_text(BLOCK_TIME.read_text().replace(right, wrong))
    assert main(["lint", str(path)]) == 1
    line = 1 + next(i for i, each in enumerate(path.read_text().splitlines()) if wrong in each)
    assert f"block_time.yaml:{line}: training.estimators.{told}" in capsys.readouterr().out
