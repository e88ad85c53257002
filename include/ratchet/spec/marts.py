"""The columns of gold tables, as their contracts in the dbt project say."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from ratchet.settings import PROJECT

GOLD = PROJECT / "dbt_project" / "models" / "gold"


def gold_columns(use_case: str, folder: Path = GOLD) -> dict[str, dict[str, str]]:
    """Return the type of each column of a use case's own gold tables, by table.

    Contracts are enforced, so these are all the columns there are. Nothing is returned for a use
    case that has no gold tables yet.
    """
    contracts = sorted((folder / use_case).glob("*.yml"))
    return {
        t: columns for path in contracts for t, columns in _contracts(path.read_bytes()).items()
    }


@lru_cache(maxsize=32)
def _contracts(text: bytes) -> dict[str, dict[str, str]]:
    document = yaml.load(text, yaml.CSafeLoader) or {}
    return {
        model["name"]: {c["name"]: str(c.get("data_type", "")) for c in model.get("columns", [])}
        for model in document.get("models", [])
    }
