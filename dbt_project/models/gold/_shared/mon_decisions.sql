{{ config(materialized='view') }}

with

entries as (
    select
        number,
        sha256,
        previous,
        recorded_at,
        evidence_sha256,
        unnest(decision) -- noqa: AL03
    from {{ entries_of_ledger() }}
),

final as (
    select
        sha256 as decision_id,
        number as entry_number,
        kind,
        "window" as decided_window,
        verdict,
        -- what settled it, as in `Decision.reasons`
        coalesce(
            nullif(
                array_to_string(
                    [c['text'] for c in clauses if c['passed'] = (kind = 'retrain')], ' '
                ),
                ''
            ),
            array_to_string([c['text'] for c in clauses], ' ')
        ) as reasons,
        len([c for c in clauses if not c['passed']]) as failed_clauses,
        to_json(clauses)::varchar as clauses_json,
        subject::varchar as subject_json,
        evidence::varchar as evidence_json,
        files::varchar as files_json,
        evidence_sha256,
        author,
        recorded_at,
        previous as previous_id
    from entries
)

select * from final
