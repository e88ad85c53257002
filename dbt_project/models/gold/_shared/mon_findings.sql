{{ config(materialized='view') }}

select
    "window" as checked_window,
    "check" as check_name,
    subject,
    "column" as column_name,
    segment,
    state,
    rows,
    broken,
    observed,
    expected,
    p_value,
    text,
    is_blocking
from {{ written_by_stages('findings/') }}
