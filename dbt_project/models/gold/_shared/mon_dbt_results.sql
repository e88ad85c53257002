{{ config(materialized='view') }}

select
    "window" as built_window,
    layer,
    build as build_id,
    name,
    kind,
    model,
    status,
    failures,
    message,
    seconds as duration_s,
    days as computed_days,
    landing_sha256,
    code_sha256,
    sql_sha256,
    run_id,
    built_at
from {{ written_by_stages('monitoring/results') }}
