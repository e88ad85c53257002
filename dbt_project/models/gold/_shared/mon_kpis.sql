{{ config(materialized='view') }}

select
    "window" as observed_window,
    rule,
    subject as kpi,
    cast(segment as date) as kpi_date,
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
from {{ written_by_stages('monitoring/signals/kpi') }}
