{{ config(materialized='view') }}

select
    observed_window,
    cohort,
    day,
    version,
    measure,
    age_days,
    rows,
    missing,
    estimated,
    sampling_error,
    low,
    high,
    realised,
    p_value
from {{ written_by_stages('monitoring/estimates') }}
