{# Files and rows of each feed and landed window. #}
{% macro mon_landing(use_case, feeds) -%}
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
    from {{ ref('stg_' ~ use_case ~ '__files') }}
    where {{ in_landed('_window') }}
    group by all
),

accepted as (
    {% for feed in feeds -%}
    select
        '{{ feed }}' as feed,
        _window as landed_window,
        count(*) as accepted_rows
    from {{ ref('stg_' ~ use_case ~ '__' ~ feed) }}
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
    from {{ ref('stg_' ~ use_case ~ '__quarantine') }}
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
{%- endmacro %}

{# Rows put aside, by feed, landed window and reason. #}
{% macro mon_quarantine(use_case) -%}
with

quarantine as (
    select
        feed,
        _window as landed_window,
        _file,
        _row,
        unnest(reasons) as reason
    from {{ ref('stg_' ~ use_case ~ '__quarantine') }}
),

final as (
    select
        feed,
        landed_window,
        reason,
        count(_row) as rows,
        count(distinct _file) as files
    from quarantine
    group by all
)

select * from final
{%- endmacro %}

{# How old each feed's newest row was at each window's end; `sent_at` names its moment. #}
{% macro mon_freshness(use_case, sent_at) -%}
with

sent as (
    {% for feed, moment in sent_at.items() -%}
    select
        '{{ feed }}' as feed,
        _window,
        max({{ moment }}) as last_sent_at
    from {{ ref('stg_' ~ use_case ~ '__' ~ feed) }}
    group by all
    {{ "union all" if not loop.last }}
    {% endfor %}
),

-- also windows in which a feed sent nothing: it has only grown older
windows as (
    select distinct
        sent.feed,
        files._window
    from {{ ref('stg_' ~ use_case ~ '__files') }} as files
    cross join sent
),

final as (
    select
        windows.feed,
        windows._window as landed_window,
        {{ window_bound(2) }} as window_end_at,
        max(sent.last_sent_at) over past as last_sent_at,
        date_diff('minute', max(sent.last_sent_at) over past, window_end_at) as age_min
    from windows
    left join sent using (feed, _window)
    window past as (partition by windows.feed order by _window)
)

select * from final
{%- endmacro %}
