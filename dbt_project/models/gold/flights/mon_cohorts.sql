{{ config(materialized='view') }}

select
    observed_window,
    cohort,
    age_days,
    policy,
    version,
    labelled,
    total - labelled as missing,
    total,
    matured_share,
    is_mature,
    total_cost as total_cost_points,
    cost_per_unit as cost_per_flight_points,
    roc_auc,
    pr_auc,
    brier
from {{ written_by_stages('monitoring/cohorts') }}
