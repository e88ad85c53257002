"""Telling the owner of a use case what must not wait until somebody looks."""

from __future__ import annotations

import logging

from ratchet.spec import Spec

_log = logging.getLogger(__name__)


def tell_owner(spec: Spec, text: str) -> None:
    """Tell the owner, by the log of whatever runs: it is kept, and shown in Airflow's UI.

    What is told here stands in the ledger or among the findings as well. A channel that reaches
    people elsewhere belongs here.
    """
    _log.error("For %s <%s>: %s", spec.owner.name, spec.owner.email, text)
