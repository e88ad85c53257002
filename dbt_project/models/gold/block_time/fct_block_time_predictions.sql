{{ config(materialized='view') }}

select
    flight_id,
    decision_at,
    "window" as scored_window,
    role,
    version,
    predicted as predicted_min,
    is_decision
from {{ written_by_stages('predictions') }}
