{{ config(materialized='view') }}

select
    flight_id,
    decision_at,
    outcome,
    is_disrupted,
    arrival_delay_min,
    label_known_at
from {{ ref('int_flights__outcomes') }}
