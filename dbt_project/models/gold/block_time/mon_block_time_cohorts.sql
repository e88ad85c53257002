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
    mae as mean_absolute_error_min,
    rmse as root_mean_squared_error_min,
    r2
from {{ written_by_stages('monitoring/cohorts') }}
