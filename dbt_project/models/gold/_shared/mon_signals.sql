{{ config(materialized='view') }}

select
    "window" as observed_window,
    family,
    rule,
    subject,
    "column" as column_name,
    segment,
    rows,
    is_enough,
    value,
    expected,
    effect,
    floor,
    null_limit,
    p_value,
    direction,
    unit,
    reference,
    text
from {{ written_by_stages('monitoring/signals/') }}
