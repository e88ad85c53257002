"""Shows every wrong spec as an import error in Airflow, and holds no DAG.

It is a file of its own because Airflow takes all DAGs of a file with an import error out of
service: raised here, one wrong spec leaves the DAGs of all others alone.
"""

from ratchet.settings import Settings
from ratchet.spec import load_specs

load_specs(Settings.load().use_cases)
