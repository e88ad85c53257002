"""The assets that chain a use case's DAGs. Each has one producer.

Every event carries the window's key as its partition key, so each window gets a run of its own
downstream: events of different windows never coalesce into one.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow.sdk import Asset

from ratchet.spec import Spec


@dataclass(frozen=True)
class Assets:
    """Gold data, predictions, a request to retrain, and the champion of one use case."""

    gold: Asset
    predictions: Asset
    retraining: Asset
    champion: Asset

    @classmethod
    def of(cls, spec: Spec) -> Assets:
        """Name the assets of one use case."""

        def asset(path: str) -> Asset:
            return Asset(
                name=f"{spec.name}/{path}",
                uri=f"x-ratchet://{spec.name}/{path}",
                group=spec.name,
                extra={"owner": spec.owner.email},
            )

        return cls(
            gold=asset(f"gold/{spec.gold.features_table}"),
            predictions=asset("gold/fct_predictions"),
            retraining=asset("requests/retraining"),
            champion=asset("registry/champion"),
        )
