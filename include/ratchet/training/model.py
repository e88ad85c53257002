"""A model as bytes, and a model's answers: the same wherever and whenever they are made."""

from __future__ import annotations

import re
from collections.abc import Iterable
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import pandas as pd
import skops.io
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from skops.io.exceptions import UntrustedTypesFoundException
from threadpoolctl import threadpool_limits

from ratchet.errors import EvidenceError, ReleaseError

TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""What a model file may hold besides skops' own list: what the two estimators are made of."""

_OBJECT_ID = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.)')


def dump_model(model: ClassifierMixin) -> bytes:
    """Return a fitted model in skops' format; equal models give equal bytes.

    skops names objects by their address in memory and stamps them with the time. Here they are
    numbered in order of appearance, without a time, so that a model's hash speaks of the model.
    """
    names: dict[str, str] = {}
    with ZipFile(BytesIO(skops.io.dumps(model))) as source:
        schema = _OBJECT_ID.sub(
            lambda match: names.setdefault(match[0], str(len(names) + 1)),
            source.read("schema.json").decode(),
        )
        members = {"schema.json": schema.encode()}
        for path in source.namelist():
            stem, _, suffix = path.partition(".")
            if stem in names:
                members[f"{names[stem]}.{suffix}"] = source.read(path)
    target = BytesIO()
    with ZipFile(target, "w") as archive:
        for name in sorted(members):
            archive.writestr(ZipInfo(name), members[name], ZIP_DEFLATED)
    return target.getvalue()


def load_model(content: bytes) -> ClassifierMixin:
    """Read a model that `dump_model` wrote.

    Raises
    ------
    ReleaseError
        If the bytes are not a model, or hold a type outside `TRUSTED_TYPES`.
    """
    try:
        return skops.io.loads(content, trusted=TRUSTED_TYPES)
    except UntrustedTypesFoundException as error:
        raise ReleaseError(f"the model holds types that are not trusted: {error}") from error
    except Exception as error:  # whatever a broken file makes zip, JSON or skops raise
        raise ReleaseError(f"the model can't be read: {error!r}; release it again") from error


def answer(
    model: ClassifierMixin, frame: pd.DataFrame, features: Iterable[str]
) -> NDArray[np.float64]:
    """Return a model's probabilities that the label is true, one per row, in [0, 1].

    One thread computes them: with more, sums are taken in another order and the last bits differ.

    Raises
    ------
    EvidenceError
        If a feature's column is missing, there are no rows, or an answer is not a finite number.
    """
    columns = list(features)
    if missing := [name for name in columns if name not in frame]:
        raise EvidenceError(f"the model needs columns that are missing: {', '.join(missing)}")
    if frame.empty:
        raise EvidenceError("there are no rows to answer")
    with threadpool_limits(1):
        probabilities: NDArray[np.float64] = model.predict_proba(frame[columns])[:, 1]
    if not np.isfinite(probabilities).all():
        raise EvidenceError("the model answers with numbers that are not finite")
    return probabilities.astype(np.float64)
