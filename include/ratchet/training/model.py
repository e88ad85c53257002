"""A model as bytes: the same whenever they are made, and read without running any code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ratchet.errors import ReleaseError, TrainingError

TRUSTED_TYPES = (
    "functools.partial",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils.validation.check_array",
)
"""What a model file may hold besides skops' own list: what the two estimators are made of."""

_OBJECT_ID = re.compile(r'(?<="__id__": )\d+|(?<="file": ")\d+(?=\.)')


def dump_model(model: Any, trusted: Sequence[str] = ()) -> bytes:
    """Return a fitted model in skops' format; equal models give equal bytes.

    skops names objects by their address in memory and stamps them with the time. Here they are
    numbered in order of appearance, without a time, so that a model's hash speaks of the model.

    Parameters
    ----------
    trusted
        Types that the model may hold besides `TRUSTED_TYPES`, as its use case declares them.

    Raises
    ------
    TrainingError
        If it holds another one, so that nobody could read it, or something that skops can't store.
    """
    import skops.io

    names: dict[str, str] = {}
    try:
        content = skops.io.dumps(model)
        found = set(skops.io.get_untrusted_types(data=content)) - {*TRUSTED_TYPES, *trusted}
    except Exception as error:  # whatever the parts of an estimator raise, or a circle of them
        raise TrainingError(
            f"the model can't be stored as data: {error!r}; give it other params, or use another "
            "estimator"
        ) from error
    if found:
        raise TrainingError(
            f"the model holds {', '.join(sorted(found))}, which would run code when it is read; "
            "declare them in the estimator's trusted_types with a reason, or use another estimator"
        )
    with ZipFile(BytesIO(content)) as source:
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


def load_model(content: bytes, trusted: Sequence[str] = ()) -> Any:
    """Read a model that `dump_model` wrote.

    Parameters
    ----------
    trusted
        Types that the model may hold besides `TRUSTED_TYPES`, as it was released with.

    Raises
    ------
    ReleaseError
        If the bytes are not a model, or hold a type that is not trusted.
    """
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        return skops.io.loads(content, trusted=[*TRUSTED_TYPES, *trusted])
    except UntrustedTypesFoundException as error:
        raise ReleaseError(f"the model holds types that are not trusted: {error}") from error
    except Exception as error:  # whatever a broken file makes zip, JSON or skops raise
        raise ReleaseError(f"the model can't be read: {error!r}; release it again") from error
