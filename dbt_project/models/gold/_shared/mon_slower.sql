{{ config(materialized='view') }}

with

-- only builds of as long a range of time do as much
builds as (
    select
        *,
        row_number() over (partition by layer, name, computed_days order by built_at desc) as age,
        computed_days = arg_max(computed_days, built_at) over (partition by layer, name) as is_alike
    from {{ ref('mon_dbt_results') }}
    where status in ('pass', 'success')
),

-- medians, so that one slow or one fast build decides nothing
medians as (
    select
        layer,
        name,
        kind,
        median(duration_s) filter (age <= {{ var("mon_recent_builds") }}) as recent_s,
        median(duration_s) filter (age > {{ var("mon_recent_builds") }}) as past_s,
        mad(duration_s) filter (age > {{ var("mon_recent_builds") }}) as past_spread_s,
        count(*) filter (age > {{ var("mon_recent_builds") }}) as past_builds
    from builds
    where is_alike and age <= {{ var("mon_recent_builds") }} + {{ var("mon_past_builds") }}
    group by all
),

final as (
    select
        *,
        recent_s / past_s as ratio,
        case
            when past_builds < {{ var("mon_least_builds") }} then 'not_enough_data'
            when
                recent_s > past_s * {{ var("mon_slower_ratio") }}
                and recent_s > past_s + {{ var("mon_slower_spreads") }} * past_spread_s
                and recent_s > past_s + {{ var("mon_slower_by_s") }}
                then 'slower'
            else 'ok'
        end as state
    from medians
)

select * from final
order by ratio desc nulls last, name asc
