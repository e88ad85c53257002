{{ config(materialized='view') }}

select
    "window" as blocked_window,
    table_name,
    blocked_by,
    state,
    rows as found_rows,
    rows_path,
    since as blocked_since_at,
    reason
from {{ written_by_stages('blocks') }}
