"""Every use case's Airflow DAGs, made from the specs in `include/use_cases`.

There is nothing to edit here: declare a use case by its spec, and its SQL in `dbt_project`.
A spec that is wrong is left out here, and shows as the import error of `spec_errors.py`.
"""

from ratchet.orchestration.factory import build_dags
from ratchet.settings import Settings

globals().update(build_dags(Settings.load().use_cases))
