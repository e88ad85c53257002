{{ config(materialized='view') }}

select
    "window" as built_window,
    layer,
    build as build_id,
    name,
    row_number,
    content
from {{ written_by_stages('monitoring/failed_rows') }}
