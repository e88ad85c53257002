{{ config(materialized='view') }}

select
    flight_id,
    decision_at,
    "window" as scored_window,
    role,
    version,
    probability,
    threshold,
    is_acted,
    is_decision,
    cost_if_positive as cost_if_disrupted_points,
    cost_if_negative as cost_if_on_time_points,
    stale_features,
    fallback,
    reasons
from {{ written_by_stages('predictions') }}
