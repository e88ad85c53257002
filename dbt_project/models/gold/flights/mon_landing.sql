{{ config(incremental_predicates=[in_landed('landed_window')]) }}
{%- set feeds = ["schedules", "movements", "weather", "planes", "airports", "airlines"] -%}

with

landed as (
    select
        feed,
        _window as landed_window,
        count(*) as files,
        count(*) filter (verdict <> 'accepted') as refused_files,
        cast(sum(landed_rows) as bigint) as landed_rows,
        cast(sum(corrected_rows) as bigint) as corrected_rows,
        list_sort(list_distinct(flatten(list(header_drift)))) as header_drift,
        any_value(contract_version) as contract_version,
        any_value(contract_changes) as contract_changes
    from {{ ref('stg_flights__files') }}
    where {{ in_landed('_window') }}
    group by all
),

accepted as (
    {% for feed in feeds -%}
    select
        '{{ feed }}' as feed,
        _window as landed_window,
        count(*) as accepted_rows
    from {{ ref('stg_flights__' ~ feed) }}
    where {{ in_landed('_window') }}
    group by all
    {{ "union all" if not loop.last }}
    {% endfor %}
),

-- an entry without a row is a whole file, whose rows nobody could count
quarantined as (
    select
        feed,
        _window as landed_window,
        count(_row) as quarantined_rows
    from {{ ref('stg_flights__quarantine') }}
    where {{ in_landed('_window') }}
    group by all
),

final as (
    select
        landed.feed,
        landed.landed_window,
        landed.files,
        landed.refused_files,
        landed.landed_rows,
        coalesce(accepted.accepted_rows, 0) as accepted_rows,
        coalesce(quarantined.quarantined_rows, 0) as quarantined_rows,
        landed.corrected_rows,
        landed.header_drift,
        landed.contract_version,
        landed.contract_changes
    from landed
    left join accepted using (feed, landed_window)
    left join quarantined using (feed, landed_window)
)

select * from final
order by landed_window
