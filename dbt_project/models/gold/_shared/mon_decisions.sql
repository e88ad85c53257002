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

-- reasons to act, and conditions; entries of before they were told apart have reasons alone
parted as (
    select
        *,
        [
            c for c in clauses
            if coalesce(c['suffices'], false)
            or (kind = 'retrain' and not list_contains([d['suffices'] for d in clauses], true))
        ] as asking,
        [
            c for c in clauses
            if not coalesce(c['suffices'], false)
            and (kind <> 'retrain' or list_contains([d['suffices'] for d in clauses], true))
        ] as needed
    from entries
),

-- what settled it, as in `Decision.settling`
settled as (
    select
        *,
        case
            when len(asking) > 0 and not list_contains([c['passed'] for c in asking], true)
                then asking
            when list_contains([c['passed'] for c in needed], false)
                then [c for c in needed if not c['passed']]
            when len(asking) > 0
                then [c for c in asking if c['passed']]
            else needed
        end as settling
    from parted
),

final as (
    select
        sha256 as decision_id,
        number as entry_number,
        kind,
        "window" as decided_window,
        verdict,
        array_to_string([c['text'] for c in settling], ' ') as reasons,
        len([c for c in clauses if not c['passed']]) as failed_clauses,
        to_json(clauses)::varchar as clauses_json,
        subject::varchar as subject_json,
        evidence::varchar as evidence_json,
        files::varchar as files_json,
        evidence_sha256,
        author,
        recorded_at,
        previous as previous_id
    from settled
)

select * from final
