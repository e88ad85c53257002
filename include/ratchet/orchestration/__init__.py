"""The only part that knows Airflow.

`assets`, `tasks` and `factory` turn a spec into DAGs. `stack`, `client` and `replay` run them on
one machine: start Airflow's services, speak to its REST API, and advance logical time.
"""
