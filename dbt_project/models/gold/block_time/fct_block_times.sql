{{ config(materialized='view') }}

select
    flight_id,
    decision_at,
    air_time_min,
    known_at as label_known_at
from {{ ref('int_block_time__flown') }}
