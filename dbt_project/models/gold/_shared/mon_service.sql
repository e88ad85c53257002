{{ config(materialized='view') }}

select
    "window" as scored_window,
    version,
    rows,
    duration_s,
    row_ms,
    stale_rows,
    fallback_rows,
    refused_rows
from {{ written_by_stages('monitoring/service') }}
