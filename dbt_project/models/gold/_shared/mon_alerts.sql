{{ config(materialized='view') }}

select
    id as alert_id,
    "window" as alerted_window,
    event,
    incident as incident_id,
    cause,
    severity,
    route,
    array_to_string(channels, ', ') as channels,
    held as held_back_by,
    owner_name,
    owner_email,
    title,
    rule,
    value,
    threshold,
    unit,
    rows,
    last_good as last_good_window,
    text
from {{ written_by_stages('incidents/alerts') }}
