{{ config(materialized='view') }}

select
    id as incident_id,
    fingerprint,
    cause,
    state,
    severity,
    is_verify,
    title,
    owner_name,
    owner_email,
    array_to_string(subjects, ', ') as subjects,
    array_to_string(evidence, ', ') as evidence,
    len(silenced) as silenced_count,
    windows[1] as first_window,
    windows[-1] as last_window,
    len(windows) as windows_count,
    last_good as last_good_window,
    reopened as reopened_count,
    resolved as resolved_window,
    resolved_by,
    reason as resolved_reason,
    value,
    threshold,
    unit,
    rows,
    text
from {{ written_by_stages('incidents/incidents') }}
qualify row_number() over (partition by id order by "window" desc) = 1
