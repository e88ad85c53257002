{{ config(materialized='view') }}

select
    observed_window,
    champion,
    name,
    kind,
    state,
    rows,
    psi,
    missing_change
from {{ written_by_stages('monitoring/drift') }}
