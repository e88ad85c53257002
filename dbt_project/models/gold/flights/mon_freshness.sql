{{ config(materialized='view') }}
{%- set sent_at = {"schedules": "sent_at", "movements": "event_at", "weather": "sent_at"} -%}

with

sent as (
    {% for feed, moment in sent_at.items() -%}
    select
        '{{ feed }}' as feed,
        _window,
        max({{ moment }}) as last_sent_at
    from {{ ref('stg_flights__' ~ feed) }}
    group by all
    {{ "union all" if not loop.last }}
    {% endfor %}
),

-- also windows in which a feed sent nothing: it has only grown older
windows as (
    select distinct
        sent.feed,
        files._window
    from {{ ref('stg_flights__files') }} as files
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
